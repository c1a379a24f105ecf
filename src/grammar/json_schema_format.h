// The formats of draft 2020-12 that can be asserted.
#pragma once

#include <string_view>

#include "grammar/json_schema_budget.h"

namespace hussar {

enum class FormatAnswer { kValid, kInvalid, kUnknown };

// Whether `format` is one of those that is checked: date, time, date-time, duration, email, hostname, ipv4,
// ipv6, uuid, uri, uri-reference, json-pointer, relative-json-pointer, regex. Those of the standard that are
// not: idn-email, idn-hostname, iri, iri-reference, uri-template.
bool is_checked_format(std::string_view format);
bool is_unchecked_standard_format(std::string_view format);

// Whether `text` has the format. kUnknown where the format is not checked, and for a regular expression that
// is too large or names a Unicode property that is not known. REQUIRES: valid UTF-8.
FormatAnswer check_format(std::string_view format, std::string_view text, StepBudget* budget);

}  // namespace hussar
