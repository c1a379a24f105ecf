#include "kernels/cpu/amx/weight_tiles.h"

#include <immintrin.h>

#include "kernels/cpu/avx512/panel.h"
#include "kernels/cpu/format_switch.h"

namespace hussar::cpu::amx {
namespace {

using namespace avx512;

// d q + m of two columns for 16 rows, as BF16 beside each other.
INLINE __m512i pair_to_bf16(__m512i even, __m512i odd, __m512 d, __m512 m) {
  const __m512 low = _mm512_fmadd_ps(d, _mm512_cvtepi32_ps(even), m),
               high = _mm512_fmadd_ps(d, _mm512_cvtepi32_ps(odd), m);
  const __m512i both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
  const __m512i interleaved = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                               23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(interleaved, both);
}

// The quants of 4 columns as two rows of a tile.
INLINE void write_group(__m512i w, __m512 d, __m512 m, uint16_t* out) {
  const __m512i low = _mm512_set1_epi32(0xff);
  const __m512i q0 = _mm512_and_si512(w, low), q1 = _mm512_and_si512(_mm512_srli_epi32(w, 8), low);
  const __m512i q2 = _mm512_and_si512(_mm512_srli_epi32(w, 16), low), q3 = _mm512_srli_epi32(w, 24);
  _mm512_store_si512(out, pair_to_bf16(q0, q1, d, m));
  _mm512_store_si512(out + 2 * kPanelRows, pair_to_bf16(q2, q3, d, m));
}

template <DType F>
INLINE void write_block(const uint8_t* at, const Scales& scales, uint16_t* out) {
  __m512i w[8];
  unpack<F>(at, w);
  // Exact: a scale has 11 bits, or 19 with a small one.
  const __m512 m = has_min(F) ? scales.m : _mm512_mul_ps(scales.d, _mm512_set1_ps(-quant_offset(F)));
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) write_group(w[g], scales.d, m, out + 4 * g * kPanelRows);
}

// Q6_K has a scale for each 16 columns.
INLINE void write_q6_block(const uint8_t* super, int j, uint16_t* out) {
  __m512i w[8];
  unpack<DType::kQ6_K>(super + super_bytes(DType::kQ6_K) + j * block_bytes(DType::kQ6_K), w);
  const SmallScales small = load_small_scales(super, j);
  const __m512 d = load_f16(super), offset = _mm512_set1_ps(-quant_offset(DType::kQ6_K));
  const __m512 first = _mm512_mul_ps(d, small.first), second = _mm512_mul_ps(d, small.second);
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) {
    const __m512 scale = g < 4 ? first : second;
    write_group(w[g], scale, _mm512_mul_ps(scale, offset), out + 4 * g * kPanelRows);
  }
}

// BF16 columns of a panel lie one behind the other: pairs of them are interleaved. Columns from `count` on
// are zero.
INLINE void write_bf16_block(const uint8_t* at, int32_t count, uint16_t* out) {
  for (int32_t k = 0; k < kTileColumns; k += 2) {
    const auto column = [&](int32_t c) {
      return c < count ? _mm512_cvtepu16_epi32(load_half(at + 2 * kPanelRows * c)) : _mm512_setzero_si512();
    };
    _mm512_store_si512(out + k * kPanelRows,
                       _mm512_or_si512(column(k), _mm512_slli_epi32(column(k + 1), 16)));
  }
}

template <DType F>
void write_tiles(const MatrixView& w, int64_t panel, int32_t first, int32_t count, uint16_t* out) {
  const uint8_t* const at = w.panels + panel * w.panel_bytes;
  for (int32_t i = first; i < first + count; i++, out += kTileElements) {
    const uint8_t* const super = at + i / 8 * (super_bytes(F) + 8 * block_bytes(F));
    if constexpr (F == DType::kBF16) {
      write_bf16_block(at + int64_t{i} * kTileColumns * 2 * kPanelRows, w.cols - i * kTileColumns, out);
    } else if constexpr (F == DType::kQ6_K) {
      write_q6_block(super, i % 8, out);
    } else if constexpr (is_super(F)) {
      write_block<F>(super + super_bytes(F) + i % 8 * block_bytes(F), super_scales<F>(super, i % 8), out);
    } else {
      write_block<F>(at + i * block_bytes(F), block_scales<F>(at + i * block_bytes(F)), out);
    }
  }
}

}  // namespace

WeightWriter weight_writer(DType dtype) {
  return with_format(dtype, [](auto format) -> WeightWriter {
    if constexpr (format() == DType::kF32 || format() == DType::kF16) {
      return nullptr;
    } else {
      return write_tiles<format()>;
    }
  });
}

}  // namespace hussar::cpu::amx
