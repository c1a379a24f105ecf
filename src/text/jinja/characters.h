// Properties of code points as python's str methods see them. The only user of utf8proc in this folder is
// characters.cc.
#pragma once

#include <string>
#include <string_view>

namespace hussar::jinja {

bool is_space(char32_t c);       // str.isspace, str.strip, \s
bool is_line_break(char32_t c);  // str.splitlines
bool is_printable(char32_t c);   // str.isprintable
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_numeric(char32_t c);

enum class Case { kUpper, kLower, kTitle };
// Appends the full mapping of one code point: more than one for some ("ß" to "SS").
void append_case(char32_t c, Case to, std::string* out);

size_t skip_space(std::string_view text,
                  size_t offset);  // the first offset at or behind `offset` that is no space
size_t skip_space_back(std::string_view text, size_t end);  // the end of text[0, end) without trailing spaces

// The offset of the code point that ends at `end`. REQUIRES: end > 0, valid UTF-8.
size_t previous_border(std::string_view text, size_t end);

}  // namespace hussar::jinja
