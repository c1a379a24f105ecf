// Matrix products for AVX2 with FMA and F16C. Two registers hold the 16 rows of a panel; a tile is a panel
// times 4 tokens, so that quants are unpacked once for all of them and each activation is loaded once for all
// rows. linear_kernels.h says what is promised of the sums.
#include "kernels/cpu/linear_kernels.h"

#include <immintrin.h>

#include "kernels/cpu/format_switch.h"

namespace hussar::cpu::avx2 {
namespace {

#define INLINE inline __attribute__((always_inline))

constexpr int kParts = 2;                     // registers that hold a panel
constexpr int kVectorBytes = 4 * kPanelRows;  // the quants of 4 columns
constexpr int kTileTokens = 4;
constexpr int64_t kChunkBytes =
    192 << 10;  // of weights: stays in the second-level cache while all tokens pass
constexpr int64_t kPrefetchBytes = 2 << 10;

constexpr bool is_super(DType f) { return f == DType::kQ4_K || f == DType::kQ5_K || f == DType::kQ6_K; }
constexpr bool has_fifth_bits(DType f) { return f == DType::kQ5_0 || f == DType::kQ5_1 || f == DType::kQ5_K; }
constexpr bool has_min(DType f) {
  return f == DType::kQ4_1 || f == DType::kQ5_1 || f == DType::kQ4_K || f == DType::kQ5_K;
}

// The places of packed_matrix.h.
constexpr int64_t quant_bytes(DType f) {
  const int64_t more = has_fifth_bits(f) ? 1 : f == DType::kQ6_K ? 2 : 0;
  return ((f == DType::kQ8_0 ? 8 : 4) + more) * kVectorBytes;
}
constexpr int64_t block_bytes(DType f) {
  return quant_bytes(f) + (is_super(f) ? 0 : has_min(f) ? 4 * kPanelRows : 2 * kPanelRows);
}
constexpr int64_t super_bytes(DType f) { return f == DType::kQ6_K ? 18 * kPanelRows : 20 * kPanelRows; }

using Word = int32_t __attribute__((may_alias, aligned(4)));

INLINE __m256i load(const uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
INLINE __m128i load_half(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
// 8 f16 numbers, and 8 small integers, as floats.
INLINE __m256 load_f16(const uint8_t* at) { return _mm256_cvtph_ps(load_half(at)); }
INLINE __m256 load_u8(const uint8_t* at) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
}
// The 4 activations of a group, for every row.
INLINE __m256i group(const ActivationBlock& a, int g) {
  return _mm256_set1_epi32(*reinterpret_cast<const Word*>(a.q + 4 * g));
}
INLINE __m256i pair_word(const int16_t* pairs) {
  return _mm256_set1_epi32(*reinterpret_cast<const Word*>(pairs));
}
INLINE __m256i times(__m256i pairs, int16_t factor) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(factor));
}

// The quants of 4 columns and 8 rows as unsigned bytes: group v of the columns 0 .. 15 when Half is 0, of 16
// .. 31 when it is 1.
template <DType F, int Half>
INLINE __m256i unpack(const uint8_t* at, int v) {
  const __m256i both = load(at + kVectorBytes * v);
  const __m256i w = _mm256_and_si256(Half == 0 ? both : _mm256_srli_epi16(both, 4), _mm256_set1_epi8(15));
  if constexpr (has_fifth_bits(F)) {
    const __m256i bits = load(at + 4 * kVectorBytes);
    const int g = v + 4 * Half;
    const __m256i moved = g <= 4 ? _mm256_slli_epi16(bits, 4 - g) : _mm256_srli_epi16(bits, g - 4);
    return _mm256_or_si256(w, _mm256_and_si256(moved, _mm256_set1_epi8(16)));
  }
  if constexpr (F == DType::kQ6_K) {
    const __m256i bits = load(at + (4 + Half) * kVectorBytes);
    const __m256i moved = v <= 2 ? _mm256_slli_epi16(bits, 4 - 2 * v) : _mm256_srli_epi16(bits, 2 * v - 4);
    return _mm256_or_si256(w, _mm256_and_si256(moved, _mm256_set1_epi8(48)));
  }
  return w;
}

// sum += w * four, in 16 bits. The empty statement keeps the sum in its register: else the compiler reorders
// the additions of a whole block into trees and runs out of registers.
INLINE void add_products(__m256i w, __m256i four, __m256i* sum) {
  *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(w, four));
  asm("" : "+x"(*sum));
}

