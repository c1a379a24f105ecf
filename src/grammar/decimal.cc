#include "grammar/decimal.h"

#include <algorithm>
#include <charconv>

namespace hussar {
namespace {

// Text and exponents beyond a double's never come here: JSON numbers are doubles or 64-bit integers.
constexpr int64_t kExponentMax = 400;
constexpr size_t kStepDigitsMax = 15;

int sign(int value) { return value < 0 ? -1 : value > 0 ? 1 : 0; }

int compare_magnitudes(const Decimal& a, const Decimal& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
  if (const int order = a.whole.compare(b.whole); order != 0) return sign(order);
  return sign(
      a.fraction.compare(b.fraction));  // no trailing zeros: the longer of two with a common start is greater
}

}  // namespace

Decimal Decimal::parse(std::string_view text) {
  Decimal number;
  if (text.starts_with("-")) {
    number.negative = true;
    text.remove_prefix(1);
  }
  int64_t exponent = 0;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = text.substr(e + 1);
    if (digits.starts_with("+")) digits.remove_prefix(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    exponent = std::clamp(exponent, -kExponentMax, kExponentMax);
    text = text.substr(0, e);
  }
  const size_t dot = text.find('.');
  number.whole = text.substr(0, dot);
  if (dot != std::string_view::npos) number.fraction = text.substr(dot + 1);
  for (; exponent > 0; --exponent) {
    number.whole += number.fraction.empty() ? '0' : number.fraction[0];
    if (!number.fraction.empty()) number.fraction.erase(0, 1);
  }
  for (; exponent < 0; ++exponent) {
    number.fraction.insert(0, 1, number.whole.empty() ? '0' : number.whole.back());
    if (!number.whole.empty()) number.whole.pop_back();
  }
  number.whole.erase(0, std::min(number.whole.find_first_not_of('0'), number.whole.size()));
  number.fraction.erase(number.fraction.find_last_not_of('0') + 1);
  if (number.is_zero()) number.negative = false;
  return number;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  return a.negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

std::optional<DecimalStep> decimal_step(const Decimal& number) {
  const std::string digits = number.whole + number.fraction;
  if (number.is_zero() || number.negative || digits.size() > kStepDigitsMax) return std::nullopt;
  DecimalStep step;
  step.places = static_cast<int32_t>(number.fraction.size());
  std::from_chars(digits.data(), digits.data() + digits.size(), step.step);
  return step;
}

bool is_multiple(const Decimal& number, const DecimalStep& step) {
  if (number.fraction.size() > static_cast<size_t>(step.places)) return false;
  std::string digits = number.whole + number.fraction;
  digits.append(static_cast<size_t>(step.places) - number.fraction.size(), '0');
  int64_t rest = 0;
  for (const char digit : digits) rest = (rest * 10 + (digit - '0')) % step.step;
  return rest == 0;
}

}  // namespace hussar
