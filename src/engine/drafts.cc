#include "engine/drafts.h"

#include <algorithm>

namespace hussar {

void look_up_draft(std::span<const TokenId> tokens, size_t tokens_max, std::vector<TokenId>* draft) {
  draft->clear();
  if (tokens.size() <= kDraftMatchMin || tokens_max == 0) return;
  const TokenId last = tokens.back();
  size_t best = 0, best_end = 0;  // [.., best_end) is the earlier run
  for (size_t end = tokens.size() - 1; end > 0; --end) {
    if (tokens[end - 1] != last) continue;
    const size_t limit = std::min(end, kDraftMatchMax);
    size_t length = 1;
    while (length < limit && tokens[end - 1 - length] == tokens[tokens.size() - 1 - length]) ++length;
    if (length <= best) continue;
    best = length;
    best_end = end;
    if (best == kDraftMatchMax) break;
  }
  if (best < kDraftMatchMin) return;
  const size_t count = std::min(tokens_max, tokens.size() - best_end);
  draft->assign(tokens.begin() + static_cast<ptrdiff_t>(best_end),
                tokens.begin() + static_cast<ptrdiff_t>(best_end + count));
}

void DraftTrust::observe(int32_t drafted, int32_t accepted) {
  constexpr double kNew = 0.1;  // weight of what was seen last
  const int32_t tried = std::min(drafted, accepted + 1);
  for (int32_t i = 0; i < tried; ++i) probability_ += kNew * ((i < accepted ? 1 : 0) - probability_);
}

bool draft_pays(const StepCost& cost, double rows, double tokens, double chance) {
  if (!cost.known()) return false;
  if (!cost.rows_known()) return tokens == rows;
  return (tokens + chance) * cost.seconds(0, rows) > tokens * cost.seconds(0, rows + 1);
}

}  // namespace hussar