// The sums of a block: part of the panel, token (whose activations lie `stride` blocks behind the one
// before).
template <int T>
struct Sums {
  __m256i of[kParts][T];
};

// Adds the products of the 16 columns of one half, in 16 bits.
template <DType F, int Half, int T>
INLINE void add_half(const uint8_t* at, const ActivationBlock* a, int64_t stride, Sums<T>* sums) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; v++) {
    const __m256i w0 = unpack<F, Half>(at, v), w1 = unpack<F, Half>(at + 32, v);
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) {
      const __m256i four = group(a[t * stride], v + 4 * Half);
      add_products(w0, four, &sums->of[0][t]);
      add_products(w1, four, &sums->of[1][t]);
    }
  }
}

// 16-bit sums that start at -8, -16 or -32 times the activations' sum become sums with centred quants, which
// always fit: 8 groups of 2 * 8 * 127 (Q4_0), 8 of 2 * 16 * 127 (Q5) and 4 of 2 * 32 * 127 (Q6_K) are below
// 2^15; what overflows on the way wraps back. Nibbles that are not centred fit too: 8 groups of 2 * 15 * 127.
template <DType F>
INLINE __m256i sum_start(const ActivationBlock& a) {
  if constexpr (F == DType::kQ4_0) return pair_word(a.pairs);
  if constexpr (has_fifth_bits(F)) return _mm256_slli_epi16(pair_word(a.pairs), 1);
  return _mm256_setzero_si256();
}

// Formats with one scale for a block: nibbles with or without fifth bits.
template <DType F, int T>
INLINE void block_sums(const uint8_t* at, const ActivationBlock* a, int64_t stride, Sums<T>* sums) {
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) sums->of[0][t] = sums->of[1][t] = sum_start<F>(a[t * stride]);
  add_half<F, 0, T>(at, a, stride, sums);
  add_half<F, 1, T>(at, a, stride, sums);
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) {
    __m256i* const first = &sums->of[0][t];
    __m256i* const second = &sums->of[1][t];
    *first = times(*first, 1);
    *second = times(*second, 1);
    if constexpr (has_fifth_bits(F) && has_min(F)) {  // plain quants are wanted
      const __m256i centre = times(pair_word(a[t * stride].pairs), 2);
      *first = _mm256_sub_epi32(*first, centre);
      *second = _mm256_sub_epi32(*second, centre);
    }
  }
}

// Q6_K's scales for one half of the columns: from pairs of signed bytes, each twice as 16 bits.
template <int Half>
INLINE __m256i half_scales(const uint8_t* pairs) {
  constexpr int kOrder = Half == 0 ? 0xa0 : 0xf5;
  const __m256i both = _mm256_cvtepi8_epi16(load_half(pairs));
  return _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(both, kOrder), kOrder);
}

