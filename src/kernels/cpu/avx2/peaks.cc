#include "kernels/cpu/peaks_kernels.h"

#include <immintrin.h>

namespace hussar::cpu::avx2 {
namespace {

uint64_t read(const uint8_t* data, int64_t bytes) {
  __m256i sum[4] = {};
  for (int64_t i = 0; i < bytes; i += 128) {
    for (int c = 0; c < 4; c++) {
      sum[c] =
          _mm256_add_epi64(sum[c], _mm256_load_si256(reinterpret_cast<const __m256i*>(data + i + 32 * c)));
    }
  }
  const __m256i all = _mm256_add_epi64(_mm256_add_epi64(sum[0], sum[1]), _mm256_add_epi64(sum[2], sum[3]));
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
}

int64_t multiply(int64_t rounds) {
  constexpr int kChains = 8;
  __m256i sums[kChains] = {};
  const __m256i w = _mm256_set1_epi8(3);
  for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 8
    for (int c = 0; c < kChains; c++) {
      sums[c] = _mm256_maddubs_epi16(w, sums[c]);
      asm volatile("" : "+x"(sums[c]));  // or the compiler would see that all chains are equal
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < kChains; c++) asm volatile("" ::"x"(sums[c]));
  return rounds * kChains * 32;
}

}  // namespace

const PeakKernels kPeaks = {read, multiply};

}  // namespace hussar::cpu::avx2
