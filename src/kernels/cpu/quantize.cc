#include "kernels/cpu/quantize.h"

#include <emmintrin.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/linear_kernels.h"

namespace hussar::cpu {
namespace {

constexpr int32_t kVectors = kBlockColumns / 4;
constexpr uint16_t kF16NaN = 0x7e00;

// The 32 numbers of a block.
struct Vectors {
  __m128 v[kVectors];
};

float sum(__m128 v) {
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 1)));
}

void fill_with_nan(StoredBlock* out) {
  std::fill(std::begin(out->q), std::end(out->q), int16_t{1});
  out->scale = out->min = kF16NaN;
}

bool is_finite_f16(uint16_t half) { return (half & 0x7c00) != 0x7c00; }

struct Extent {
  float min, max;
  bool finite;
};

Extent find_extent(const Vectors& x) {
  __m128 low = x.v[0], high = x.v[0], poison = _mm_setzero_ps();
  for (const __m128 v : x.v) {
    low = _mm_min_ps(low, v);
    high = _mm_max_ps(high, v);
    poison = _mm_add_ps(poison, _mm_mul_ps(v, _mm_setzero_ps()));  // NaN when v is not finite
  }
  alignas(16) float lows[4], highs[4];
  _mm_store_ps(lows, low);
  _mm_store_ps(highs, high);
  return {*std::min_element(lows, lows + 4), *std::max_element(highs, highs + 4), sum(poison) == 0.0f};
}

// q = round((x - min) * inverse), kept within 0 .. q_max, as floats.
void round_vectors(const Vectors& x, float min, float inverse, float q_max, Vectors* q) {
  const __m128 base = _mm_set1_ps(min), scale = _mm_set1_ps(inverse), half = _mm_set1_ps(0.5f);
  const __m128 top = _mm_set1_ps(q_max);
  for (int32_t i = 0; i < kVectors; ++i) {
    // min before the cast: an estimate of the scale may carry a number far past the top.
    const __m128 scaled = _mm_add_ps(_mm_mul_ps(_mm_sub_ps(x.v[i], base), scale), half);
    const __m128 bounded = _mm_max_ps(_mm_min_ps(scaled, top), _mm_setzero_ps());
    q->v[i] = _mm_cvtepi32_ps(_mm_cvttps_epi32(bounded));
  }
}

struct Line {
  uint16_t scale = 0, min = 0;  // f16: x is about scale * q + min
  float error = 0;              // squared, with the f16 numbers
};

// The least-squares line through (q, x), rounded to f16.
Line fit_line(const Vectors& x, const Vectors& q) {
  __m128 q_sum = _mm_setzero_ps(), qq_sum = q_sum, x_sum = q_sum, qx_sum = q_sum;
  for (int32_t i = 0; i < kVectors; ++i) {
    q_sum = _mm_add_ps(q_sum, q.v[i]);
    qq_sum = _mm_add_ps(qq_sum, _mm_mul_ps(q.v[i], q.v[i]));
    x_sum = _mm_add_ps(x_sum, x.v[i]);
    qx_sum = _mm_add_ps(qx_sum, _mm_mul_ps(q.v[i], x.v[i]));
  }
  const float n = kBlockColumns, sq = sum(q_sum), sx = sum(x_sum);
  const float determinant = n * sum(qq_sum) - sq * sq;  // exact: integers below 2^24; 0 when all q are equal
  const float slope = determinant > 0.0f ? (n * sum(qx_sum) - sq * sx) / determinant : 0.0f;
  Line line;
  line.scale = f32_to_f16(slope);
  line.min = f32_to_f16((sx - f16_to_f32(line.scale) * sq) / n);
  const __m128 scale = _mm_set1_ps(f16_to_f32(line.scale)), min = _mm_set1_ps(f16_to_f32(line.min));
  __m128 error = _mm_setzero_ps();
  for (int32_t i = 0; i < kVectors; ++i) {
    const __m128 off = _mm_sub_ps(_mm_add_ps(_mm_mul_ps(q.v[i], scale), min), x.v[i]);
    error = _mm_add_ps(error, _mm_mul_ps(off, off));
  }
  line.error = sum(error);
  return line;
}

void store_quants(const Vectors& q, StoredBlock* out) {
  for (int32_t i = 0; i < kVectors; i += 2) {
    const __m128i packed = _mm_packs_epi32(_mm_cvttps_epi32(q.v[i]), _mm_cvttps_epi32(q.v[i + 1]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out->q + 4 * i), packed);
  }
}

void quantize_q8_0(const Vectors& x, const Extent& extent, StoredBlock* out) {
  out->scale = f32_to_f16(std::max(extent.max, -extent.min) / 127.0f);
  if (!is_finite_f16(out->scale)) return fill_with_nan(out);
  const float scale = f16_to_f32(out->scale);
  // An f16 scale that was rounded down makes the largest number a little more than 127.
  const __m128 inverse = _mm_set1_ps(scale > 0.0f ? 1.0f / scale : 0.0f), limit = _mm_set1_ps(127.0f);
  Vectors q;
  for (int32_t i = 0; i < kVectors; ++i) {
    const __m128 scaled = _mm_mul_ps(x.v[i], inverse);
    const __m128 bounded = _mm_max_ps(_mm_min_ps(scaled, limit), _mm_sub_ps(_mm_setzero_ps(), limit));
    q.v[i] = _mm_cvtepi32_ps(_mm_cvtps_epi32(bounded));
  }
  store_quants(q, out);
}

void quantize_q4_1(const Vectors& x, const Extent& extent, StoredBlock* out) {
  // How many steps the range from the least to the largest number is cut into. More than 15 clips the top,
  // which then lies nearer to its neighbours; fewer leave room for it to round to.
  static constexpr std::array<float, 7> kSteps = {13.5f, 14.0f, 14.5f, 15.0f, 15.5f, 16.0f, 17.0f};
  const float range = extent.max - extent.min;
  Vectors q, best_q;
  Line best;
  bool found = false;
  for (const float steps : kSteps) {
    round_vectors(x, extent.min, range > 0.0f ? steps / range : 0.0f, 15.0f, &q);
    const Line line = fit_line(x, q);
    if (!is_finite_f16(line.scale) || !is_finite_f16(line.min)) continue;
    if (found && line.error >= best.error) continue;
    found = true;
    best = line;
    best_q = q;
    if (range == 0.0f) break;
  }
  if (!found) return fill_with_nan(out);
  out->scale = best.scale;
  out->min = best.min;
  store_quants(best_q, out);
}

}  // namespace

bool can_quantize_to(DType dtype) { return dtype == DType::kQ8_0 || dtype == DType::kQ4_1; }

void quantize_block(DType dtype, const float* x, StoredBlock* out) {
  Vectors vectors;
  for (int32_t i = 0; i < kVectors; ++i) vectors.v[i] = _mm_loadu_ps(x + 4 * i);
  const Extent extent = find_extent(vectors);
  out->min = 0;
  out->scales[0] = out->scales[1] = out->mins = 0;
  if (!extent.finite) return fill_with_nan(out);
  if (dtype == DType::kQ8_0) return quantize_q8_0(vectors, extent, out);
  CHECK(dtype == DType::kQ4_1);
  quantize_q4_1(vectors, extent, out);
}

}  // namespace hussar::cpu