// Q6_K: each half has a scale of its own.
template <int T>
INLINE void block_sums_q6(const uint8_t* at, const uint8_t* scales, const ActivationBlock* a, int64_t stride,
                          Sums<T>* sums) {
  Sums<T> first;
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) {
    first.of[0][t] = first.of[1][t] = _mm256_slli_epi16(pair_word(a[t * stride].first_pairs), 2);
  }
  add_half<DType::kQ6_K, 0, T>(at, a, stride, &first);
  const __m256i s0 = half_scales<0>(scales), s1 = half_scales<0>(scales + 16);
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) {
    first.of[0][t] = _mm256_madd_epi16(first.of[0][t], s0);
    first.of[1][t] = _mm256_madd_epi16(first.of[1][t], s1);
    const ActivationBlock& block = a[t * stride];
    const __m256i rest = _mm256_sub_epi16(pair_word(block.pairs), pair_word(block.first_pairs));
    sums->of[0][t] = sums->of[1][t] = _mm256_slli_epi16(rest, 2);
  }
  add_half<DType::kQ6_K, 1, T>(at, a, stride, sums);
  const __m256i s2 = half_scales<1>(scales), s3 = half_scales<1>(scales + 16);
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) {
    sums->of[0][t] = _mm256_add_epi32(_mm256_madd_epi16(sums->of[0][t], s2), first.of[0][t]);
    sums->of[1][t] = _mm256_add_epi32(_mm256_madd_epi16(sums->of[1][t], s3), first.of[1][t]);
  }
}

// sum += w * four, in 32 bits: |w| <= 128 has no sign, the activation takes it, and 2 * 128 * 127 < 2^15.
INLINE void add_signed_products(__m256i magnitude, __m256i w, __m256i four, __m256i* sum) {
  *sum = _mm256_add_epi32(*sum, times(_mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(four, w)), 1));
  asm("" : "+x"(*sum));
}

template <int T>
INLINE void block_sums_q8(const uint8_t* at, const ActivationBlock* a, int64_t stride, Sums<T>* sums) {
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) sums->of[0][t] = sums->of[1][t] = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) {
    const __m256i w0 = load(at + kVectorBytes * g), w1 = load(at + kVectorBytes * g + 32);
    const __m256i magnitude0 = _mm256_abs_epi8(w0), magnitude1 = _mm256_abs_epi8(w1);
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) {
      const __m256i four = group(a[t * stride], g);
      add_signed_products(magnitude0, w0, four, &sums->of[0][t]);
      add_signed_products(magnitude1, w1, four, &sums->of[1][t]);
    }
  }
}

// What a block's integer sums are multiplied by.
struct Scales {
  __m256 d[kParts];
  __m256 m[kParts];
};

template <int T>
struct Totals {
  __m256 of[kParts][T];
};

