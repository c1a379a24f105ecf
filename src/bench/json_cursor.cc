#include "bench/json_cursor.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"

namespace hussar {

namespace {

constexpr uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;

// The first byte from `at` on that a string can't hold as it is: a quote, a backslash, a control character.
// Eight at a time; the bits above the first hit may be wrong, but they are not looked at.
const char* find_special(const char* at, const char* end) {
  static_assert(std::endian::native == std::endian::little);
  for (; end - at >= 8; at += 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    const uint64_t quote = word ^ kOnes * '"', backslash = word ^ kOnes * '\\';
    const uint64_t hits =
        ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) | ((word - kOnes * 0x20) & ~word);
    if ((hits & kHighs) != 0) return at + std::countr_zero(hits & kHighs) / 8;
  }
  while (at < end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

uint32_t hex_unit(const char* digits) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit << 4 | static_cast<uint32_t>(hex_value(digits[i]));
  return unit;
}

// A hundred digits and an exponent of two can't exceed a double. Whether a stranger number does is
// parse_json's to judge.
bool is_certain_number(std::string_view number) {
  if (number.size() > 100) return false;
  const size_t exponent = number.find_first_of("eE");
  if (exponent == std::string_view::npos) return true;
  const bool is_signed = !is_digit(number[exponent + 1]);
  return number.size() - exponent <= (is_signed ? 4u : 3u);
}

}  // namespace

void append_decoded(const RawString& raw, std::string* out) {
  std::string_view text = raw.text;
  if (!raw.escaped) {
    *out += text;
    return;
  }
  for (size_t slash; (slash = text.find('\\')) != std::string_view::npos;) {
    *out += text.substr(0, slash);
    const char c = text[slash + 1];
    text.remove_prefix(slash + 2);
    if (c != 'u') {
      static constexpr std::string_view kFrom = "bfnrt", kTo = "\b\f\n\r\t";
      const size_t index = kFrom.find(c);
      *out += index == std::string_view::npos ? c : kTo[index];
      continue;
    }
    char32_t code_point = hex_unit(text.data());
    text.remove_prefix(4);
    if (code_point >= 0xD800 && code_point < 0xDC00) {
      code_point = 0x10000 + ((code_point - 0xD800) << 10) + (hex_unit(text.data() + 2) - 0xDC00);
      text.remove_prefix(6);
    }
    append_utf8(code_point, out);
  }
  *out += text;
}

JsonCursor::JsonCursor(std::string_view text, int32_t depth_max)
    : at_(text.data()), end_(text.data() + text.size()), depth_left_(depth_max) {
  if (!is_valid_utf8(text)) fail();
}

JsonCursor::Kind JsonCursor::fail() {
  failed_ = true;
  at_ = end_;
  return Kind::kNone;
}

void JsonCursor::skip_space() {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool JsonCursor::take(char c) {
  skip_space();
  if (at_ == end_ || *at_ != c) return false;
  ++at_;
  return true;
}

bool JsonCursor::end() {
  skip_space();
  if (at_ != end_) fail();
  return !failed_;
}

JsonCursor::Kind JsonCursor::peek() {
  skip_space();
  if (at_ == end_) return fail();
  switch (*at_) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 'n':
      return Kind::kNull;
    case 't':
      return Kind::kTrue;
    case 'f':
      return Kind::kFalse;
    default:
      return *at_ == '-' || is_digit(*at_) ? Kind::kNumber : fail();
  }
}

void JsonCursor::enter() {
  DCHECK(*at_ == '{' || *at_ == '[');
  if (depth_left_ == 0) {
    fail();
    return;
  }
  --depth_left_;
  ++at_;
  fresh_ = true;
}

// Moves to the next item of the container; false where the container ends.
bool JsonCursor::next_item(char close) {
  if (failed_) return false;
  const bool fresh = std::exchange(fresh_, false);
  if (take(close)) {
    ++depth_left_;
    return false;
  }
  if (!fresh && !take(',')) fail();
  return !failed_;
}

bool JsonCursor::next_member(RawString* key) {
  if (!next_item('}')) return false;
  if (peek() != Kind::kString) return fail(), false;
  *key = read_string();
  if (!take(':')) fail();
  return !failed_;
}

bool JsonCursor::next_element() { return next_item(']'); }

bool JsonCursor::read_hex(uint32_t* unit) {
  if (end_ - at_ < 4) return false;
  for (int i = 0; i < 4; ++i) {
    if (hex_value(at_[i]) < 0) return false;
  }
  *unit = hex_unit(at_);
  at_ += 4;
  return true;
}

// What follows a backslash. A surrogate counts only as one of a pair.
bool JsonCursor::read_escape() {
  if (at_ == end_) return false;
  const char c = *at_++;
  if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
  uint32_t unit = 0;
  if (!read_hex(&unit) || (unit >= 0xDC00 && unit < 0xE000)) return false;
  if (unit < 0xD800 || unit >= 0xE000) return true;
  if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') return false;
  at_ += 2;
  return read_hex(&unit) && unit >= 0xDC00 && unit < 0xE000;
}

RawString JsonCursor::read_string() {
  DCHECK(*at_ == '"');
  RawString raw;
  const char* const begin = ++at_;
  for (;;) {
    at_ = find_special(at_, end_);
    if (at_ == end_ || static_cast<unsigned char>(*at_) < 0x20) return fail(), RawString();
    if (*at_ == '"') break;
    ++at_;
    raw.escaped = true;
    if (!read_escape()) return fail(), RawString();
  }
  raw.text = std::string_view(begin, static_cast<size_t>(at_ - begin));
  ++at_;
  return raw;
}

bool JsonCursor::read_digits() {
  const char* const begin = at_;
  while (at_ < end_ && is_digit(*at_)) ++at_;
  return at_ > begin;
}

std::string_view JsonCursor::read_number() {
  const char* const begin = at_;
  if (*at_ == '-') ++at_;
  if (at_ < end_ && *at_ == '0') {
    ++at_;
  } else if (!read_digits()) {
    return fail(), std::string_view();
  }
  if (at_ < end_ && *at_ == '.') {
    ++at_;
    if (!read_digits()) return fail(), std::string_view();
  }
  if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!read_digits()) return fail(), std::string_view();
  }
  const std::string_view number(begin, static_cast<size_t>(at_ - begin));
  if (!is_certain_number(number) && !parse_json(number, {.bytes_max = number.size()}).ok()) fail();
  return number;
}

void JsonCursor::read_word(std::string_view word) {
  if (!std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(word)) {
    fail();
    return;
  }
  at_ += word.size();
}

int32_t JsonCursor::skip() {
  int32_t count = 0;
  RawString key;
  switch (peek()) {
    case Kind::kNull:
      read_word("null");
      break;
    case Kind::kTrue:
      read_word("true");
      break;
    case Kind::kFalse:
      read_word("false");
      break;
    case Kind::kNumber:
      read_number();
      break;
    case Kind::kString:
      read_string();
      break;
    case Kind::kArray:
      for (enter(); next_element(); ++count) skip();
      break;
    case Kind::kObject:
      for (enter(); next_member(&key); ++count) skip();
      break;
    case Kind::kNone:
      break;
  }
  return count;
}

}  // namespace hussar
