// Matrix products for AVX-512 with VNNI. A register holds the 16 rows of a panel; a tile is a panel times up
// to 8 tokens, so that quants are unpacked once for all of them. linear_kernels.h says what is promised of
// the sums.
#include "kernels/cpu/avx512/linear.h"

#include <immintrin.h>

#include "kernels/cpu/avx512/panel.h"
#include "kernels/cpu/format_switch.h"

namespace hussar::cpu::avx512 {
namespace {

constexpr int64_t kChunkBytes =
    512 << 10;  // of weights: stays in the second-level cache while all tokens pass
constexpr int64_t kPrefetchBytes = 2 << 10;

// The 4 activations of a group, for every row.
INLINE __m512i group(const ActivationBlock& a, int g) {
  return _mm512_set1_epi32(*reinterpret_cast<const Word*>(a.q + 4 * g));
}
INLINE __m512i pair_word(const int16_t* pairs) {
  return _mm512_set1_epi32(*reinterpret_cast<const Word*>(pairs));
}
INLINE __m512i times(__m512i pairs, int16_t factor) {
  return _mm512_madd_epi16(pairs, _mm512_set1_epi16(factor));
}

// What centres the quants: the activations' sum (of which `pairs` is -8 times) times -8, -16 or -128.
template <DType F>
INLINE __m512i sum_start(const ActivationBlock& a) {
  if constexpr (F == DType::kQ4_0) return times(pair_word(a.pairs), 1);
  if constexpr (F == DType::kQ5_0) return times(pair_word(a.pairs), 2);
  if constexpr (F == DType::kQ8_0) return times(pair_word(a.pairs), 16);
  return _mm512_setzero_si512();
}

// Q6_K's scales, of the columns 0 .. 15 and 16 .. 31: bytes with a sign, each twice as 16 bits.
struct PairScales {
  __m512i first, second;
};

INLINE PairScales load_pair_scales(const uint8_t* at) {
  const __m512i both = _mm512_cvtepi8_epi16(load_half(at));
  return {_mm512_shufflehi_epi16(_mm512_shufflelo_epi16(both, 0xa0), 0xa0),
          _mm512_shufflehi_epi16(_mm512_shufflelo_epi16(both, 0xf5), 0xf5)};
}

// The products of 4 groups in 16 bits, from `start` on: with centred quants they fit, 4 * 2 * 32 * 127 <
// 2^15; what overflows on the way wraps back.
INLINE __m512i pair_sums(const __m512i* w, const ActivationBlock& a, int g, __m512i start) {
  const __m512i x = _mm512_add_epi16(_mm512_maddubs_epi16(w[g], group(a, g)),
                                     _mm512_maddubs_epi16(w[g + 1], group(a, g + 1)));
  const __m512i y = _mm512_add_epi16(_mm512_maddubs_epi16(w[g + 2], group(a, g + 2)),
                                     _mm512_maddubs_epi16(w[g + 3], group(a, g + 3)));
  return _mm512_add_epi16(_mm512_add_epi16(x, y), start);
}

template <DType F>
INLINE __m512i integer_sum(const __m512i* w, const PairScales& scales, const ActivationBlock& a) {
  if constexpr (F == DType::kQ6_K) {
    const __m512i first = pair_word(a.first_pairs), rest = _mm512_sub_epi16(pair_word(a.pairs), first);
    const __m512i sum = _mm512_madd_epi16(pair_sums(w, a, 0, _mm512_slli_epi16(first, 2)), scales.first);
    return _mm512_add_epi32(sum,
                            _mm512_madd_epi16(pair_sums(w, a, 4, _mm512_slli_epi16(rest, 2)), scales.second));
  }
  __m512i sum = sum_start<F>(a);
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) sum = _mm512_dpbusd_epi32(sum, w[g], group(a, g));
  return sum;
}

template <DType F, int T>
INLINE void add_block(const uint8_t* at, const uint8_t* pair_scales, const Scales& scales,
                      const ActivationBlock* a, int64_t stride, __m512* totals) {
  __m512i w[8];
  unpack<F>(at, w);
  PairScales pairs{};
  if constexpr (F == DType::kQ6_K) pairs = load_pair_scales(pair_scales);
#pragma GCC unroll 8
  for (int t = 0; t < T; t++) {
    const ActivationBlock& block = a[t * stride];
    const __m512 sum = _mm512_cvtepi32_ps(integer_sum<F>(w, pairs, block));
    totals[t] = _mm512_fmadd_ps(_mm512_mul_ps(scales.d, _mm512_set1_ps(block.scale)), sum, totals[t]);
    if constexpr (has_min(F))
      totals[t] = _mm512_fmadd_ps(scales.m, _mm512_set1_ps(block.scaled_sum), totals[t]);
  }
}

// Asks for what is needed soon: the processor looks ahead too, but stops at the end of each 4 KiB page.
template <DType F>
INLINE void prefetch(const uint8_t* at) {
  for (int64_t line = 0; line < block_bytes(F); line += 64)
    _mm_prefetch(at + kPrefetchBytes + line, _MM_HINT_T0);
}

template <DType F, int T>
INLINE void plain_panel(const uint8_t* at, int32_t cols, const ActivationBlock* a, int64_t stride,
                        __m512* totals) {
  for (int32_t i = 0; i < cols / kBlockColumns; i++, a++, at += block_bytes(F)) {
    prefetch<F>(at);
    add_block<F, T>(at, nullptr, block_scales<F>(at), a, stride, totals);
  }
}

template <DType F, int T>
INLINE void super_panel(const uint8_t* at, int32_t cols, const ActivationBlock* a, int64_t stride,
                        __m512* totals) {
  for (int32_t i = 0; i < cols / kSuperblockColumns; i++) {
    const uint8_t* const super = at;
    at += super_bytes(F);
    for (int j = 0; j < 8; j++, a++, at += block_bytes(F)) {
      prefetch<F>(at);
      add_block<F, T>(at, super + (2 + 2 * j) * kPanelRows, super_scales<F>(super, j), a, stride, totals);
    }
  }
}

template <DType F>
INLINE __m512 load_column(const uint8_t* at) {
  if constexpr (F == DType::kF32) return _mm512_loadu_ps(at);
  if constexpr (F == DType::kF16) return load_f16(at);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_half(at)), 16));
}

