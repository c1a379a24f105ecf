#include "kernels/cpu/peaks_kernels.h"

#include <cstring>

namespace hussar::cpu::reference {
namespace {

uint64_t read(const uint8_t* data, int64_t bytes) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < bytes; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, data + i, sizeof(word));
    sum += word;
  }
  return sum;
}

int64_t multiply(int64_t rounds) {
  constexpr int32_t kChains = 8;
  int32_t sums[kChains] = {};
  for (int64_t i = 0; i < rounds; i++) {
    for (int32_t c = 0; c < kChains; c++) {
      sums[c] += static_cast<int8_t>(i) * (c + 3);
      asm volatile("" : "+r"(sums[c]));  // keeps each product a product
    }
  }
  return rounds * kChains;
}

}  // namespace

const PeakKernels kPeaks = {read, multiply};

}  // namespace hussar::cpu::reference
