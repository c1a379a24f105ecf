// Matrix products for AVX2 with FMA and F16C. A register holds 8 rows; a tile is one panel (8 rows) times up
// to 4 tokens, so that quants are unpacked once for all of them. linear_kernels.h says what is promised of
// the sums.
#include "kernels/cpu/linear_kernels.h"

#include <immintrin.h>

namespace hussar::cpu::avx2 {
namespace {

#define INLINE inline __attribute__((always_inline))

constexpr int kLanes = 8;
constexpr int kTileTokens = 4;
constexpr int64_t kChunkBytes =
    192 << 10;  // of weights: stays in the second-level cache while all tokens pass
constexpr int64_t kPrefetchBytes = 1 << 10;

constexpr bool is_super(DType f) { return f == DType::kQ4_K || f == DType::kQ5_K || f == DType::kQ6_K; }
constexpr bool has_fifth_bits(DType f) { return f == DType::kQ5_0 || f == DType::kQ5_1 || f == DType::kQ5_K; }
constexpr bool has_min(DType f) {
  return f == DType::kQ4_1 || f == DType::kQ5_1 || f == DType::kQ4_K || f == DType::kQ5_K;
}
// What the integer product is too large by, as a multiple of the activations' sum.
constexpr int excess(DType f) { return f == DType::kQ4_0 ? 8 : f == DType::kQ5_0 ? 16 : 0; }

// The places of packed_matrix.h.
constexpr int64_t quant_bytes(DType f) {
  const int64_t more = has_fifth_bits(f) ? 4 * kLanes : f == DType::kQ6_K ? 8 * kLanes : 0;
  return (f == DType::kQ8_0 ? 32 : 16) * kLanes + more;
}
constexpr int64_t block_bytes(DType f) {
  return quant_bytes(f) + (is_super(f) ? 0 : has_min(f) ? 4 * kLanes : 2 * kLanes);
}
constexpr int64_t super_bytes(DType f) { return f == DType::kQ6_K ? 18 * kLanes : 20 * kLanes; }

using Word = int32_t __attribute__((may_alias, aligned(4)));

INLINE __m256i load(const uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
INLINE __m256 load_halves(const uint8_t* at) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}
INLINE __m256 load_small(const uint8_t* at) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
}
// The 4 activations of a group, for every lane.
INLINE __m256i group(const ActivationBlock& a, int g) {
  return _mm256_set1_epi32(*reinterpret_cast<const Word*>(a.q + 4 * g));
}

// The quants of a block as unsigned bytes, one register for each group of 4 columns.
template <DType F>
INLINE void unpack(const uint8_t* at, __m256i* w) {
  const __m256i low = _mm256_set1_epi8(15);
  for (int v = 0; v < 4; v++) {
    const __m256i both = load(at + 32 * v);
    w[v] = _mm256_and_si256(both, low);
    w[v + 4] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
  }
  if constexpr (has_fifth_bits(F)) {
    const __m256i bits = load(at + 128), fifth = _mm256_set1_epi8(16);
    for (int g = 0; g < 8; g++) {
      const __m256i moved = g <= 4 ? _mm256_slli_epi16(bits, 4 - g) : _mm256_srli_epi16(bits, g - 4);
      w[g] = _mm256_or_si256(w[g], _mm256_and_si256(moved, fifth));
    }
  }
  if constexpr (F == DType::kQ6_K) {
    const __m256i pair = _mm256_set1_epi8(48);
    for (int g = 0; g < 8; g++) {
      const __m256i bits = load(at + 128 + 32 * (g / 4));
      const int shift = g % 4 * 2;
      const __m256i moved =
          shift <= 4 ? _mm256_slli_epi16(bits, 4 - shift) : _mm256_srli_epi16(bits, shift - 4);
      w[g] = _mm256_or_si256(w[g], _mm256_and_si256(moved, pair));
    }
  }
}

// Products of groups first .. last - 1, added in 16 bits; each adds at most 2 * 127 * (largest quant).
INLINE __m256i products(const __m256i* w, const ActivationBlock& a, int first, int last) {
  __m256i sum = _mm256_maddubs_epi16(w[first], group(a, first));
  for (int g = first + 1; g < last; g++) sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(w[g], group(a, g)));
  return sum;
}

