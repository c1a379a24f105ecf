#include "kernels/cpu/token_history.h"

#include <algorithm>

#include "base/check.h"

namespace hussar::cpu {

void TokenHistory::carve(Carver& carver, int32_t tokens_max) {
  tokens_max_ = tokens_max;
  tokens_ = carver.take<TokenId>(tokens_max);
}

void TokenHistory::begin(std::span<const TokenId> prompt) {
  CHECK_NOTE(prompt.size() <= static_cast<size_t>(tokens_max_),
             "more tokens in a prompt than the context holds");
  std::ranges::copy(prompt, tokens_);
  prompt_ = used_ = static_cast<int32_t>(prompt.size());
}

void TokenHistory::add_generated(TokenId token) {
  CHECK_NOTE(used_ < tokens_max_, "more tokens in a sequence than the context holds");
  tokens_[used_++] = token;
}

void TokenHistory::take_back_generated(TokenId token) {
  CHECK(used_ > prompt_ && tokens_[used_ - 1] == token);
  used_--;
}

}  // namespace hussar::cpu
