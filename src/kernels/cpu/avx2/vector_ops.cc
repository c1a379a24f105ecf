#include "kernels/cpu/vector_ops.h"

#include "kernels/cpu/avx2/math.h"

namespace hussar::cpu::avx2 {
namespace {

constexpr int64_t kWidth = 8;

// Lanes of [i, i + 8) that are below `count`, for a masked load or store.
// Full vectors are loaded and stored without a mask: a masked store takes many times as long on some
// processors.
inline __m256i tail_mask(int64_t i, int64_t count) {
  return lane_mask(count - i < kWidth ? count - i : kWidth);
}

void rms_norm(const float* x, const float* weight, float epsilon, int64_t count, float* out) {
  __m256 lanes0 = _mm256_setzero_ps(), lanes8 = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 2 * kWidth <= count; i += 2 * kWidth) {
    const __m256 x0 = _mm256_loadu_ps(x + i), x8 = _mm256_loadu_ps(x + i + kWidth);
    lanes0 = _mm256_fmadd_ps(x0, x0, lanes0);
    lanes8 = _mm256_fmadd_ps(x8, x8, lanes8);
  }
  if (i < count) {
    const __m256 x0 = _mm256_maskload_ps(x + i, tail_mask(i, count));
    lanes0 = _mm256_fmadd_ps(x0, x0, lanes0);
  }
  if (i + kWidth < count) {
    const __m256 x8 = _mm256_maskload_ps(x + i + kWidth, tail_mask(i + kWidth, count));
    lanes8 = _mm256_fmadd_ps(x8, x8, lanes8);
  }
  const float mean = sum_lanes(lanes0, lanes8) / static_cast<float>(count);
  const __m128 root = _mm_sqrt_ss(_mm_set_ss(mean + epsilon));
  const __m256 scale = _mm256_set1_ps(1.0f / _mm_cvtss_f32(root));
  for (i = 0; i + kWidth <= count; i += kWidth) {
    const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + i), scale);
    _mm256_storeu_ps(out + i, _mm256_mul_ps(scaled, _mm256_loadu_ps(weight + i)));
  }
  if (i < count) {
    const __m256i mask = tail_mask(i, count);
    const __m256 scaled = _mm256_mul_ps(_mm256_maskload_ps(x + i, mask), scale);
    _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(scaled, _mm256_maskload_ps(weight + i, mask)));
  }
}

// Four pairs; fmaddsub subtracts in the even lanes (first of a pair) and adds in the odd ones.
inline __m256 rotated_pairs(__m256 value, __m128 cosines, __m128 sines) {
  const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  const __m256 c = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(cosines), twice);
  const __m256 s = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(sines), twice);
  return _mm256_fmaddsub_ps(value, c, _mm256_mul_ps(_mm256_permute_ps(value, 0xb1), s));
}

void rotate_interleaved(float* x, const float* cosines, const float* sines, int64_t pairs) {
  int64_t i = 0;
  for (; i + 4 <= pairs; i += 4) {
    const __m256 value = _mm256_loadu_ps(x + 2 * i);
    _mm256_storeu_ps(x + 2 * i, rotated_pairs(value, _mm_loadu_ps(cosines + i), _mm_loadu_ps(sines + i)));
  }
  if (i < pairs) {
    const __m256i pair_mask = lane_mask(2 * (pairs - i));
    const __m128i mask = _mm256_castsi256_si128(lane_mask(pairs - i));
    const __m256 value = _mm256_maskload_ps(x + 2 * i, pair_mask);
    const __m128 c = _mm_maskload_ps(cosines + i, mask), s = _mm_maskload_ps(sines + i, mask);
    _mm256_maskstore_ps(x + 2 * i, pair_mask, rotated_pairs(value, c, s));
  }
}

void rotate_halves(float* x, const float* cosines, const float* sines, int64_t pairs) {
  int64_t i = 0;
  for (; i + kWidth <= pairs; i += kWidth) {
    const __m256 c = _mm256_loadu_ps(cosines + i), s = _mm256_loadu_ps(sines + i);
    const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + pairs);
    _mm256_storeu_ps(x + i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
    _mm256_storeu_ps(x + i + pairs, _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s)));
  }
  if (i < pairs) {
    const __m256i mask = tail_mask(i, pairs);
    const __m256 c = _mm256_maskload_ps(cosines + i, mask), s = _mm256_maskload_ps(sines + i, mask);
    const __m256 a = _mm256_maskload_ps(x + i, mask), b = _mm256_maskload_ps(x + i + pairs, mask);
    _mm256_maskstore_ps(x + i, mask, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
    _mm256_maskstore_ps(x + i + pairs, mask, _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s)));
  }
}

