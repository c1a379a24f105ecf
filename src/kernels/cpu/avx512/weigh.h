// From the scores of a split to its weights. Only for translation units compiled for AVX-512.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/attention_kernels.h"
#include "kernels/cpu/avx512/math.h"

namespace hussar::cpu::avx512 {
namespace {

constexpr int32_t kVectorFloats = 16;

// Turns the scores of one query into weights, in place: those of the positions that it sees, rounded up to
// whole vectors with zeros.
inline void weigh(const AttentionTile& tile, int32_t query) {
  float* scores = tile.scores + int64_t{query} * kSplitTokens;
  const int32_t visible = tile.visible[query], end = (visible + 15) / 16 * 16;
  for (int32_t t = visible; t < end; t++) scores[t] = -__builtin_inff();
  __m512 highest16 = _mm512_loadu_ps(scores);
  for (int32_t t = kVectorFloats; t < end; t += kVectorFloats)
    highest16 = _mm512_max_ps(highest16, _mm512_loadu_ps(scores + t));
  const float highest = max_lanes(highest16);
  const __m512 max = _mm512_set1_ps(highest);
  __m512 lanes = _mm512_setzero_ps();
  for (int32_t t = 0; t < end; t += kVectorFloats) {
    const __m512 weight = exponential(_mm512_sub_ps(_mm512_loadu_ps(scores + t), max));
    _mm512_storeu_ps(scores + t, weight);
    lanes = _mm512_add_ps(lanes, weight);
  }
  tile.maxima[query] = highest;
  tile.totals[query] = sum_lanes(lanes);
}

}  // namespace
}  // namespace hussar::cpu::avx512
