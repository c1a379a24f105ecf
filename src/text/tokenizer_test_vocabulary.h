// A small vocabulary for tests: 256 byte tokens (the id is the byte), then what the given merges form, then
// special tokens.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "text/tokenizer.h"

namespace hussar {

// The byte alphabet's letter, written here a second time from its definition so that a slip in the library
// shows.
inline std::string test_letter(int byte) {
  int moved = 0;
  for (int b = 0; b < byte; ++b) moved += b < 0x21 || (b > 0x7E && b < 0xA1) || b == 0xAD;
  const bool printable = !(byte < 0x21 || (byte > 0x7E && byte < 0xA1) || byte == 0xAD);
  std::string letter;
  append_utf8(printable ? static_cast<char32_t>(byte) : static_cast<char32_t>(0x100 + moved), &letter);
  return letter;
}

// `merges` are spelt in the byte alphabet: {"h e", "he l"}.
inline Vocabulary test_vocabulary(std::string pre, std::vector<std::string> merges,
                                  std::vector<std::pair<std::string, TokenKind>> specials) {
  Vocabulary v;
  v.pre = std::move(pre);
  for (int byte = 0; byte < 256; ++byte) v.tokens.push_back(test_letter(byte));
  for (const std::string& merge : merges) {
    std::string joined = merge;
    joined.erase(joined.find(' '), 1);
    v.tokens.push_back(joined);
  }
  v.kinds.assign(v.tokens.size(), TokenKind::kNormal);
  v.merges = std::move(merges);
  for (auto& [spelling, kind] : specials) {
    v.tokens.push_back(std::move(spelling));
    v.kinds.push_back(kind);
  }
  return v;
}

}  // namespace hussar
