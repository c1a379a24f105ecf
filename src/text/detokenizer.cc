#include "text/detokenizer.h"

#include <utility>

#include "base/utf8.h"

namespace hussar {

std::string Detokenizer::append(std::string_view token_bytes) {
  pending_ += token_bytes;
  const size_t complete = complete_utf8_prefix_bytes(pending_);
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string Detokenizer::finish() { return replace_invalid_utf8(std::exchange(pending_, {})); }

}  // namespace hussar
