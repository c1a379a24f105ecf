#include "kernels/cuda/math.cuh"
#include "kernels/cuda/row_kernels.h"

namespace hussar::cuda {
namespace {

constexpr int kRowThreads = 128;
constexpr int kRowWarps = kRowThreads / kWarp;

template <typename T>
__global__ void __launch_bounds__(kRowThreads)
    embed_kernel(const T* table, const int32_t* tokens, const SampleResult* sampled, int cols, float* x) {
  let_next_start();
  await_previous();
  int token = tokens[blockIdx.x];
  if (token < 0) token = max(sampled[~token].token, 0);
  const T* from = table + static_cast<int64_t>(token) * cols;
  float* to = x + static_cast<int64_t>(blockIdx.x) * cols;
  for (int i = threadIdx.x; i < cols; i += kRowThreads) to[i] = to_float(from[i]);
}

// REQUIRES: cols is a multiple of 4.
template <typename T>
__global__ void __launch_bounds__(kRowThreads)
    rms_norm_kernel(const float* x, const int32_t* gathered, const float* weight, float epsilon, int cols,
                    T* out) {
  __shared__ float sums[kRowWarps];
  let_next_start();
  await_previous();
  const int64_t row = gathered == nullptr ? blockIdx.x : gathered[blockIdx.x];
  const auto* from = reinterpret_cast<const float4*>(x + row * cols);
  const auto* scales = reinterpret_cast<const float4*>(weight);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < cols / 4; i += kRowThreads) {
    const float4 v = from[i];
    sum += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = sum;
  __syncthreads();
  float all = 0.0f;
#pragma unroll
  for (int i = 0; i < kRowWarps; i++) all += sums[i];
  const float scale = 1.0f / sqrtf(all / static_cast<float>(cols) + epsilon);
  auto* to = reinterpret_cast<uint2*>(out + static_cast<int64_t>(blockIdx.x) * cols);
  for (int i = threadIdx.x; i < cols / 4; i += kRowThreads) {
    const float4 v = from[i], w = scales[i];
    to[i] = make_uint2(pack<T>(v.x * scale * w.x, v.y * scale * w.y),
                       pack<T>(v.z * scale * w.z, v.w * scale * w.w));
  }
}

// Element i of a rotated head; `x(i)` gives the elements before.
template <typename X>
__device__ float rotated(const X& x, int i, const float2* rotations, int pairs, RopeStyle style) {
  if (i >= 2 * pairs) return x(i);
  if (style == RopeStyle::kHalves) {
    const bool second = i >= pairs;
    const float2 r = rotations[second ? i - pairs : i];
    return second ? x(i) * r.x + x(i - pairs) * r.y : x(i) * r.x - x(i + pairs) * r.y;
  }
  const float2 r = rotations[i / 2];
  return i % 2 == 1 ? x(i) * r.x + x(i - 1) * r.y : x(i) * r.x - x(i + 1) * r.y;
}

// REQUIRES: columns is a multiple of 8.
template <typename T>
__global__ void __launch_bounds__(kRowThreads) gate_kernel(const T* gate_up, int columns, T* out) {
  let_next_start();
  await_previous();
  const int i = (blockIdx.y * kRowThreads + threadIdx.x) * 8;
  if (i >= columns) return;
  const T* gates = gate_up + static_cast<int64_t>(blockIdx.x) * 2 * columns + i;
  const uint4 packed_gates = *reinterpret_cast<const uint4*>(gates);
  const uint4 packed_ups = *reinterpret_cast<const uint4*>(gates + columns);
  const T* g = reinterpret_cast<const T*>(&packed_gates);
  const T* u = reinterpret_cast<const T*>(&packed_ups);
  uint32_t results[4];
#pragma unroll
  for (int j = 0; j < 4; j++) {
    const float first = to_float(g[2 * j]), second = to_float(g[2 * j + 1]);
    results[j] = pack<T>(first / (1.0f + __expf(-first)) * to_float(u[2 * j]),
                         second / (1.0f + __expf(-second)) * to_float(u[2 * j + 1]));
  }
  *reinterpret_cast<uint4*>(out + static_cast<int64_t>(blockIdx.x) * columns + i) =
      make_uint4(results[0], results[1], results[2], results[3]);
}

// One warp: a head of a row, of queries, keys or values.
template <typename KV>
__device__ __forceinline__ void rotate_head(const RotateArgs& a, int row, int head, int position, int place) {
  const int lane = threadIdx.x % kWarp, all_heads = a.heads + 2 * a.kv_heads, d = a.head_dim;
  const float* from = a.qkv + (static_cast<int64_t>(row) * all_heads + head) * d;
  const int kind = head < a.heads ? 0 : head < a.heads + a.kv_heads ? 1 : 2;
  const int first_head = kind == 0 ? 0 : kind == 1 ? a.heads : a.heads + a.kv_heads;
  const float* bias = kind == 0 ? a.bias[0] : kind == 1 ? a.bias[1] : a.bias[2];
  if (bias != nullptr) bias += (head - first_head) * d;
  const auto biased = [&](int i) { return bias == nullptr ? from[i] : from[i] + bias[i]; };
  const int64_t piece =
      (static_cast<int64_t>(place / kBlockTokens) * a.kv_heads + head - first_head) * d * kBlockTokens;
  if (kind == 2) {
    KV* to = static_cast<KV*>(a.values) + piece + place % kBlockTokens;
    for (int i = lane; i < d; i += kWarp) to[i * kBlockTokens] = from_float<KV>(biased(i));
    return;
  }
  const float* norm = kind == 0 ? a.q_norm : a.k_norm;
  float scale = 1.0f;
  if (norm != nullptr) {
    float sum = 0.0f;
    for (int i = lane; i < d; i += kWarp) sum += biased(i) * biased(i);
    scale = 1.0f / sqrtf(warp_sum(sum) / static_cast<float>(d) + a.epsilon);
  }
  const auto x = [&](int i) { return norm == nullptr ? biased(i) : biased(i) * scale * norm[i]; };
  const float2* rotations = a.rotations + static_cast<int64_t>(position) * a.pairs;
  KV* to = kind == 0 ? static_cast<KV*>(a.query) + (static_cast<int64_t>(row) * a.heads + head) * d
                     : static_cast<KV*>(a.keys) + piece + place % kBlockTokens * d;
  for (int i = lane; i < d; i += kWarp) to[i] = from_float<KV>(rotated(x, i, rotations, a.pairs, a.style));
}

template <typename KV>
__global__ void __launch_bounds__(kRowThreads) rotate_kernel(RotateArgs a, StepInputs in) {
  let_next_start();
  await_previous();
  const int all_heads = a.heads + 2 * a.kv_heads;
  const int row = blockIdx.x, head = blockIdx.y * kRowWarps + threadIdx.x / kWarp;
  const int place = in.places[row];
  if (head < all_heads && place >= 0) rotate_head<KV>(a, row, head, in.positions[row], place);
}

}  // namespace

void embed(HalfType type, const void* table, const int32_t* tokens, const SampleResult* sampled, int32_t rows,
           int32_t cols, float* x, const Stream& stream) {
  if (type == HalfType::kBF16) {
    launch(embed_kernel<BF16>, rows, kRowThreads, 0, stream, static_cast<const BF16*>(table), tokens, sampled,
           cols, x);
  } else {
    launch(embed_kernel<F16>, rows, kRowThreads, 0, stream, static_cast<const F16*>(table), tokens, sampled,
           cols, x);
  }
}

void rms_norm(HalfType type, const float* x, const int32_t* gathered, const float* weight, float epsilon,
              int32_t rows, int32_t cols, void* out, const Stream& stream) {
  if (type == HalfType::kBF16) {
    launch(rms_norm_kernel<BF16>, rows, kRowThreads, 0, stream, x, gathered, weight, epsilon, cols,
           static_cast<BF16*>(out));
  } else {
    launch(rms_norm_kernel<F16>, rows, kRowThreads, 0, stream, x, gathered, weight, epsilon, cols,
           static_cast<F16*>(out));
  }
}

void gate(HalfType type, const void* gate_up, int32_t rows, int32_t columns, void* out,
          const Stream& stream) {
  const dim3 grid(rows, (columns / 8 + kRowThreads - 1) / kRowThreads);
  if (type == HalfType::kBF16) {
    launch(gate_kernel<BF16>, grid, kRowThreads, 0, stream, static_cast<const BF16*>(gate_up), columns,
           static_cast<BF16*>(out));
  } else {
    launch(gate_kernel<F16>, grid, kRowThreads, 0, stream, static_cast<const F16*>(gate_up), columns,
           static_cast<F16*>(out));
  }
}

void rotate_and_store(HalfType kv_type, const RotateArgs& args, const StepInputs& in, const Stream& stream) {
  const int all_heads = args.heads + 2 * args.kv_heads;
  const dim3 grid(args.rows, (all_heads + kRowWarps - 1) / kRowWarps);
  if (kv_type == HalfType::kBF16) {
    launch(rotate_kernel<BF16>, grid, kRowThreads, 0, stream, args, in);
  } else {
    launch(rotate_kernel<F16>, grid, kRowThreads, 0, stream, args, in);
  }
}

}  // namespace hussar::cuda
