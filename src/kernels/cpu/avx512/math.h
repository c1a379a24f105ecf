// Vector building blocks of the AVX-512 kernels. Only for translation units compiled for AVX-512: everything
// here is in an unnamed namespace, so that the linker can't share it with others.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/exp_constants.h"

namespace hussar::cpu::avx512 {
namespace {

// The first `count` lanes; all 16 when it is more.
[[maybe_unused]] inline __mmask16 lane_mask(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffffu : (1u << count) - 1u);
}

[[maybe_unused]] inline __m512 exponential(__m512 x) {
  const __m512 low = _mm512_set1_ps(kExpLow), magic = _mm512_set1_ps(kRoundMagic);
  const __m512 clamped = _mm512_min_ps(_mm512_max_ps(x, low), _mm512_set1_ps(kExpHigh));
  const __m512 shifted = _mm512_fmadd_ps(clamped, _mm512_set1_ps(kLog2E), magic);
  const __m512 n = _mm512_sub_ps(shifted, magic);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2High), clamped);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2Low), r);
  __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(kExp4), r, _mm512_set1_ps(kExp3));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(kExp2));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(kExp1));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(kExp0));
  p = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1.0f));
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
  const __m512 scaled = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), exponent));
  return _mm512_maskz_mov_ps(static_cast<__mmask16>(~_mm512_cmp_ps_mask(x, low, _CMP_LT_OQ)), scaled);
}

// The sum over the 16 lanes, halves added to each other as every ISA does it.
[[maybe_unused]] inline float sum_lanes(__m512 lanes) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

[[maybe_unused]] inline float max_lanes(__m512 lanes) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

}  // namespace
}  // namespace hussar::cpu::avx512
