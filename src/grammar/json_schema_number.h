// JSON numbers by their exact decimal value: 1, 1.0 and 10e-1 are the same number, and no digit is lost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hussar {

// The number +-digits * 10^exponent in its one normal form: no leading or trailing zeros in `digits`; zero
// has no digits, is not negative and has exponent 0. A view: `digits` belongs to somebody else.
struct DecimalView {
  bool negative = false;
  std::string_view digits;
  int64_t exponent = 0;

  bool is_zero() const { return digits.empty(); }
  bool is_integer() const { return exponent >= 0; }
};

bool operator==(const DecimalView& a, const DecimalView& b);

// Below zero where a < b, zero where they are equal, above zero where a > b.
int compare(const DecimalView& a, const DecimalView& b);

// The digits that is_multiple_of takes in its divisor.
inline constexpr size_t kDivisorDigitsMax = 18;

// Whether `number` is an integer times `divisor`, exactly. REQUIRES: divisor is not zero and has at most
// kDivisorDigitsMax digits.
bool is_multiple_of(const DecimalView& number, const DecimalView& divisor);

// A number's value, or `max` where it is more. REQUIRES: an integer that is not negative.
uint64_t clamped_integer(const DecimalView& number, uint64_t max);

// Brings a number in JSON's grammar to its normal form, whose digits are appended to `digits`; the view shows
// where they lie in it until it grows again. False when the exponent does not fit (beyond 10^17).
bool parse_decimal(std::string_view text, std::string* digits, DecimalView* number);

}  // namespace hussar
