// Speculation without a second model: what an answer may say next is guessed from what it and its prompt said
// before, and several guesses are verified in one step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "engine/step_cost.h"

namespace hussar {

// What stood behind the longest run of tokens that ends the text and occurred in it before, the latest
// occurrence if there are several; runs of fewer than kDraftMatchMin tokens say nothing. Fills `draft` with
// at most `tokens_max` tokens. O(tokens).
constexpr size_t kDraftMatchMin = 2, kDraftMatchMax = 8;
void look_up_draft(std::span<const TokenId> tokens, size_t tokens_max, std::vector<TokenId>* draft);

// How far one answer's drafts can be trusted.
class DraftTrust {
 public:
  // Of `drafted` tokens the first `accepted` were what the answer says.
  void observe(int32_t drafted, int32_t accepted);
  // A draft was there and not tried: trust comes back slowly, or an answer that begins to repeat itself late
  // would never be drafted.
  void pass_by() { probability_ += kReturn * (kPrior - probability_); }
  double probability() const {
    return probability_;
  }  // that one drafted token is right, if those before it are

 private:
  static constexpr double kPrior = 0.5, kReturn = 0.02;
  double probability_ = kPrior;
};

enum class DraftMode : uint8_t {
  kWhenFaster,  // as draft_pays() says
  kAlways,      // wherever there is something to guess
};

// Whether one more drafted row pays in a step of `rows` generated rows that brings `tokens` tokens, when it
// brings `chance` of another: only when tokens come faster with it. As long as it isn't known what a row
// costs, a single one is tried to find out.
bool draft_pays(const StepCost& cost, double rows, double tokens, double chance);

}  // namespace hussar
