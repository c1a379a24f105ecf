#include "text/jinja/characters.h"

#include <utf8proc.h>

#include <cstdlib>

#include "base/utf8.h"

namespace hussar::jinja {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// The full case folding, where it is longer than one code point: then, but for capital letters that fold
// (U+1E9E, U+0130), it is the lower case of the full upper case mapping. Empty where there is none.
std::u32string long_folding(char32_t c) {
  if (c < 0x80 || category(c) == UTF8PROC_CATEGORY_LU) return {};
  utf8proc_int32_t folded[4];
  int boundary = 0;
  const auto size =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 4, UTF8PROC_CASEFOLD, &boundary);
  if (size < 2 || size > 4) return {};
  return std::u32string(folded, folded + size);
}

char32_t to_upper(char32_t c) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
}
char32_t to_lower(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}
// utf8proc maps the sharp s to its rare capital; python's mapping is "Ss", from the folding.
char32_t to_title(char32_t c) {
  if (c == 0xDF) return c;
  return static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c)));
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_printable(char32_t c) {
  if (c < 0x80) return c >= 0x20 && c != 0x7F;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_upper(char32_t c) { return utf8proc_isupper(static_cast<utf8proc_int32_t>(c)) != 0; }
bool is_lower(char32_t c) { return utf8proc_islower(static_cast<utf8proc_int32_t>(c)) != 0; }
bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }

bool is_alpha(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_numeric(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO;
}

void append_case(char32_t c, Case to, std::string* out) {
  if (to == Case::kLower) {
    append_utf8(to_lower(c), out);
    if (c == 0x130) append_utf8(0x307, out);  // the one capital whose lower case is longer
    return;
  }
  const std::u32string folded = to == Case::kTitle && to_title(c) != c ? std::u32string() : long_folding(c);
  if (folded.empty()) {
    append_utf8(to == Case::kUpper ? to_upper(c) : to_title(c), out);
    return;
  }
  for (size_t i = 0; i < folded.size(); ++i) {
    append_utf8(to == Case::kUpper || i == 0 ? to_upper(folded[i]) : folded[i], out);
  }
}

size_t skip_space(std::string_view text, size_t offset) {
  while (offset < text.size()) {
    size_t next = offset;
    if (!is_space(next_code_point(text, &next))) break;
    offset = next;
  }
  return offset;
}

size_t skip_space_back(std::string_view text, size_t end) {
  while (end > 0) {
    const size_t begin = previous_border(text, end);
    size_t offset = begin;
    if (!is_space(next_code_point(text, &offset))) break;
    end = begin;
  }
  return end;
}

size_t previous_border(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

}  // namespace hussar::jinja
