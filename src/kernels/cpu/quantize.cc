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

// 32 quants of 0 .. 15, and the least-squares line y = slope * q + c through them.
struct Rounding {
  __m128i q[kVectors / 2];  // 8 of 16 bits each
  float q_sum;
  float slope;
  float gain;  // by how much the line's squared error is below that of the best constant
};

// q = round(y * inverse), at most 15. REQUIRES: no y is negative.
Rounding round_numbers(const Vectors& y, float y_sum, float inverse) {
  const __m128 scale = _mm_set1_ps(inverse), half = _mm_set1_ps(0.5f), top = _mm_set1_ps(15.0f);
  const __m128i ones = _mm_set1_epi16(1);
  Rounding r;
  __m128 qy_sum = _mm_setzero_ps();
  __m128i q_sum = _mm_setzero_si128(), qq_sum = _mm_setzero_si128();
  for (int32_t i = 0; i < kVectors / 2; ++i) {
    __m128i rounded[2];
    for (int32_t j = 0; j < 2; ++j) {
      const __m128 number = y.v[2 * i + j];
      // min before the cast: an estimate of the scale may carry a number far past the top.
      rounded[j] = _mm_cvttps_epi32(_mm_min_ps(_mm_add_ps(_mm_mul_ps(number, scale), half), top));
      qy_sum = _mm_add_ps(qy_sum, _mm_mul_ps(_mm_cvtepi32_ps(rounded[j]), number));
    }
    r.q[i] = _mm_packs_epi32(rounded[0], rounded[1]);
    q_sum = _mm_add_epi32(q_sum, _mm_madd_epi16(r.q[i], ones));
    qq_sum = _mm_add_epi32(qq_sum, _mm_madd_epi16(r.q[i], r.q[i]));
  }
  constexpr float kCount = kBlockColumns;
  r.q_sum = sum(_mm_cvtepi32_ps(q_sum));  // integers below 2^24: exact, and so is the determinant
  const float determinant = kCount * sum(_mm_cvtepi32_ps(qq_sum)) - r.q_sum * r.q_sum;
  const float covariance = kCount * sum(qy_sum) - r.q_sum * y_sum;
  r.slope = determinant > 0.0f ? covariance / determinant : 0.0f;  // 0 when all q are equal
  r.gain = r.slope * covariance;
  return r;
}

void quantize_q8_0(const Vectors& x, const Extent& extent, StoredBlock* out) {
  out->scale = f32_to_f16(std::max(extent.max, -extent.min) / 127.0f);
  if (!is_finite_f16(out->scale)) return fill_with_nan(out);
  const float scale = f16_to_f32(out->scale);
  // An f16 scale that was rounded down makes the largest number a little more than 127.
  const __m128 inverse = _mm_set1_ps(scale > 0.0f ? 1.0f / scale : 0.0f), limit = _mm_set1_ps(127.0f);
  for (int32_t i = 0; i < kVectors; i += 2) {
    __m128i rounded[2];
    for (int32_t j = 0; j < 2; ++j) {
      const __m128 scaled = _mm_mul_ps(x.v[i + j], inverse);
      const __m128 low = _mm_sub_ps(_mm_setzero_ps(), limit);
      rounded[j] = _mm_cvtps_epi32(_mm_max_ps(_mm_min_ps(scaled, limit), low));
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out->q + 4 * i), _mm_packs_epi32(rounded[0], rounded[1]));
  }
}

void quantize_q4_1(const Vectors& x, const Extent& extent, StoredBlock* out) {
  // How many steps the range from the least to the largest number is cut into. More than 15 clips the top,
  // which then lies nearer to its neighbours; fewer leave room for it to round to.
  static constexpr std::array<float, 7> kSteps = {13.5f, 14.0f, 14.5f, 15.0f, 15.5f, 16.0f, 17.0f};
  const float range = extent.max - extent.min;
  Vectors y;
  __m128 total = _mm_setzero_ps();
  for (int32_t i = 0; i < kVectors; ++i) {
    y.v[i] = _mm_sub_ps(x.v[i], _mm_set1_ps(extent.min));
    total = _mm_add_ps(total, y.v[i]);
  }
  const float y_sum = sum(total);
  float gain = -1.0f, slope = 0.0f, q_sum = 0.0f;
  for (const float steps : kSteps) {
    const Rounding rounding = round_numbers(y, y_sum, range > 0.0f ? steps / range : 0.0f);
    if (!(rounding.gain > gain)) continue;
    gain = rounding.gain;
    slope = rounding.slope;
    q_sum = rounding.q_sum;
    for (int32_t i = 0; i < kVectors / 2; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out->q + 8 * i), rounding.q[i]);
    }
  }
  out->scale = f32_to_f16(slope);
  // The constant that suits the slope as it was rounded.
  out->min = f32_to_f16(extent.min + (y_sum - f16_to_f32(out->scale) * q_sum) / kBlockColumns);
  if (gain < 0.0f || !is_finite_f16(out->scale) || !is_finite_f16(out->min)) fill_with_nan(out);
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
