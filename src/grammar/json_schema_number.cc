#include "grammar/json_schema_number.h"

#include <algorithm>

namespace hussar {
namespace {

constexpr int64_t kExponentMax = 100'000'000'000'000'000;

using Wide = unsigned __int128;

uint64_t multiply_mod(uint64_t a, uint64_t b, uint64_t modulus) {
  return static_cast<uint64_t>(static_cast<Wide>(a) * b % modulus);
}

uint64_t power_of_ten_mod(int64_t exponent, uint64_t modulus) {
  uint64_t power = 1 % modulus;
  uint64_t square = 10 % modulus;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) power = multiply_mod(power, square, modulus);
    square = multiply_mod(square, square, modulus);
  }
  return power;
}

// The sign and digits of JSON's exponent part. False when it is too large.
bool parse_exponent(std::string_view text, int64_t* exponent) {
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  *exponent = 0;
  for (const char c : text) {
    *exponent = *exponent * 10 + (c - '0');
    if (*exponent > kExponentMax) return false;
  }
  if (negative) *exponent = -*exponent;
  return true;
}

}  // namespace

bool operator==(const DecimalView& a, const DecimalView& b) {
  return a.negative == b.negative && a.exponent == b.exponent && a.digits == b.digits;
}

int compare(const DecimalView& a, const DecimalView& b) {
  const auto sign = [](const DecimalView& n) { return n.is_zero() ? 0 : n.negative ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) < sign(b) ? -1 : 1;
  if (a.is_zero()) return 0;
  const int larger = a.negative ? -1 : 1;  // what to say when a has the larger magnitude
  const int64_t magnitude_a = a.exponent + static_cast<int64_t>(a.digits.size());
  const int64_t magnitude_b = b.exponent + static_cast<int64_t>(b.digits.size());
  if (magnitude_a != magnitude_b) return magnitude_a > magnitude_b ? larger : -larger;
  // Both begin at the same power of ten, so that text order is number order: a prefix is the smaller one.
  const int order = a.digits.compare(b.digits);
  return order == 0 ? 0 : order > 0 ? larger : -larger;
}

bool is_multiple_of(const DecimalView& number, const DecimalView& divisor) {
  if (number.is_zero()) return true;
  // digits * 10^(exponent difference) must be a multiple of the divisor's digits. A negative difference asks
  // for a trailing zero in the digits, and the normal form has none.
  const int64_t shift = number.exponent - divisor.exponent;
  if (shift < 0) return false;
  uint64_t modulus = 0;
  for (const char c : divisor.digits) modulus = modulus * 10 + static_cast<uint64_t>(c - '0');
  uint64_t rest = 0;
  for (const char c : number.digits) {
    rest = static_cast<uint64_t>((static_cast<Wide>(rest) * 10 + static_cast<uint64_t>(c - '0')) % modulus);
  }
  return multiply_mod(rest, power_of_ten_mod(shift, modulus), modulus) == 0;
}

uint64_t clamped_integer(const DecimalView& number, uint64_t max) {
  uint64_t value = 0;
  const auto append = [&](uint64_t digit) {
    value = value > (max - digit) / 10 ? max : std::min(max, value * 10 + digit);
  };
  for (const char c : number.digits) append(static_cast<uint64_t>(c - '0'));
  for (int64_t i = 0; i < number.exponent && value != 0 && value < max; ++i) append(0);
  return value;
}

bool parse_decimal(std::string_view text, std::string* digits, DecimalView* number) {
  *number = {};
  number->negative = text[0] == '-';
  if (number->negative) text.remove_prefix(1);
  const size_t mark = std::min(text.find_first_of("eE"), text.size());
  int64_t exponent = 0;
  if (mark < text.size() && !parse_exponent(text.substr(mark + 1), &exponent)) return false;
  const size_t begin = digits->size();
  bool in_fraction = false;
  for (const char c : text.substr(0, mark)) {
    if (c == '.') {
      in_fraction = true;
      continue;
    }
    if (in_fraction) --exponent;
    if (digits->size() > begin || c != '0') digits->push_back(c);
  }
  while (digits->size() > begin && digits->back() == '0') {
    digits->pop_back();
    ++exponent;
  }
  number->digits = std::string_view(*digits).substr(begin);
  number->exponent = number->is_zero() ? 0 : exponent;
  if (number->is_zero()) number->negative = false;
  return true;
}

}  // namespace hussar
