#include "kernels/cpu/vector_ops.h"

#include "kernels/cpu/avx512/math.h"

namespace hussar::cpu::avx512 {
namespace {

constexpr int64_t kWidth = 16;

void rms_norm(const float* x, const float* weight, float epsilon, int64_t count, float* out) {
  __m512 lanes = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += kWidth) {
    const __m512 value = _mm512_maskz_loadu_ps(lane_mask(count - i), x + i);
    lanes = _mm512_fmadd_ps(value, value, lanes);
  }
  const float mean = sum_lanes(lanes) / static_cast<float>(count);
  const __m128 root = _mm_sqrt_ss(_mm_set_ss(mean + epsilon));
  const __m512 scale = _mm512_set1_ps(1.0f / _mm_cvtss_f32(root));
  for (int64_t i = 0; i < count; i += kWidth) {
    const __mmask16 mask = lane_mask(count - i);
    const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(scaled, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

// Eight pairs at a time; fmaddsub subtracts in the even lanes (first of a pair) and adds in the odd ones.
void rotate_interleaved(float* x, const float* cosines, const float* sines, int64_t pairs) {
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  for (int64_t i = 0; i < pairs; i += 8) {
    const int64_t left = pairs - i < 8 ? pairs - i : 8;
    const __mmask16 mask = lane_mask(left), pair_mask = lane_mask(2 * left);
    const __m512 c = _mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(mask, cosines + i));
    const __m512 s = _mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(mask, sines + i));
    const __m512 value = _mm512_maskz_loadu_ps(pair_mask, x + 2 * i);
    const __m512 other = _mm512_permute_ps(value, 0xb1);
    _mm512_mask_storeu_ps(x + 2 * i, pair_mask, _mm512_fmaddsub_ps(value, c, _mm512_mul_ps(other, s)));
  }
}

void rotate_halves(float* x, const float* cosines, const float* sines, int64_t pairs) {
  for (int64_t i = 0; i < pairs; i += kWidth) {
    const __mmask16 mask = lane_mask(pairs - i);
    const __m512 c = _mm512_maskz_loadu_ps(mask, cosines + i), s = _mm512_maskz_loadu_ps(mask, sines + i);
    const __m512 a = _mm512_maskz_loadu_ps(mask, x + i), b = _mm512_maskz_loadu_ps(mask, x + i + pairs);
    _mm512_mask_storeu_ps(x + i, mask, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
    _mm512_mask_storeu_ps(x + i + pairs, mask, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
  }
}

void silu_multiply(float* gate, const float* up, int64_t count) {
  const __m512 one = _mm512_set1_ps(1.0f), minus_zero = _mm512_set1_ps(-0.0f);
  for (int64_t i = 0; i < count; i += kWidth) {
    const __mmask16 mask = lane_mask(count - i);
    const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 divisor = _mm512_add_ps(one, exponential(_mm512_xor_ps(g, minus_zero)));
    const __m512 value = _mm512_mul_ps(_mm512_div_ps(g, divisor), _mm512_maskz_loadu_ps(mask, up + i));
    _mm512_mask_storeu_ps(gate + i, mask, value);
  }
}

void add(float* x, const float* y, int64_t count) {
  for (int64_t i = 0; i < count; i += kWidth) {
    const __mmask16 mask = lane_mask(count - i);
    const __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_maskz_loadu_ps(mask, y + i));
    _mm512_mask_storeu_ps(x + i, mask, sum);
  }
}

void exponential_all(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += kWidth) {
    const __mmask16 mask = lane_mask(count - i);
    _mm512_mask_storeu_ps(out + i, mask, exponential(_mm512_maskz_loadu_ps(mask, x + i)));
  }
}

void logit_maxima(const float* logits, int64_t count, float* chunk_maxima) {
  const __m512 minus_infinity = _mm512_set1_ps(-__builtin_inff());
  for (int64_t begin = 0; begin < count; begin += kLogitChunk) {
    const int64_t end = begin + kLogitChunk < count ? begin + kLogitChunk : count;
    __m512 highest = minus_infinity;
    for (int64_t i = begin; i < end; i += kWidth) {
      highest = _mm512_max_ps(_mm512_mask_loadu_ps(minus_infinity, lane_mask(end - i), logits + i), highest);
    }
    chunk_maxima[begin / kLogitChunk] = max_lanes(highest);
  }
}

inline __m512 logit_weight(__m512 logit, __m512 max, __m512 inverse_temperature) {
  const __m512 weight = exponential(_mm512_mul_ps(_mm512_sub_ps(logit, max), inverse_temperature));
  const __m512 number = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(logit, logit, _CMP_EQ_OQ), weight);
  return _mm512_mask_mov_ps(number, _mm512_cmp_ps_mask(logit, max, _CMP_EQ_OQ), _mm512_set1_ps(1.0f));
}

void logit_weights(const float* logits, int64_t count, float max, float inverse_temperature, float* weights,
                   float* chunk_sums) {
  const __m512 highest = _mm512_set1_ps(max), inverse = _mm512_set1_ps(inverse_temperature);
  for (int64_t begin = 0; begin < count; begin += kLogitChunk) {
    const int64_t end = begin + kLogitChunk < count ? begin + kLogitChunk : count;
    __m512 lanes = _mm512_setzero_ps();
    for (int64_t i = begin; i < end; i += kWidth) {
      const __mmask16 mask = lane_mask(end - i);
      const __m512 logit = _mm512_maskz_loadu_ps(mask, logits + i);
      const __m512 weight = _mm512_maskz_mov_ps(mask, logit_weight(logit, highest, inverse));
      _mm512_mask_storeu_ps(weights + i, mask, weight);
      lanes = _mm512_add_ps(lanes, weight);
    }
    chunk_sums[begin / kLogitChunk] = sum_lanes(lanes);
  }
}

}  // namespace

const VectorOps kVectorOps = {rms_norm, rotate_interleaved, rotate_halves, silu_multiply,
                              add,      exponential_all,    logit_maxima,  logit_weights};

}  // namespace hussar::cpu::avx512
