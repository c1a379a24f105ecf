#include "text/error_text.h"

#include "base/utf8.h"

namespace hussar {
namespace {

constexpr size_t kBytesMax = 240;  // a pre-tokenizer with its expression

std::string shorten(std::string_view text) {
  std::string out =
      replace_invalid_utf8(text.substr(0, complete_utf8_prefix_bytes(text.substr(0, kBytesMax))));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.size() > kBytesMax ? out + "..." : out;
}

}  // namespace

std::string quoted(std::string_view text) { return '"' + shorten(text) + '"'; }
std::string shown(const Json& value) { return shorten(write_json(value)); }

}  // namespace hussar