template <DType F, int T>
INLINE void add_block(const uint8_t* at, const uint8_t* pair_scales, const Scales& scales,
                      const ActivationBlock* a, int64_t stride, Totals<T>* totals) {
  Sums<T> sums;
  if constexpr (F == DType::kQ6_K) {
    block_sums_q6<T>(at, pair_scales, a, stride, &sums);
  } else if constexpr (F == DType::kQ8_0) {
    block_sums_q8<T>(at, a, stride, &sums);
  } else {
    block_sums<F, T>(at, a, stride, &sums);
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) {
    const ActivationBlock& block = a[t * stride];
    const __m256 scale = _mm256_set1_ps(block.scale), scaled_sum = _mm256_set1_ps(block.scaled_sum);
#pragma GCC unroll 2
    for (int p = 0; p < kParts; p++) {
      __m256* const total = &totals->of[p][t];
      *total = _mm256_fmadd_ps(_mm256_mul_ps(scales.d[p], scale), _mm256_cvtepi32_ps(sums.of[p][t]), *total);
      if constexpr (has_min(F)) *total = _mm256_fmadd_ps(scales.m[p], scaled_sum, *total);
    }
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
                        Totals<T>* totals) {
  for (int32_t i = 0; i < cols / kBlockColumns; i++, a++, at += block_bytes(F)) {
    prefetch<F>(at);
    const uint8_t* const f16 = at + quant_bytes(F);
    Scales scales = {{load_f16(f16), load_f16(f16 + 16)}, {}};
    if constexpr (has_min(F)) {
      scales.m[0] = load_f16(f16 + 32);
      scales.m[1] = load_f16(f16 + 48);
    }
    add_block<F, T>(at, nullptr, scales, a, stride, totals);
  }
}

// Scales of sub-block j of a superblock of Q4_K or Q5_K, and of a whole one of Q6_K.
template <DType F>
INLINE Scales super_scales(const uint8_t* super, int j) {
  Scales scales = {{load_f16(super), load_f16(super + 16)}, {}};
  if constexpr (has_min(F)) {
    const uint8_t* const small = super + (4 + j) * kPanelRows;
#pragma GCC unroll 2
    for (int p = 0; p < kParts; p++) {
      const __m256 negative_min =
          _mm256_xor_ps(load_f16(super + 2 * kPanelRows + 16 * p), _mm256_set1_ps(-0.0f));
      scales.d[p] = _mm256_mul_ps(scales.d[p], load_u8(small + 8 * p));
      scales.m[p] = _mm256_mul_ps(negative_min, load_u8(small + 8 * kPanelRows + 8 * p));
    }
  }
  return scales;
}

template <DType F, int T>
INLINE void super_panel(const uint8_t* at, int32_t cols, const ActivationBlock* a, int64_t stride,
                        Totals<T>* totals) {
  for (int32_t i = 0; i < cols / kSuperblockColumns; i++) {
    const uint8_t* const super = at;
    at += super_bytes(F);
    for (int j = 0; j < 8; j++, a++, at += block_bytes(F)) {
      prefetch<F>(at);
      add_block<F, T>(at, super + (2 + 2 * j) * kPanelRows, super_scales<F>(super, j), a, stride, totals);
    }
  }
}

// Writes the totals of 8 rows from `row` on; what lies behind the last row is left out.
INLINE void store(const LinearArgs& args, int64_t row, int32_t token, __m256 total) {
  const int64_t count = args.w.rows - row;
  if (count <= 0) return;
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(count)),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  float* const y = args.y + token * args.y_stride + row;
  if (args.bias != nullptr) total = _mm256_add_ps(total, _mm256_maskload_ps(args.bias + row, mask));
  if (args.mode == StoreMode::kAdd) total = _mm256_add_ps(total, _mm256_maskload_ps(y, mask));
  if (count >= 8) {
    _mm256_storeu_ps(y, total);
  } else {
    _mm256_maskstore_ps(y, mask, total);
  }
}

template <int T>
INLINE void store_panel(const LinearArgs& args, int64_t panel, int32_t token, const Totals<T>& totals) {
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) {
    store(args, panel * kPanelRows, token + t, totals.of[0][t]);
    store(args, panel * kPanelRows + 8, token + t, totals.of[1][t]);
  }
}

template <int T>
INLINE void clear(Totals<T>* totals) {
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) totals->of[0][t] = totals->of[1][t] = _mm256_setzero_ps();
}

template <DType F>
INLINE __m256 load_column(const uint8_t* at) {
  if constexpr (F == DType::kF32) return _mm256_loadu_ps(reinterpret_cast<const float*>(at));
  if constexpr (F == DType::kF16) return load_f16(at);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_half(at)), 16));
}

template <DType F, int T>
INLINE void float_panel(const uint8_t* at, int32_t cols, const float* x, int64_t x_stride,
                        Totals<T>* totals) {
  constexpr int64_t kPartBytes = F == DType::kF32 ? 32 : 16;
  for (int64_t k = 0; k < cols; k++, at += kParts * kPartBytes) {
    const __m256 w0 = load_column<F>(at), w1 = load_column<F>(at + kPartBytes);
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) {
      const __m256 one = _mm256_set1_ps(x[t * x_stride + k]);
      totals->of[0][t] = _mm256_fmadd_ps(w0, one, totals->of[0][t]);
      totals->of[1][t] = _mm256_fmadd_ps(w1, one, totals->of[1][t]);
    }
  }
}

