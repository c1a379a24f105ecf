// What the device can do at best, measured with kernels that do nothing else.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "base/result.h"

namespace hussar::cuda {

// Bytes a second that all multiprocessors together read of a buffer larger than the cache.
Result<double> measure_read_bytes_per_second(cudaStream_t stream);
// Multiply-accumulates a second of the tensor cores on BF16, by the instruction that the kernels use
// (mma.sync, which reaches a part of what Hopper's wgmma can).
Result<double> measure_macs_per_second(cudaStream_t stream, int32_t multiprocessors);

}  // namespace hussar::cuda
