// UTF-8: checking and cutting. Everything that enters or leaves as text goes through here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hussar {

// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view text);

// The length of the longest prefix of `text` that ends on a code point border, where only an incomplete but
// so far valid sequence at the very end is left out. Bytes that can never become valid count as complete
// (they are for replace_invalid_utf8).
size_t complete_utf8_prefix_bytes(std::string_view text);

// Replaces each maximal invalid part by U+FFFD, as WHATWG and Python's errors="replace" do.
std::string replace_invalid_utf8(std::string_view text);

// Decodes the code point at `offset`, which is moved behind it. REQUIRES: valid UTF-8, offset < size.
char32_t next_code_point(std::string_view text, size_t* offset);

void append_utf8(char32_t code_point, std::string* out);

}  // namespace hussar
