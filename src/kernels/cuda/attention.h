// Attention over the paged pool. The query heads of a KV head are packed together as rows of a tensor-core
// product, so that keys and values are read once for all of them.
//
// Generated tokens: a context is cut at fixed positions into splits of kSplitTokens; the last block that
// finishes a row merges its splits in order, so that the sum depends on the context alone. Prompts: tiles
// of packed rows walk the context together.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/row_kernels.h"
#include "kernels/cuda/step_inputs.h"

namespace hussar::cuda {

constexpr int kPrefillQueries = 128;  // packed rows of a tile of a prompt
constexpr int kGroupHeads = 16;       // query heads that share a tile; more need several

struct AttentionArgs {
  const void* query;   // [T, heads * head_dim], the type of the pool
  const void* keys;    // of the layer: [blocks, kv_heads, kBlockTokens, head_dim]
  const void* values;  // of the layer: [blocks, kv_heads, head_dim, kBlockTokens]
  void* out;           // [T, heads * head_dim], the type of the weights
  int32_t heads, kv_heads, head_dim;
  int32_t splits_max;  // of a context
  float* partials;     // [generated rows, kv_heads * head tiles, splits_max, kGroupHeads, head_dim + 2]
  int32_t*
      unfinished;  // [generated rows, kv_heads * head tiles]: splits that are done; zero between launches
};

bool attention_supports(int32_t head_dim);
inline int32_t head_tiles(int32_t heads, int32_t kv_heads) {
  return (heads / kv_heads + kGroupHeads - 1) / kGroupHeads;
}
inline int64_t partial_floats(int32_t rows, int32_t heads, int32_t kv_heads, int32_t head_dim,
                              int32_t splits_max) {
  return int64_t{rows} * kv_heads * head_tiles(heads, kv_heads) * splits_max * kGroupHeads * (head_dim + 2);
}

// Over in.decode_items: a fixed number of blocks takes them in turn, so that a recorded step fits any
// context.
void attend_generated(HalfType kv_type, HalfType type, const AttentionArgs& args, const StepInputs& in,
                      int32_t blocks, const Stream& stream);
void attend_prompts(HalfType kv_type, HalfType type, const AttentionArgs& args, const StepInputs& in,
                    int32_t items, const Stream& stream);

// Once, before the first attend_prompts().
cudaError_t prepare_attention();

}  // namespace hussar::cuda
