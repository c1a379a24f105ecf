// Operations that go over rows one by one: embedding, normalisation, rotation, storing keys and values.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/sample.h"
#include "kernels/cuda/step_inputs.h"
#include "kernels/weight.h"

namespace hussar::cuda {

enum class HalfType : uint8_t { kF16, kBF16 };

// x[rows, cols] = table[tokens[row]]; a negative token is token_sampled_by() a row of `sampled`.
void embed(HalfType type, const void* table, const int32_t* tokens, const SampleResult* sampled, int32_t rows,
           int32_t cols, float* x, const Stream& stream);

// out[i] = x[gathered[i]] / rms * weight; gathered may be null.
void rms_norm(HalfType type, const float* x, const int32_t* gathered, const float* weight, float epsilon,
              int32_t rows, int32_t cols, void* out, const Stream& stream);

// out[i] = silu(gate_up[i, 0 .. columns)) * gate_up[i, columns .. 2 columns), all of `type`.
void gate(HalfType type, const void* gate_up, int32_t rows, int32_t columns, void* out, const Stream& stream);

struct RotateArgs {
  const float* qkv;      // [T, (heads + 2 kv_heads) * head_dim]
  const float* bias[3];  // of queries, keys, values; or null
  const float* q_norm;
  const float* k_norm;  // [head_dim] or null
  float epsilon;
  const float2* rotations;  // [context, pairs] cosine and sine
  int32_t pairs;            // rotated, of each head
  RopeStyle style;
  int32_t rows, heads, kv_heads, head_dim;
  void* query;   // [T, heads * head_dim] in the type of the KV pool
  void* keys;    // of the layer: [blocks, kv_heads, kBlockTokens, head_dim]
  void* values;  // of the layer: [blocks, kv_heads, head_dim, kBlockTokens]
};
void rotate_and_store(HalfType kv_type, const RotateArgs& args, const StepInputs& in, const Stream& stream);

}  // namespace hussar::cuda
