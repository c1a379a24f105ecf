#include "text/jinja/literals.h"

#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/lexer.h"

namespace hussar::jinja {
namespace {

constexpr int kNoDigit = 99;

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return kNoDigit;
}

char at(std::string_view text, size_t offset) { return offset < text.size() ? text[offset] : '\0'; }

// Digits of a base with single underscores between them; the offset behind them, or `begin` when there is
// none.
size_t skip_digits(std::string_view text, size_t begin, int base) {
  size_t end = begin;
  while (digit_value(at(text, end)) < base ||
         (end > begin && at(text, end) == '_' && digit_value(at(text, end + 1)) < base)) {
    ++end;
  }
  return end;
}

std::string without_underscores(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != '_') out.push_back(c);
  }
  return out;
}

// The end of a fraction or exponent behind the digits that end at `end`; `end` where there is neither.
size_t skip_float_tail(std::string_view text, size_t end) {
  if (at(text, end) == '.') {
    const size_t fraction = skip_digits(text, end + 1, 10);
    if (fraction > end + 1) end = fraction;
  }
  if (at(text, end) != 'e' && at(text, end) != 'E') return end;
  const size_t sign = at(text, end + 1) == '+' || at(text, end + 1) == '-' ? 1 : 0;
  const size_t exponent = skip_digits(text, end + 1 + sign, 10);
  return exponent > end + 1 + sign ? exponent : end;
}

// from_chars says "out of range" both for what is too large and for what is too small.
double to_double(const std::string& digits) {
  double value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ec != std::errc::result_out_of_range) return value;
  return std::strtod(digits.c_str(), nullptr);
}

std::optional<int64_t> to_integer(const std::string& digits, int base) {
  int64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (result.ec != std::errc() || result.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

int prefixed_base(std::string_view text) {
  if (at(text, 0) != '0') return 0;
  switch (at(text, 1)) {
    case 'b':
    case 'B':
      return 2;
    case 'o':
    case 'O':
      return 8;
    case 'x':
    case 'X':
      return 16;
    default:
      return 0;
  }
}

Error integer_too_large() {
  return Error{ErrorCode::kUnsupported, "integers beyond 64 bits are not supported", ""};
}

// A fixed number of hexadecimal digits behind \x, \u or \U.
Result<char32_t> read_hex(std::string_view text, size_t begin, size_t digits, int line) {
  uint32_t value = 0;
  for (size_t i = begin; i < begin + digits; ++i) {
    const int digit = digit_value(at(text, i));
    if (digit >= 16) return error_at(line, ErrorCode::kInvalid, "a truncated escape in a string");
    value = value * 16 + static_cast<uint32_t>(digit);
  }
  if (value > 0x10FFFF) return error_at(line, ErrorCode::kInvalid, "an escape names no character");
  if (value >= 0xD800 && value < 0xE000) {
    return error_at(line, ErrorCode::kUnsupported, "surrogates in strings are not supported");
  }
  return static_cast<char32_t>(value);
}

// The character that a one-letter escape stands for; 0 when it is none.
char simple_escape(char c) {
  constexpr std::string_view kLetters = "\\'\"abfnrtv";
  constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
  const size_t index = kLetters.find(c);
  return index == std::string_view::npos ? '\0' : kMeanings[index];
}

std::string_view strip(std::string_view text) {
  text = text.substr(0, skip_space_back(text, text.size()));
  return text.substr(skip_space(text, 0));
}

}  // namespace

Result<NumberLiteral> read_number(std::string_view text, bool after_dot, int line) {
  const size_t whole_end = skip_digits(text, 0, 10);
  const size_t float_end = after_dot ? whole_end : skip_float_tail(text, whole_end);
  if (float_end != whole_end) {
    return NumberLiteral{float_end, true, 0, to_double(without_underscores(text.substr(0, float_end)))};
  }
  size_t begin = 0;
  size_t end = whole_end;
  int base = 10;
  const int prefix = prefixed_base(text);
  const size_t prefixed_digits = at(text, 2) == '_' ? 3 : 2;
  if (prefix != 0 && skip_digits(text, prefixed_digits, prefix) > prefixed_digits) {
    base = prefix;
    begin = prefixed_digits;
    end = skip_digits(text, begin, prefix);
  } else if (text[0] == '0') {  // "01" is two tokens
    end = 1;
    while (at(text, end) == '0' || (at(text, end) == '_' && at(text, end + 1) == '0')) ++end;
  }
  const auto value = to_integer(without_underscores(text.substr(begin, end - begin)), base);
  if (!value) return error_at(line, ErrorCode::kUnsupported, "integers beyond 64 bits are not supported");
  return NumberLiteral{end, false, *value, 0};
}

Result<std::string> unescape(std::string_view text, int line) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out.push_back(text[i++]);
      continue;
    }
    const char kind = at(text, i + 1);
    if (const char meaning = simple_escape(kind); meaning != '\0') {
      out.push_back(meaning);
      i += 2;
    } else if (kind == '\n') {
      i += 2;
    } else if (kind == 'x' || kind == 'u' || kind == 'U') {
      const size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
      ASSIGN_OR_RETURN(const char32_t value, read_hex(text, i + 2, digits, line));
      append_utf8(value, &out);
      i += 2 + digits;
    } else if (digit_value(kind) < 8) {
      char32_t value = 0;
      const size_t end = i + 4;
      for (++i; i < end && digit_value(at(text, i)) < 8; ++i) {
        value = value * 8 + static_cast<char32_t>(digit_value(text[i]));
      }
      append_utf8(value, &out);
    } else if (kind == 'N') {
      return error_at(line, ErrorCode::kUnsupported, "\\N{...} in strings is not supported");
    } else {  // an unknown escape stands for itself
      out.push_back('\\');
      ++i;
    }
  }
  return out;
}

Result<std::optional<int64_t>> parse_integer(std::string_view text, int base) {
  text = strip(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const int prefix = prefixed_base(text);
  const bool base_from_text = base == 0;
  if (base_from_text) base = prefix != 0 ? prefix : 10;
  if (prefix != 0 && prefix == base) {
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
  }
  if (text.empty() || skip_digits(text, 0, base) != text.size()) return std::optional<int64_t>();
  const std::string digits = without_underscores(text);
  const bool all_zero = digits.find_first_not_of('0') == std::string::npos;
  if (base_from_text && prefix == 0 && digits[0] == '0' && !all_zero) return std::optional<int64_t>();
  const auto value = to_integer((negative ? "-" : "") + digits, base);
  if (!value) return integer_too_large();
  return value;
}

std::optional<double> parse_float(std::string_view text) {
  text = strip(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string lower;
  for (const char c : text) lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = HUGE_VAL;
  } else if (lower == "nan") {
    value = std::nan("");
  } else {
    size_t whole = skip_digits(text, 0, 10);
    const bool bare_point = at(text, whole) == '.' && skip_digits(text, whole + 1, 10) == whole + 1;
    if (whole == 0 && (at(text, 0) != '.' || bare_point)) return std::nullopt;
    if (bare_point) ++whole;  // "1."
    if (skip_float_tail(text, whole) != text.size()) return std::nullopt;
    value = to_double(without_underscores(text));
  }
  return negative ? -value : value;
}

}  // namespace hussar::jinja
