// The alphabet in which byte-level vocabularies spell their tokens: one printable character for each byte
// ("Ġ" for a space).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hussar {

// The bytes that `spelling` stands for; nothing when a character of it is not of the alphabet or it is no
// valid UTF-8.
std::optional<std::string> bytes_of_spelling(std::string_view spelling);

}  // namespace hussar
