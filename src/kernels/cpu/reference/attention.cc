#include <algorithm>
#include <cmath>

#include "kernels/cpu/attention_kernels.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/reference/scalar_math.h"
#include "kernels/cpu/reference/weigh.h"

namespace hussar::cpu::reference {
namespace {

constexpr float kF16Max = 65504.0f;

// Scores of one query against the positions that it sees, then their weights in place.
void score_and_weigh(const AttentionTile& tile, int32_t query, float* scores) {
  const float* q = tile.queries + int64_t{query} * tile.head_dim;
  const int32_t visible = tile.visible[query];
  for (int32_t t = 0; t < visible; t++) {
    const uint16_t* keys = tile.keys[t / kKvBlockTokens] + t % kKvBlockTokens;
    float score = 0.0f;
    for (int32_t h = 0; h < tile.head_dim; h++) {
      score = std::fma(q[h], to_float(keys[int64_t{h} * kKvBlockTokens], tile.type), score);
    }
    scores[t] = score;
  }
  weigh(tile, query, exponential);
}

void attend_split(const AttentionTile& tile) {
  const int32_t width = value_width(tile.head_dim);
  for (int32_t query = 0; query < tile.count; query++) {
    float* scores = tile.scores + int64_t{query} * kSplitTokens;
    float* sums = tile.sums + int64_t{query} * width;
    score_and_weigh(tile, query, scores);
    std::fill(sums, sums + width, 0.0f);
    for (int32_t t = 0; t < tile.visible[query]; t++) {
      const uint16_t* values = tile.values[t / kKvBlockTokens] + int64_t{t % kKvBlockTokens} * width;
      for (int32_t w = 0; w < width; w++)
        sums[w] = std::fma(scores[t], to_float(values[w], tile.type), sums[w]);
    }
  }
}

void merge_split(float* sums, float* max, float* total, const float* later_sums, float later_max,
                 float later_total, int32_t width) {
  const float highest = max_of(later_max, *max);
  const float a = exponential(*max - highest), b = exponential(later_max - highest);
  for (int32_t w = 0; w < width; w++) sums[w] = std::fma(sums[w], a, later_sums[w] * b);
  *total = std::fma(*total, a, later_total * b);
  *max = highest;
}

void finish(const float* sums, float total, int32_t head_dim, float* out) {
  const float inverse = 1.0f / total;
  for (int32_t h = 0; h < head_dim; h++) out[h] = sums[h] * inverse;
}

void to_kv(const float* x, int32_t count, HalfType type, uint16_t* out) {
  for (int32_t i = 0; i < count; i++) {
    const float in_range = x[i] > kF16Max ? kF16Max : x[i] < -kF16Max ? -kF16Max : x[i];
    out[i] = type == HalfType::kF16 ? f32_to_f16(in_range) : f32_to_bf16(x[i]);
  }
}

}  // namespace

const AttentionKernels kAttention = {attend_split, merge_split, finish, to_kv};

}  // namespace hussar::cpu::reference
