#include "text/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace hussar {
namespace {

// Printable Latin-1 stands for itself; the other 68 bytes, in their order, for U+0100 and up.
constexpr char32_t kAlphabetEnd = 0x100 + 68;

constexpr std::array<int16_t, kAlphabetEnd> make_byte_of_letter() {
  std::array<int16_t, kAlphabetEnd> byte_of_letter{};
  for (int16_t& byte : byte_of_letter) byte = -1;
  char32_t next_moved = 0x100;
  for (int16_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    byte_of_letter[printable ? static_cast<char32_t>(byte) : next_moved++] = byte;
  }
  return byte_of_letter;
}

constexpr auto kByteOfLetter = make_byte_of_letter();

}  // namespace

std::optional<std::string> bytes_of_spelling(std::string_view spelling) {
  if (!is_valid_utf8(spelling)) return std::nullopt;
  std::string bytes;
  bytes.reserve(spelling.size());
  for (size_t offset = 0; offset < spelling.size();) {
    const char32_t letter = next_code_point(spelling, &offset);
    if (letter >= kAlphabetEnd || kByteOfLetter[letter] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kByteOfLetter[letter]));
  }
  return bytes;
}

}  // namespace hussar
