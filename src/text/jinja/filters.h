// The filters: {{ value | name(arguments) }}.
#pragma once

#include <string_view>

#include "text/jinja/runtime.h"

namespace hussar::jinja {

struct Filter {
  std::string_view name;
  Result<Value> (*apply)(Runtime& runtime, const Value& value, const Arguments& arguments);
};

// Null when there is no such filter.
const Filter* find_filter(std::string_view name);

}  // namespace hussar::jinja