INLINE __m256i widen(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

// Q6_K's scales of a block: a pair for each lane, and each alone twice.
struct PairScales {
  __m256i both, first, second;
};

INLINE PairScales load_pair_scales(const uint8_t* at) {
  const __m256i both = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  const __m256i first = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(both, 0xa0), 0xa0);
  const __m256i second = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(both, 0xf5), 0xf5);
  return {both, first, second};
}

template <DType F>
INLINE __m256i integer_sum(const __m256i* w, const PairScales& scales, const ActivationBlock& a) {
  if constexpr (F == DType::kQ6_K) {
    // 2 groups in 16 bits: 4 * 127 * 63 < 2^15.
    const __m256i first = _mm256_add_epi32(_mm256_madd_epi16(products(w, a, 0, 2), scales.first),
                                           _mm256_madd_epi16(products(w, a, 2, 4), scales.first));
    const __m256i second = _mm256_add_epi32(_mm256_madd_epi16(products(w, a, 4, 6), scales.second),
                                            _mm256_madd_epi16(products(w, a, 6, 8), scales.second));
    const __m256i sums = _mm256_set1_epi32(*reinterpret_cast<const Word*>(a.half_sums));
    const __m256i too_much = _mm256_slli_epi32(_mm256_madd_epi16(scales.both, sums), 5);
    return _mm256_sub_epi32(_mm256_add_epi32(first, second), too_much);
  }
  __m256i sum;
  if constexpr (has_fifth_bits(F)) {
    // 4 groups in 16 bits: 8 * 127 * 31 < 2^15.
    sum = _mm256_add_epi32(widen(products(w, a, 0, 4)), widen(products(w, a, 4, 8)));
  } else {
    sum = widen(products(w, a, 0, 8));  // 16 * 127 * 15 < 2^15
  }
  if constexpr (excess(F) != 0) sum = _mm256_sub_epi32(sum, _mm256_set1_epi32(excess(F) * a.sum));
  return sum;
}

template <DType F>
INLINE __m256 add_scaled(__m256 acc, __m256i sum, __m256 d, __m256 m, const ActivationBlock& a) {
  acc = _mm256_fmadd_ps(_mm256_mul_ps(d, _mm256_set1_ps(a.scale)), _mm256_cvtepi32_ps(sum), acc);
  if constexpr (has_min(F)) acc = _mm256_fmadd_ps(m, _mm256_set1_ps(a.scaled_sum), acc);
  return acc;
}

// Adds one block to the sums of T tokens, whose activations lie `stride` blocks apart.
template <DType F, int T>
INLINE void add_block(const uint8_t* at, __m256 d, __m256 m, const PairScales& scales,
                      const ActivationBlock* a, int64_t stride, __m256* acc) {
  if constexpr (F == DType::kQ8_0) {
    // |w| <= 128 without a sign, and its sign given to the activation: 2 * 128 * 127 < 2^15, so that -128 is
    // exact too.
    __m256i sum[T];
    for (int g = 0; g < 8; g++) {
      const __m256i w = load(at + 32 * g), magnitude = _mm256_abs_epi8(w);
      for (int t = 0; t < T; t++) {
        const __m256i part =
            widen(_mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(group(a[t * stride], g), w)));
        sum[t] = g == 0 ? part : _mm256_add_epi32(sum[t], part);
      }
    }
    for (int t = 0; t < T; t++) acc[t] = add_scaled<F>(acc[t], sum[t], d, m, a[t * stride]);
  } else {
    __m256i w[8];
    unpack<F>(at, w);
    for (int t = 0; t < T; t++) {
      acc[t] = add_scaled<F>(acc[t], integer_sum<F>(w, scales, a[t * stride]), d, m, a[t * stride]);
    }
  }
}