inline __m256 gated(__m256 gate, __m256 up) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 negative = _mm256_xor_ps(gate, _mm256_set1_ps(-0.0f));
  return _mm256_mul_ps(_mm256_div_ps(gate, _mm256_add_ps(one, exponential(negative))), up);
}

void silu_multiply(float* gate, const float* up, int64_t count) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    _mm256_storeu_ps(gate + i, gated(_mm256_loadu_ps(gate + i), _mm256_loadu_ps(up + i)));
  }
  if (i < count) {
    const __m256i mask = tail_mask(i, count);
    const __m256 value = gated(_mm256_maskload_ps(gate + i, mask), _mm256_maskload_ps(up + i, mask));
    _mm256_maskstore_ps(gate + i, mask, value);
  }
}

void add(float* x, const float* y, int64_t count) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) {
    _mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
  }
  if (i < count) {
    const __m256i mask = tail_mask(i, count);
    const __m256 sum = _mm256_add_ps(_mm256_maskload_ps(x + i, mask), _mm256_maskload_ps(y + i, mask));
    _mm256_maskstore_ps(x + i, mask, sum);
  }
}

void exponential_all(const float* x, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) _mm256_storeu_ps(out + i, exponential(_mm256_loadu_ps(x + i)));
  if (i < count) {
    const __m256i mask = tail_mask(i, count);
    _mm256_maskstore_ps(out + i, mask, exponential(_mm256_maskload_ps(x + i, mask)));
  }
}

void logit_maxima(const float* logits, int64_t count, float* chunk_maxima) {
  const __m256 minus_infinity = _mm256_set1_ps(-__builtin_inff());
  for (int64_t begin = 0; begin < count; begin += kLogitChunk) {
    __m256 highest = minus_infinity;
    int64_t i = begin;
    const int64_t end = begin + kLogitChunk < count ? begin + kLogitChunk : count;
    for (; i + kWidth <= end; i += kWidth) highest = _mm256_max_ps(_mm256_loadu_ps(logits + i), highest);
    if (i < end) {
      const __m256i mask = tail_mask(i, end);
      const __m256 tail =
          _mm256_blendv_ps(minus_infinity, _mm256_maskload_ps(logits + i, mask), _mm256_castsi256_ps(mask));
      highest = _mm256_max_ps(tail, highest);
    }
    chunk_maxima[begin / kLogitChunk] = max_lanes(highest);
  }
}

inline __m256 logit_weight(__m256 logit, __m256 max, __m256 inverse_temperature) {
  const __m256 weight = exponential(_mm256_mul_ps(_mm256_sub_ps(logit, max), inverse_temperature));
  const __m256 number = _mm256_and_ps(weight, _mm256_cmp_ps(logit, logit, _CMP_EQ_OQ));
  return _mm256_blendv_ps(number, _mm256_set1_ps(1.0f), _mm256_cmp_ps(logit, max, _CMP_EQ_OQ));
}

void logit_weights(const float* logits, int64_t count, float max, float inverse_temperature, float* weights,
                   float* chunk_sums) {
  const __m256 highest = _mm256_set1_ps(max), inverse = _mm256_set1_ps(inverse_temperature);
  for (int64_t begin = 0; begin < count; begin += kLogitChunk) {
    __m256 lanes[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    const int64_t end = begin + kLogitChunk < count ? begin + kLogitChunk : count;
    int64_t i = begin;
    for (; i + kWidth <= end; i += kWidth) {
      const __m256 weight = logit_weight(_mm256_loadu_ps(logits + i), highest, inverse);
      _mm256_storeu_ps(weights + i, weight);
      lanes[i / kWidth % 2] = _mm256_add_ps(lanes[i / kWidth % 2], weight);
    }
    if (i < end) {
      const __m256i mask = tail_mask(i, end);
      const __m256 logit = _mm256_maskload_ps(logits + i, mask);
      const __m256 weight = _mm256_and_ps(logit_weight(logit, highest, inverse), _mm256_castsi256_ps(mask));
      _mm256_maskstore_ps(weights + i, mask, weight);
      lanes[i / kWidth % 2] = _mm256_add_ps(lanes[i / kWidth % 2], weight);
    }
    chunk_sums[begin / kLogitChunk] = sum_lanes(lanes[0], lanes[1]);
  }
}

}  // namespace

const VectorOps kVectorOps = {rms_norm, rotate_interleaved, rotate_halves, silu_multiply,
                              add,      exponential_all,    logit_maxima,  logit_weights};

}  // namespace hussar::cpu::avx2
