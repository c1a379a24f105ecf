// Values to text: python's str() and repr(), JSON, and the % operator.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/runtime.h"

namespace hussar::jinja {

// Appends what print shows. Errors: a value that shows an address in python (a generator, a function).
Result<void> append_str(const Value& value, TextBuilder* out);
Result<void> append_repr(const Value& value, TextBuilder* out);
// str(value); a text is handed on as it is.
Result<TextRef> to_text(Runtime& runtime, const Value& value);

std::string float_repr(double value);

struct JsonStyle {
  std::optional<std::string> indent;  // one level of it; absent: one line
  std::string_view item_separator = ", ";
  std::string_view key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};
// python's json.dumps. Errors: a value that has no JSON form; keys that can't be sorted.
Result<void> append_json(Runtime& runtime, const Value& value, const JsonStyle& style, TextBuilder* out);

// format % arguments. Errors: as python's, and kUnsupported for rare conversions.
Result<Value> format_percent(Runtime& runtime, const Text& format, const Value& arguments);

// str.format with {}, {0}, {name}, !s and !r; format specifications and look-ups inside of braces are
// refused.
Result<Value> format_braces(Runtime& runtime, const Text& format, const Arguments& arguments);

}  // namespace hussar::jinja
