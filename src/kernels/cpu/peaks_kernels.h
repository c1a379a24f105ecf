// The loops behind peaks.h. Plain structures only, for the reason that linear_kernels.h gives.
#pragma once

#include <cstdint>

namespace hussar::cpu {

struct PeakKernels {
  // Reads bytes (a multiple of 256, 64-byte aligned) once; the result depends on all of them.
  uint64_t (*read)(const uint8_t* data, int64_t bytes);
  // Runs the dot products of prompt rows (of integers, or of BF16 where there are tiles) that stay in
  // registers; returns how many multiply-accumulates it did.
  int64_t (*multiply)(int64_t rounds);
};

namespace reference {
extern const PeakKernels kPeaks;
}
namespace avx2 {
extern const PeakKernels kPeaks;
}
namespace avx512 {
extern const PeakKernels kPeaks;
}
namespace amx {
extern const PeakKernels kPeaks;
}

}  // namespace hussar::cpu