// The sums of one panel and T tokens over all columns.
template <DType F, int T>
INLINE void panel_sums(const uint8_t* at, int32_t cols, const ActivationBlock* a, int64_t stride,
                       __m256* acc) {
  const __m256 zero = _mm256_setzero_ps();
  for (int t = 0; t < T; t++) acc[t] = zero;
  if constexpr (!is_super(F)) {
    for (int32_t i = 0; i < cols / kBlockColumns; i++, a++, at += block_bytes(F)) {
      if constexpr (T == 1) {
        for (int64_t line = 0; line < block_bytes(F); line += 64)
          _mm_prefetch(at + kPrefetchBytes + line, _MM_HINT_T0);
      }
      const uint8_t* const scales = at + quant_bytes(F);
      const __m256 m = has_min(F) ? load_halves(scales + 2 * kLanes) : zero;
      add_block<F, T>(at, load_halves(scales), m, PairScales{}, a, stride, acc);
    }
  } else {
    for (int32_t i = 0; i < cols / kSuperblockColumns; i++) {
      const __m256 scale = load_halves(at);
      const uint8_t* quants = at + super_bytes(F);
      const __m256 negative_min =
          F == DType::kQ6_K ? zero : _mm256_xor_ps(load_halves(at + 2 * kLanes), _mm256_set1_ps(-0.0f));
      for (int j = 0; j < 8; j++, a++, quants += block_bytes(F)) {
        if constexpr (T == 1) {
          for (int64_t line = 0; line < block_bytes(F); line += 64) {
            _mm_prefetch(quants + kPrefetchBytes + line, _MM_HINT_T0);
          }
        }
        if constexpr (F == DType::kQ6_K) {
          const PairScales scales = load_pair_scales(at + (2 + 2 * j) * kLanes);
          add_block<F, T>(quants, scale, zero, scales, a, stride, acc);
        } else {
          const __m256 d = _mm256_mul_ps(scale, load_small(at + (4 + j) * kLanes));
          const __m256 m = _mm256_mul_ps(negative_min, load_small(at + (12 + j) * kLanes));
          add_block<F, T>(quants, d, m, PairScales{}, a, stride, acc);
        }
      }
      at = quants;
    }
  }
}

// Writes the sums of 8 rows from `row` on; lanes behind the last row are left out.
INLINE void store(const LinearArgs& args, int32_t row, int32_t token, __m256 acc) {
  const int32_t count = args.w.rows - row;
  const __m256i mask =
      _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  float* const y = args.y + token * args.y_stride + row;
  if (args.bias != nullptr) acc = _mm256_add_ps(acc, _mm256_maskload_ps(args.bias + row, mask));
  if (args.mode == StoreMode::kAdd) acc = _mm256_add_ps(acc, _mm256_maskload_ps(y, mask));
  if (count >= kLanes) {
    _mm256_storeu_ps(y, acc);
  } else {
    _mm256_maskstore_ps(y, mask, acc);
  }
}

template <DType F, int T>
void block_tile(const LinearArgs& args, int64_t panel_begin, int64_t panel_end, int32_t token) {
  const int64_t stride = args.w.cols / kBlockColumns;
  for (int64_t i = panel_begin; i < panel_end; i++) {
    __m256 acc[T];
    panel_sums<F, T>(args.w.panels + i * args.w.panel_bytes, args.w.cols, args.blocks + token * stride,
                     stride, acc);
    for (int t = 0; t < T; t++) store(args, static_cast<int32_t>(i * kLanes), token + t, acc[t]);
  }
}

