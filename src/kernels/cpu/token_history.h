// The tokens of a sequence, for the penalties. Kept as a list, in memory that the caller gives, and counted
// when a penalised row is sampled: tables of counts would take several times as much for every slot, and most
// requests have no penalties.
#pragma once

#include <cstdint>
#include <span>

#include "base/types.h"
#include "kernels/cpu/page_buffer.h"

namespace hussar::cpu {

class TokenHistory {
 public:
  // Room for `tokens_max` tokens (a counting carver only counts).
  void carve(Carver& carver, int32_t tokens_max);

  // Starts anew. REQUIRES: at most tokens_max tokens.
  void begin(std::span<const TokenId> prompt);
  void clear() { prompt_ = used_ = 0; }
  // REQUIRES: fewer than tokens_max tokens so far.
  void add_generated(TokenId token);
  // Undoes the last add_generated(), which was of `token`.
  void take_back_generated(TokenId token);

  std::span<const TokenId> all() const { return {tokens_, static_cast<size_t>(used_)}; }
  std::span<const TokenId> generated() const { return all().subspan(static_cast<size_t>(prompt_)); }

 private:
  TokenId* tokens_ = nullptr;
  int32_t tokens_max_ = 0;
  int32_t prompt_ = 0;  // tokens of it
  int32_t used_ = 0;    // and of all
};

// Calls change(token, count) once for each different token of the history: how often it was generated, 0
// where it stands in the prompt alone. `counts` has an element for every token of the vocabulary; they may
// hold anything.
template <typename Change>
void for_each_token(const TokenHistory& history, uint32_t* counts, Change change) {
  constexpr uint32_t kDone = UINT32_MAX;
  for (const TokenId token : history.all()) counts[token] = 0;
  for (const TokenId token : history.generated()) counts[token]++;
  for (const TokenId token : history.all()) {
    if (counts[token] == kDone) continue;
    change(token, counts[token]);
    counts[token] = kDone;
  }
}

}  // namespace hussar::cpu
