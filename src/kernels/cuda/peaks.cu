#include <algorithm>

#include "kernels/cuda/device.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/peaks.h"

namespace hussar::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kRounds = 5;  // of which the best counts
constexpr int64_t kReadBytes = int64_t{1} << 30;

__global__ void __launch_bounds__(kThreads) read_kernel(const uint4* data, int64_t count, uint32_t* out) {
  uint32_t sum = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  for (; i + 3 * step < count; i += 4 * step) {
    uint4 v[4];
#pragma unroll
    for (int j = 0; j < 4; j++) v[j] = load_once(data + i + j * step);
#pragma unroll
    for (int j = 0; j < 4; j++) sum ^= v[j].x ^ v[j].y ^ v[j].z ^ v[j].w;
  }
  if (sum == 0x12345679u) *out = sum;  // never, but the compiler can't know
}

constexpr int kChains = 8;
__global__ void __launch_bounds__(kThreads) multiply_kernel(int rounds, float* out) {
  float sums[kChains][4] = {};
  const uint32_t a = threadIdx.x * 0x3f803f80u, b = threadIdx.x * 0x3c003c01u;
  for (int i = 0; i < rounds; i++) {
#pragma unroll
    for (int c = 0; c < kChains; c++) multiply_add<BF16>(sums[c], a, a + c, b, b + c, a ^ b, b);
  }
  float sum = 0.0f;
  for (int c = 0; c < kChains; c++) sum += sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3];
  if (sum == 12345.678f) *out = sum;
}

// Seconds of the fastest of some runs.
template <typename Launch>
Result<double> best_seconds(cudaStream_t stream, Launch launch) {
  cudaEvent_t begin = nullptr, end = nullptr;
  RETURN_IF_ERROR(cuda_result(cudaEventCreate(&begin), "measuring the device"));
  RETURN_IF_ERROR(cuda_result(cudaEventCreate(&end), "measuring the device"));
  float best_ms = 1e9f;
  cudaError_t status = cudaSuccess;
  for (int i = 0; i < kRounds && status == cudaSuccess; i++) {
    (void)cudaEventRecord(begin, stream);
    launch();
    (void)cudaEventRecord(end, stream);
    status = cudaEventSynchronize(end);
    float ms = 0.0f;
    if (status == cudaSuccess) status = cudaEventElapsedTime(&ms, begin, end);
    best_ms = std::min(best_ms, ms);
  }
  (void)cudaEventDestroy(begin);
  (void)cudaEventDestroy(end);
  RETURN_IF_ERROR(cuda_result(status, "measuring the device"));
  return static_cast<double>(best_ms) / 1e3;
}

}  // namespace

Result<double> measure_read_bytes_per_second(cudaStream_t stream) {
  auto data = Buffer::create(Buffer::Place::kDevice, kReadBytes, "the buffer to measure reading with");
  if (!data.ok()) return std::move(data).error();
  const auto* words = reinterpret_cast<const uint4*>(data->data());
  auto* out = reinterpret_cast<uint32_t*>(data->data());
  ASSIGN_OR_RETURN(const double seconds, best_seconds(stream, [&] {
                     read_kernel<<<2048, kThreads, 0, stream>>>(words, kReadBytes / 16, out);
                   }));
  return static_cast<double>(kReadBytes) / seconds;
}

Result<double> measure_macs_per_second(cudaStream_t stream, int32_t multiprocessors) {
  auto out = Buffer::create(Buffer::Place::kDevice, 256, "the buffer to measure products with");
  if (!out.ok()) return std::move(out).error();
  constexpr int kTurns = 4096;
  ASSIGN_OR_RETURN(const double seconds, best_seconds(stream, [&] {
                     multiply_kernel<<<multiprocessors * 4, kThreads, 0, stream>>>(
                         kTurns, reinterpret_cast<float*>(out->data()));
                   }));
  const double products = double{kTurns} * kChains * (kThreads / kWarp) * multiprocessors * 4;
  return products * (16 * 8 * 16) / seconds;
}

}  // namespace hussar::cuda
