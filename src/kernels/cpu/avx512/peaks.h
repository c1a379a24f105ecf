// What AVX-512's kPeaks is made of, for the instruction sets that add to it.
#pragma once

#include <cstdint>

namespace hussar::cpu::avx512 {

uint64_t read(const uint8_t* data, int64_t bytes);

}  // namespace hussar::cpu::avx512