template <DType F, int T>
INLINE void float_panel(const uint8_t* at, int32_t cols, const float* x, int64_t x_stride, __m512* totals) {
  for (int64_t k = 0; k < cols; k++, at += (F == DType::kF32 ? 4 : 2) * kPanelRows) {
    const __m512 w = load_column<F>(at);
#pragma GCC unroll 8
    for (int t = 0; t < T; t++)
      totals[t] = _mm512_fmadd_ps(w, _mm512_set1_ps(x[t * x_stride + k]), totals[t]);
  }
}

// Panels [panel_begin, panel_end) times T tokens from `token` on.
template <DType F, int T>
void tile(const LinearArgs& args, int64_t panel_begin, int64_t panel_end, int32_t token) {
  const int64_t stride = args.w.cols / kBlockColumns;
  for (int64_t i = panel_begin; i < panel_end; i++) {
    const uint8_t* const at = args.w.panels + i * args.w.panel_bytes;
    __m512 totals[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) totals[t] = _mm512_setzero_ps();
    if constexpr (F == DType::kF32 || F == DType::kF16 || F == DType::kBF16) {
      float_panel<F, T>(at, args.w.cols, args.x + token * args.x_stride, args.x_stride, totals);
    } else if constexpr (is_super(F)) {
      super_panel<F, T>(at, args.w.cols, args.blocks + token * stride, stride, totals);
    } else {
      plain_panel<F, T>(at, args.w.cols, args.blocks + token * stride, stride, totals);
    }
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) store(args, i * kPanelRows, token + t, totals[t]);
  }
}

// Chunks of panels, so that the weights of a chunk are read from memory once; within one, the activations of
// a tile stay in the first-level cache while the chunk passes.
template <DType F>
void product(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  const int64_t fitting = kChunkBytes / args.w.panel_bytes, chunk = fitting > 4 ? fitting : 4;
  for (int64_t i = panel_begin; i < panel_end; i += chunk) {
    const int64_t end = i + chunk < panel_end ? i + chunk : panel_end;
    int32_t token = 0;
    for (; token + 8 <= args.tokens; token += 8) tile<F, 8>(args, i, end, token);
    const int32_t left = args.tokens - token;
    if ((left & 4) != 0) tile<F, 4>(args, i, end, token);
    if ((left & 2) != 0) tile<F, 2>(args, i, end, token + (left & 4));
    if ((left & 1) != 0) tile<F, 1>(args, i, end, token + (left & 6));
  }
}

}  // namespace

void linear(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  with_format(args.w.dtype, [&](auto format) { product<format()>(args, panel_begin, panel_end); });
}

namespace {

INLINE __m512i magnitude_bits(__m512 x) {
  return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

// The sum of the four 32-bit lanes, each a pair of 16-bit numbers.
INLINE __m128i add_pairs(__m128i v) {
  v = _mm_add_epi16(v, _mm_shuffle_epi32(v, 0x4e));
  return _mm_add_epi16(v, _mm_shuffle_epi32(v, 0xb1));
}

INLINE void write_block(__m128i q0, __m128i q1, float scale, ActivationBlock* out) {
  const __m128i one = _mm_set1_epi8(1), factor = _mm_set1_epi16(-8);
  const __m128i first = add_pairs(_mm_maddubs_epi16(one, q0));
  const __m128i all = _mm_add_epi16(first, add_pairs(_mm_maddubs_epi16(one, q1)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out->q), q0);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out->q + 16), q1);
  out->scale = scale;
  out->scaled_sum = scale * static_cast<float>(_mm_cvtsi128_si32(_mm_madd_epi16(all, _mm_set1_epi16(1))));
  *reinterpret_cast<Word*>(out->pairs) = _mm_cvtsi128_si32(_mm_mullo_epi16(all, factor));
  *reinterpret_cast<Word*>(out->first_pairs) = _mm_cvtsi128_si32(_mm_mullo_epi16(first, factor));
}

INLINE void quantize_block(const float* x, ActivationBlock* out) {
  const __m512 v0 = _mm512_loadu_ps(x), v1 = _mm512_loadu_ps(x + 16);
  // As integers, magnitudes order finite numbers, then infinity, then NaNs.
  const uint32_t largest = _mm512_reduce_max_epu32(_mm512_max_epu32(magnitude_bits(v0), magnitude_bits(v1)));
  const float amax = __builtin_bit_cast(float, largest);
  const __m128i zero = _mm_setzero_si128();
  if (largest >= 0x7f800000u) return write_block(zero, zero, __builtin_nanf(""), out);
  if (amax < kSmallestMagnitude) return write_block(zero, zero, 0.0f, out);
  const __m512 inverse = _mm512_set1_ps(127.0f / amax);
  const __m128i q0 = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(v0, inverse)));
  const __m128i q1 = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(v1, inverse)));
  write_block(q0, q1, amax / 127.0f, out);
}

}  // namespace

void quantize_row(const float* x, int32_t cols, ActivationBlock* blocks) {
  for (int32_t i = 0; i < cols / kBlockColumns; i++) quantize_block(x + i * kBlockColumns, blocks + i);
}

const LinearKernels kLinear = {linear, quantize_row};

}  // namespace hussar::cpu::avx512