template <DType F>
INLINE __m256 load_column(const uint8_t* at) {
  if constexpr (F == DType::kF32) return _mm256_loadu_ps(reinterpret_cast<const float*>(at));
  if constexpr (F == DType::kF16) return load_halves(at);
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

// P panels times T tokens: a sum's additions wait for each other, so that several must be under way.
template <DType F, int P, int T>
INLINE void float_panels(const LinearArgs& args, int64_t panel, int32_t token) {
  constexpr int64_t kColumnBytes = (F == DType::kF32 ? 4 : 2) * kLanes;
  const uint8_t* const at = args.w.panels + panel * args.w.panel_bytes;
  const float* const x = args.x + token * args.x_stride;
  __m256 acc[P][T];
  for (int p = 0; p < P; p++) {
    for (int t = 0; t < T; t++) acc[p][t] = _mm256_setzero_ps();
  }
  for (int64_t k = 0; k < args.w.cols; k++) {
    for (int p = 0; p < P; p++) {
      const __m256 w = load_column<F>(at + p * args.w.panel_bytes + k * kColumnBytes);
      for (int t = 0; t < T; t++)
        acc[p][t] = _mm256_fmadd_ps(w, _mm256_set1_ps(x[t * args.x_stride + k]), acc[p][t]);
    }
  }
  for (int p = 0; p < P; p++) {
    for (int t = 0; t < T; t++) store(args, static_cast<int32_t>((panel + p) * kLanes), token + t, acc[p][t]);
  }
}

template <DType F, int T>
void float_tile(const LinearArgs& args, int64_t panel_begin, int64_t panel_end, int32_t token) {
  constexpr int kPanels = T == 4 ? 2 : 4;
  int64_t i = panel_begin;
  for (; i + kPanels <= panel_end; i += kPanels) float_panels<F, kPanels, T>(args, i, token);
  for (; i < panel_end; i++) float_panels<F, 1, T>(args, i, token);
}

template <DType F, int T>
INLINE void tile(const LinearArgs& args, int64_t panel_begin, int64_t panel_end, int32_t token) {
  if constexpr (F == DType::kF32 || F == DType::kF16 || F == DType::kBF16) {
    float_tile<F, T>(args, panel_begin, panel_end, token);
  } else {
    block_tile<F, T>(args, panel_begin, panel_end, token);
  }
}

// Chunks of panels, so that the weights of a chunk are read from memory once; within one, the activations of
// a tile stay in the first-level cache while the chunk passes.
template <DType F>
void product(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  const int64_t fitting = kChunkBytes / args.w.panel_bytes, chunk = fitting > 8 ? fitting : 8;
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
  switch (args.w.dtype) {
    case DType::kF32:
      return product<DType::kF32>(args, panel_begin, panel_end);
    case DType::kF16:
      return product<DType::kF16>(args, panel_begin, panel_end);
    case DType::kBF16:
      return product<DType::kBF16>(args, panel_begin, panel_end);
    case DType::kQ4_0:
      return product<DType::kQ4_0>(args, panel_begin, panel_end);
    case DType::kQ4_1:
      return product<DType::kQ4_1>(args, panel_begin, panel_end);
    case DType::kQ5_0:
      return product<DType::kQ5_0>(args, panel_begin, panel_end);
    case DType::kQ5_1:
      return product<DType::kQ5_1>(args, panel_begin, panel_end);
    case DType::kQ8_0:
      return product<DType::kQ8_0>(args, panel_begin, panel_end);
    case DType::kQ4_K:
      return product<DType::kQ4_K>(args, panel_begin, panel_end);
    case DType::kQ5_K:
      return product<DType::kQ5_K>(args, panel_begin, panel_end);
    case DType::kQ6_K:
      return product<DType::kQ6_K>(args, panel_begin, panel_end);
  }
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

INLINE int32_t sum_lanes(__m128i v) {
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4e));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0xb1));
  return _mm_cvtsi128_si32(v);
}

INLINE void write_block(__m256i q, float scale, ActivationBlock* out) {
  const __m256i sums = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
  const int32_t first = sum_lanes(_mm256_castsi256_si128(sums)),
                second = sum_lanes(_mm256_extracti128_si256(sums, 1));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->q), q);
  out->scale = scale;
  out->sum = first + second;
  out->scaled_sum = scale * static_cast<float>(first + second);
  out->half_sums[0] = static_cast<int16_t>(first);
  out->half_sums[1] = static_cast<int16_t>(second);
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
