// What attention of generated tokens and of prompts share.
#pragma once

#include "kernels/cuda/attention.h"
#include "kernels/cuda/math.cuh"

namespace hussar::cuda {

constexpr float kMinusInfinity = -__builtin_huge_valf();
constexpr float kLog2E = 1.4426950408889634f;

__device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

// A running softmax of 16 rows: this lane's rows g and g + 8. Scores come as they are; `scale` makes them
// powers of two. REQUIRES: of a row's first scores one at least is above -infinity.
template <int kHeadDim>
struct Running {
  float scale;
  float max[2] = {kMinusInfinity, kMinusInfinity};  // scaled
  float total[2] = {0.0f, 0.0f};                    // this lane's part of it
  float sums[kHeadDim / 8][4] = {};

  // Makes room for scores up to `highest` of the lane's columns.
  __device__ __forceinline__ void raise(const float* highest) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float m = highest[r];
      m = fmaxf(m, __shfl_xor_sync(kAllLanes, m, 1));
      m = fmaxf(m, __shfl_xor_sync(kAllLanes, m, 2));
      m = fmaxf(m * scale, max[r]);
      const float factor = power_of_two(max[r] - m);
      max[r] = m;
      total[r] *= factor;
#pragma unroll
      for (int i = 0; i < kHeadDim / 8; i++) {
        sums[i][2 * r] *= factor;
        sums[i][2 * r + 1] *= factor;
      }
    }
  }
  __device__ __forceinline__ float weight(float score, int r) const {
    return power_of_two(fmaf(score, scale, -max[r]));
  }
  __device__ float row_total(int r) const {
    float sum = total[r];
    sum += __shfl_xor_sync(kAllLanes, sum, 1);
    return sum + __shfl_xor_sync(kAllLanes, sum, 2);
  }
};

// Calls fn with the types and the head's size as template arguments.
template <typename Fn>
void with_types(HalfType kv_type, HalfType type, int32_t head_dim, Fn fn) {
  const auto with_dim = [&]<typename KV, typename T>() {
    if (head_dim == 64) return fn.template operator()<KV, T, 64>();
    fn.template operator()<KV, T, 128>();
  };
  const auto with_kv = [&]<typename KV>() {
    type == HalfType::kBF16 ? with_dim.template operator()<KV, BF16>()
                            : with_dim.template operator()<KV, F16>();
  };
  kv_type == HalfType::kBF16 ? with_kv.template operator()<BF16>() : with_kv.template operator()<F16>();
}

}  // namespace hussar::cuda
