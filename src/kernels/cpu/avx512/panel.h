// How the AVX-512 kernels read a panel (packed_matrix.h) and write a product's totals. For the translation
// units that are compiled for AVX-512 alone: all of it is inlined into them.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/linear_kernels.h"

namespace hussar::cpu::avx512 {
namespace {

#define INLINE inline __attribute__((always_inline))

constexpr int kVectorBytes = 4 * kPanelRows;  // the quants of 4 columns: one register

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

INLINE __m512i load(const uint8_t* at) { return _mm512_loadu_si512(at); }
INLINE __m256i load_half(const uint8_t* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
// 16 f16 numbers, and 16 small integers, as floats.
INLINE __m512 load_f16(const uint8_t* at) { return _mm512_cvtph_ps(load_half(at)); }
INLINE __m512 load_u8(const uint8_t* at) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
}
// The quants of 4 columns as unsigned bytes, for each of the 8 groups of a block; Q8_0 as q + 128.
template <DType F>
INLINE void unpack(const uint8_t* at, __m512i* w) {
  if constexpr (F == DType::kQ8_0) {
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++) w[g] = _mm512_xor_si512(load(at + kVectorBytes * g), _mm512_set1_epi8(-128));
    return;
  }
  const __m512i low = _mm512_set1_epi8(15);
#pragma GCC unroll 4
  for (int v = 0; v < 4; v++) {
    const __m512i both = load(at + kVectorBytes * v);
    w[v] = _mm512_and_si512(both, low);
    w[v + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
  }
  if constexpr (has_fifth_bits(F)) {
    const __m512i bits = load(at + 4 * kVectorBytes), fifth = _mm512_set1_epi8(16);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
      const __m512i moved = g <= 4 ? _mm512_slli_epi16(bits, 4 - g) : _mm512_srli_epi16(bits, g - 4);
      w[g] = _mm512_or_si512(w[g], _mm512_and_si512(moved, fifth));
    }
  }
  if constexpr (F == DType::kQ6_K) {
    const __m512i pair = _mm512_set1_epi8(48);
#pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
      const __m512i bits = load(at + (4 + g / 4) * kVectorBytes);
      const int v = g % 4;
      const __m512i moved = v <= 2 ? _mm512_slli_epi16(bits, 4 - 2 * v) : _mm512_srli_epi16(bits, 2 * v - 4);
      w[g] = _mm512_or_si512(w[g], _mm512_and_si512(moved, pair));
    }
  }
}

// What a block's integer sums are multiplied by.
struct Scales {
  __m512 d;
  __m512 m;
};

// Of a block of a format without superblocks, whose scales stand behind its quants.
template <DType F>
INLINE Scales block_scales(const uint8_t* at) {
  const uint8_t* const f16 = at + quant_bytes(F);
  Scales scales = {load_f16(f16), _mm512_setzero_ps()};
  if constexpr (has_min(F)) scales.m = load_f16(f16 + 2 * kPanelRows);
  return scales;
}

// Scales of sub-block j of a superblock of Q4_K or Q5_K, and of a whole one of Q6_K.
template <DType F>
INLINE Scales super_scales(const uint8_t* super, int j) {
  Scales scales = {load_f16(super), _mm512_setzero_ps()};
  if constexpr (has_min(F)) {
    const uint8_t* const small = super + (4 + j) * kPanelRows;
    const __m512 negative_min = _mm512_xor_ps(load_f16(super + 2 * kPanelRows), _mm512_set1_ps(-0.0f));
    scales.d = _mm512_mul_ps(scales.d, load_u8(small));
    scales.m = _mm512_mul_ps(negative_min, load_u8(small + 8 * kPanelRows));
  }
  return scales;
}

// What unpack() adds to quants with a sign.
constexpr int quant_offset(DType f) {
  return f == DType::kQ4_0   ? 8
         : f == DType::kQ5_0 ? 16
         : f == DType::kQ6_K ? 32
         : f == DType::kQ8_0 ? 128
                             : 0;
}

// The small scales of sub-block j of a superblock of Q6_K, of its columns 0 .. 15 and 16 .. 31.
struct SmallScales {
  __m512 first;
  __m512 second;
};
INLINE SmallScales load_small_scales(const uint8_t* super, int j) {
  const __m512i pairs = _mm512_cvtepi8_epi16(load_half(super + (2 + 2 * j) * kPanelRows));
  return {_mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16)),
          _mm512_cvtepi32_ps(_mm512_srai_epi32(pairs, 16))};
}

// Writes the totals of a panel from `row` on; what lies behind the last row is left out.
INLINE void store(const LinearArgs& args, int64_t row, int32_t token, __m512 total) {
  const int64_t count = args.w.rows - row;
  const auto mask = static_cast<__mmask16>(count >= kPanelRows ? 0xffff : (1 << count) - 1);
  float* const y = args.y + token * args.y_stride + row;
  if (args.bias != nullptr) total = _mm512_add_ps(total, _mm512_maskz_loadu_ps(mask, args.bias + row));
  if (args.mode == StoreMode::kAdd) total = _mm512_add_ps(total, _mm512_maskz_loadu_ps(mask, y));
  _mm512_mask_storeu_ps(y, mask, total);
}

}  // namespace
}  // namespace hussar::cpu::avx512
