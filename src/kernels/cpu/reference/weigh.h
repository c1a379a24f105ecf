// Parts of the scalar attention that both of its arithmetics share.
#pragma once

#include <algorithm>

#include "kernels/cpu/attention_kernels.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/reference/scalar_math.h"

namespace hussar::cpu::reference {

inline float to_float(uint16_t stored, HalfType type) {
  return type == HalfType::kF16 ? f16_to_f32(stored) : bf16_to_f32(stored);
}

// Turns the scores of one query into weights, in place: `exponential` of what each is below the highest.
template <typename Exponential>
void weigh(const AttentionTile& tile, int32_t query, Exponential exponential) {
  float* const scores = tile.scores + int64_t{query} * kSplitTokens;
  const int32_t visible = tile.visible[query];
  const float highest = *std::max_element(scores, scores + visible);
  float lanes[kLanes] = {};
  for (int32_t t = 0; t < visible; t++) {
    scores[t] = exponential(scores[t] - highest);
    lanes[t % kLanes] += scores[t];
  }
  tile.maxima[query] = highest;
  tile.totals[query] = sum_lanes(lanes);
}

}  // namespace hussar::cpu::reference
