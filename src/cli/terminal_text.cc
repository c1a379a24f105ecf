#include "cli/terminal_text.h"

#include "base/utf8.h"

namespace hussar {

std::string safe_for_terminal(std::string_view text) {
  std::string safe;
  for (size_t offset = 0; offset < text.size();) {
    const size_t begin = offset;
    const char32_t c = next_code_point(text, &offset);
    const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
    if (!control || c == '\n' || c == '\t') safe += text.substr(begin, offset - begin);
  }
  return safe;
}

}  // namespace hussar