// Panels [panel_begin, panel_end) times T tokens from `token` on.
template <DType F, int T>
void tile(const LinearArgs& args, int64_t panel_begin, int64_t panel_end, int32_t token) {
  const int64_t stride = args.w.cols / kBlockColumns;
  for (int64_t i = panel_begin; i < panel_end; i++) {
    const uint8_t* const at = args.w.panels + i * args.w.panel_bytes;
    Totals<T> totals;
    clear(&totals);
    if constexpr (F == DType::kF32 || F == DType::kF16 || F == DType::kBF16) {
      float_panel<F, T>(at, args.w.cols, args.x + token * args.x_stride, args.x_stride, &totals);
    } else if constexpr (is_super(F)) {
      super_panel<F, T>(at, args.w.cols, args.blocks + token * stride, stride, &totals);
    } else {
      plain_panel<F, T>(at, args.w.cols, args.blocks + token * stride, stride, &totals);
    }
    store_panel(args, i, token, totals);
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
    for (; token + kTileTokens <= args.tokens; token += kTileTokens)
      tile<F, kTileTokens>(args, i, end, token);
    switch (args.tokens - token) {
      case 1:
        tile<F, 1>(args, i, end, token);
        break;
      case 2:
        tile<F, 2>(args, i, end, token);
        break;
      case 3:
        tile<F, 3>(args, i, end, token);
        break;
      default:
        break;
    }
  }
}

void linear(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  with_format(args.w.dtype, [&](auto format) { product<format()>(args, panel_begin, panel_end); });
}

INLINE __m256i magnitude_bits(__m256 x) {
  return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

INLINE uint32_t largest_lane(__m256i v) {
  __m128i half = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xb1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(half));
}

// The sum of the four 32-bit lanes, each a pair of 16-bit numbers.
INLINE __m128i add_pairs(__m128i v) {
  v = _mm_add_epi16(v, _mm_shuffle_epi32(v, 0x4e));
  return _mm_add_epi16(v, _mm_shuffle_epi32(v, 0xb1));
}

INLINE void write_block(__m256i q, float scale, ActivationBlock* out) {
  const __m256i sums = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
  const __m128i first = add_pairs(_mm256_castsi256_si128(sums));
  const __m128i all = _mm_add_epi16(first, add_pairs(_mm256_extracti128_si256(sums, 1)));
  const __m128i factor = _mm_set1_epi16(-8);
  const int32_t pairs = _mm_cvtsi128_si32(_mm_mullo_epi16(all, factor));
  const int32_t first_pairs = _mm_cvtsi128_si32(_mm_mullo_epi16(first, factor));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->q), q);
  out->scale = scale;
  out->scaled_sum = scale * static_cast<float>(_mm_cvtsi128_si32(_mm_madd_epi16(all, _mm_set1_epi16(1))));
  *reinterpret_cast<Word*>(out->pairs) = pairs;
  *reinterpret_cast<Word*>(out->first_pairs) = first_pairs;
}

INLINE void quantize_block(const float* x, ActivationBlock* out) {
  __m256 v[4];
  __m256i bits = _mm256_setzero_si256();
  for (int i = 0; i < 4; i++) {
    v[i] = _mm256_loadu_ps(x + 8 * i);
    bits = _mm256_max_epu32(bits, magnitude_bits(v[i]));
  }
  // As integers, magnitudes order finite numbers, then infinity, then NaNs.
  const uint32_t largest = largest_lane(bits);
  const float amax = __builtin_bit_cast(float, largest);
  if (largest >= 0x7f800000u) return write_block(_mm256_setzero_si256(), __builtin_nanf(""), out);
  if (amax < kSmallestMagnitude) return write_block(_mm256_setzero_si256(), 0.0f, out);
  const __m256 inverse = _mm256_set1_ps(127.0f / amax);
  __m256i q[4];
  for (int i = 0; i < 4; i++) q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
  // Packing works within halves of the register; the last step brings the groups of 4 back into order.
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
  write_block(_mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)), amax / 127.0f,
              out);
}

void quantize_row(const float* x, int32_t cols, ActivationBlock* blocks) {
  for (int32_t i = 0; i < cols / kBlockColumns; i++) quantize_block(x + i * kBlockColumns, blocks + i);
}

}  // namespace

const LinearKernels kLinear = {linear, quantize_row};

}  // namespace hussar::cpu::avx2
