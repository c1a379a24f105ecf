// Vector building blocks of the AVX2 kernels. Only for translation units compiled for AVX2: everything here
// is in an unnamed namespace, so that the linker can't share it with others.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/exp_constants.h"

namespace hussar::cpu::avx2 {
namespace {

// The first `count` (0 .. 8) lanes.
[[maybe_unused]] inline __m256i lane_mask(int64_t count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lanes);
}

[[maybe_unused]] inline __m256 exponential(__m256 x) {
  const __m256 low = _mm256_set1_ps(kExpLow), magic = _mm256_set1_ps(kRoundMagic);
  const __m256 clamped = _mm256_min_ps(_mm256_max_ps(x, low), _mm256_set1_ps(kExpHigh));
  const __m256 shifted = _mm256_fmadd_ps(clamped, _mm256_set1_ps(kLog2E), magic);
  const __m256 n = _mm256_sub_ps(shifted, magic);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2High), clamped);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2Low), r);
  __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(kExp4), r, _mm256_set1_ps(kExp3));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(kExp2));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(kExp1));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(kExp0));
  p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
  const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
  const __m256 scaled = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
  return _mm256_andnot_ps(_mm256_cmp_ps(x, low, _CMP_LT_OQ), scaled);
}

// The sum over 16 virtual lanes, 0-7 and 8-15.
[[maybe_unused]] inline float sum_lanes(__m256 lanes0, __m256 lanes8) {
  const __m256 eight = _mm256_add_ps(lanes0, lanes8);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

[[maybe_unused]] inline float max_lanes(__m256 lanes) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

}  // namespace
}  // namespace hussar::cpu::avx2
