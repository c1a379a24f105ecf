#include "kernels/cpu/avx512/peaks.h"

#include <immintrin.h>

#include "kernels/cpu/peaks_kernels.h"

namespace hussar::cpu::avx512 {

uint64_t read(const uint8_t* data, int64_t bytes) {
  __m512i sum[4] = {};
  for (int64_t i = 0; i < bytes; i += 256) {
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) sum[c] = _mm512_add_epi64(sum[c], _mm512_load_si512(data + i + 64 * c));
  }
  const __m512i all = _mm512_add_epi64(_mm512_add_epi64(sum[0], sum[1]), _mm512_add_epi64(sum[2], sum[3]));
  return static_cast<uint64_t>(_mm512_reduce_add_epi64(all));
}

namespace {

int64_t multiply(int64_t rounds) {
  constexpr int kChains = 16;
  __m512i sums[kChains] = {};
  const __m512i w = _mm512_set1_epi8(3);
  for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
    for (int c = 0; c < kChains; c++) {
      sums[c] = _mm512_dpbusd_epi32(sums[c], w, w);
      asm volatile("" : "+v"(sums[c]));  // or the compiler would see that all chains are equal
    }
  }
#pragma GCC unroll 16
  for (int c = 0; c < kChains; c++) asm volatile("" ::"v"(sums[c]));
  return rounds * kChains * 64;
}

}  // namespace

const PeakKernels kPeaks = {read, multiply};

}  // namespace hussar::cpu::avx512
