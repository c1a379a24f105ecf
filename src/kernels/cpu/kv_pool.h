// The keys and values of all sequences: blocks of 32 positions, handed out by the engine, laid out for
// attention.
//
// One KV head's part of a block in one layer is one piece: keys [head_dim, 32], so that SIMD lanes are
// positions, then values [32, value_width]. A block holds such a piece for every layer, but lies layer by
// layer in memory, since one layer's walk reads one of them.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "kernels/backend.h"
#include "kernels/cpu/attention_kernels.h"
#include "kernels/cpu/page_buffer.h"

namespace hussar::cpu {

class KvPool {
 public:
  static int64_t size_bytes(const ModelShape& shape, const KvOptions& options);

  // Errors: kOutOfMemory, as PageBuffer.
  static Result<KvPool> create(const ModelShape& shape, const KvOptions& options, ThreadTeam& team);
  KvPool() = default;

  int32_t blocks() const { return blocks_; }
  HalfType type() const { return type_; }
  const uint16_t* keys(int32_t layer, int32_t block, int32_t kv_head) const {
    return piece(layer, block, kv_head);
  }
  const uint16_t* values(int32_t layer, int32_t block, int32_t kv_head) const {
    return piece(layer, block, kv_head) + int64_t{head_dim_} * kKvBlockTokens;
  }

  // Stores the key and value [head_dim] of one position and KV head. `scratch` [head_dim]. Different heads
  // and blocks may be written at once.
  void store(const AttentionKernels& kernels, int32_t layer, int32_t block, int32_t offset, int32_t kv_head,
             const float* key, const float* value, uint16_t* scratch);

 private:
  uint16_t* piece(int32_t layer, int32_t block, int32_t kv_head) const {
    return reinterpret_cast<uint16_t*>(memory_.data()) +
           ((int64_t{layer} * blocks_ + block) * kv_heads_ + kv_head) * piece_elements_;
  }

  PageBuffer memory_;
  int64_t piece_elements_ = 0;
  int32_t blocks_ = 0;
  int32_t kv_heads_ = 0;
  int32_t head_dim_ = 0;
  HalfType type_ = HalfType::kF16;
};

}  // namespace hussar::cpu
