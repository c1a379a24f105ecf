#include "kernels/cpu/kv_pool.h"

#include <utility>

namespace hussar::cpu {
namespace {

int64_t piece_elements(const ModelShape& shape) {
  return int64_t{kKvBlockTokens} * (shape.head_dim + value_width(shape.head_dim));
}

}  // namespace

int64_t KvPool::size_bytes(const ModelShape& shape, const KvOptions& options) {
  return piece_elements(shape) * shape.kv_heads * shape.layers * options.blocks *
         static_cast<int64_t>(sizeof(uint16_t));
}

Result<KvPool> KvPool::create(const ModelShape& shape, const KvOptions& options, ThreadTeam& team) {
  KvPool pool;
  ASSIGN_OR_RETURN(pool.memory_, PageBuffer::create(size_bytes(shape, options), "the KV cache", team));
  pool.piece_elements_ = piece_elements(shape);
  pool.blocks_ = options.blocks;
  pool.kv_heads_ = shape.kv_heads;
  pool.head_dim_ = shape.head_dim;
  pool.type_ = options.type == KvType::kF16 ? HalfType::kF16 : HalfType::kBF16;
  return pool;
}

void KvPool::store(const AttentionKernels& kernels, int32_t layer, int32_t block, int32_t offset,
                   int32_t kv_head, const float* key, const float* value, uint16_t* scratch) {
  uint16_t* keys = piece(layer, block, kv_head);
  uint16_t* values = keys + int64_t{head_dim_} * kKvBlockTokens + int64_t{offset} * value_width(head_dim_);
  kernels.to_kv(value, head_dim_, type_, values);
  kernels.to_kv(key, head_dim_, type_, scratch);
  for (int32_t h = 0; h < head_dim_; h++) keys[int64_t{h} * kKvBlockTokens + offset] = scratch[h];
}

}  // namespace hussar::cpu
