// What a server says when it refuses, as one line for people.
#pragma once

#include <string>
#include <string_view>

namespace hussar {

inline constexpr size_t kRefusalBytesMax = 200;

// The message inside of an error document ({"error": {"message"}}, {"error": "..."}, {"message"},
// {"detail"}), or the beginning of what is no such document. At most kRefusalBytesMax bytes, valid UTF-8, no
// control characters; empty when `body` holds nothing to be shown.
std::string refusal_text(std::string_view body);

// The same cut and clean-up for any foreign text.
std::string one_line(std::string_view text);

}  // namespace hussar
