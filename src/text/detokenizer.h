// Token by token to text that is always valid UTF-8: a Chinese character or an emoji that is split over
// tokens is held back until it is whole.
#pragma once

#include <string>
#include <string_view>

namespace hussar {

// One per answer; not thread-safe. Only fed bytes, so that a caller decides which tokens are shown (control
// tokens usually are not).
class Detokenizer {
 public:
  // The bytes of the next token; returns the text that is now complete. Bytes that can never become valid
  // come out as U+FFFD.
  std::string append(std::string_view token_bytes);
  // What is left at the end: an incomplete sequence comes out as U+FFFD.
  std::string finish();

 private:
  std::string pending_;  // at most 3 bytes
};

}  // namespace hussar
