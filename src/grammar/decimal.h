// Numbers as decimal digits, without any limit of size: bounds of a JSON Schema are compared as they were
// written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hussar {

struct Decimal {
  bool negative = false;  // never for zero
  std::string whole;      // without leading zeros; empty for less than one
  std::string fraction;   // without trailing zeros

  // Of a JSON number's text.
  static Decimal parse(std::string_view text);

  bool is_zero() const { return whole.empty() && fraction.empty(); }
  bool is_integer() const { return fraction.empty(); }
  Decimal magnitude() const { return Decimal{false, whole, fraction}; }
  bool operator==(const Decimal&) const = default;
};

// Negative, zero or positive, as a is less than, equal to or greater than b.
int compare(const Decimal& a, const Decimal& b);

// A positive step as step / 10^places, in lowest places; nothing when it doesn't fit.
struct DecimalStep {
  int64_t step = 1;
  int32_t places = 0;
};
std::optional<DecimalStep> decimal_step(const Decimal& number);
bool is_multiple(const Decimal& number, const DecimalStep& step);

}  // namespace hussar
