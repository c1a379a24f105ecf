// Numbers and strings as they are written in a template.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hussar::jinja {

struct NumberLiteral {
  size_t size;  // bytes read
  bool is_float;
  int64_t integer;
  double real;
};

// The number that `text` begins with. `after_dot`: only an integer can stand there (a.1.2). REQUIRES: a digit
// first.
Result<NumberLiteral> read_number(std::string_view text, bool after_dot, int line);

// Python's escapes in a string literal without its quotes. Errors: kInvalid; kUnsupported for \N{...} and
// lone surrogates.
Result<std::string> unescape(std::string_view text, int line);

// Python's int(text, base) and float(text), nothing where that raises ValueError. Error: kUnsupported, an
// integer beyond 64 bits.
Result<std::optional<int64_t>> parse_integer(std::string_view text, int base);
std::optional<double> parse_float(std::string_view text);

}  // namespace hussar::jinja
