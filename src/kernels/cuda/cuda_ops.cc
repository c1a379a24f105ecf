// The operations of CudaBackend that a forward pass is made of.
#include <algorithm>

#include "base/check.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/cuda_backend.h"

namespace hussar::cuda {
namespace {

constexpr int32_t kDecodeBlocksPerMultiprocessor = 8;

HalfType half_type(KvType type) { return type == KvType::kBF16 ? HalfType::kBF16 : HalfType::kF16; }

Matrices one_matrix(const void* w, int64_t rows) {
  const auto end = static_cast<int32_t>(rows);
  return {{w, w, w}, {end, end, end}};
}

}  // namespace

LinearArgs CudaBackend::normed_input(const float* norm) {
  LinearArgs args{};
  args.rows = step_.rows;
  args.k = shape_.hidden;
  if (args.rows <= kNormRowsMax && args.k <= kNormColumnsMax) {
    args.raw = work_.hidden;
    args.norm = norm;
    args.epsilon = shape_.norm_epsilon;
  } else {
    args.x = work_.normed;
    rms_norm(*type_, work_.hidden, nullptr, norm, shape_.norm_epsilon, args.rows, args.k, work_.normed,
             overlapping_);
  }
  return args;
}

bool CudaBackend::multiply_large(const LinearArgs& args) {
  using Wanted = LargeProduct::Result;
  const bool gated = args.product == Product::kGated;
  const Matrices& m = args.matrices;
  // One product for all of the matrices, where they lie one behind the other.
  const int32_t parts = gated ? 2 : m.w[0] == m.w[2] ? 1 : 3;
  const auto* w = static_cast<const std::byte*>(m.w[0]);
  for (int32_t i = 1; i < parts; i++) {
    const int64_t rows_before = gated ? args.columns : m.end[i - 1];
    if (m.w[i] != w + rows_before * args.k * 2) return false;
  }
  LargeProduct product{};
  product.x = args.x;
  product.w = w;
  product.rows = padded_rows(args.rows);
  product.columns = gated ? 2 * args.columns : args.columns;
  product.k = args.k;
  product.y = gated ? static_cast<void*>(work_.gate_up) : args.y;
  product.y_stride = gated ? 2 * args.y_stride : args.y_stride;
  product.result = gated ? Wanted::kHalf : args.product == Product::kAdd ? Wanted::kAddFloat : Wanted::kFloat;
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
  if (!library_->multiply(*type_, product, stream_, &status)) {
    if (status != CUBLAS_STATUS_SUCCESS) works(cudaErrorUnknown, "a product by cuBLASLt");
    return status != CUBLAS_STATUS_SUCCESS;
  }
  if (gated) gate(*type_, work_.gate_up, args.rows, args.columns, args.y, overlapping_);
  return true;
}

void CudaBackend::multiply(const LinearArgs& args) {
  if (args.rows > kSkinnyRowsMax && library_ != nullptr && multiply_large(args)) return;
  linear(*type_, args, overlapping_);
}

void CudaBackend::embed(const Weight& table, Activation x) {
  CHECK(x == Activation::kHidden);
  cuda::embed(*type_, matrix(table, shape_.vocab_size, shape_.hidden), in_.tokens, work_.results, step_.rows,
              shape_.hidden, work_.hidden, overlapping_);
  launched("embed");
}

void CudaBackend::norm_qkv_rope_store(Activation x, const AttentionWeights& w, int32_t layer, Activation q) {
  CHECK(x == Activation::kHidden && q == Activation::kQuery && layer >= 0 && layer < shape_.layers);
  const int32_t hidden = shape_.hidden, q_width = shape_.heads * shape_.head_dim;
  const int32_t kv_width = shape_.kv_heads * shape_.head_dim, width = q_width + 2 * kv_width;
  const float* norm = vector(w.norm, hidden);
  CHECK(norm != nullptr);
  LinearArgs args = normed_input(norm);
  args.columns = width;
  args.matrices = {
      {matrix(w.wq, q_width, hidden), matrix(w.wk, kv_width, hidden), matrix(w.wv, kv_width, hidden)},
      {q_width, q_width + kv_width, width}};
  args.y = work_.qkv;
  args.y_stride = width;
  args.product = Product::kStore;
  multiply(args);
  RotateArgs rotate{};
  rotate.qkv = work_.qkv;
  rotate.bias[0] = vector(w.bq, q_width);
  rotate.bias[1] = vector(w.bk, kv_width);
  rotate.bias[2] = vector(w.bv, kv_width);
  rotate.q_norm = vector(w.q_norm, shape_.head_dim);
  rotate.k_norm = vector(w.k_norm, shape_.head_dim);
  rotate.epsilon = shape_.norm_epsilon;
  rotate.rotations = work_.rotations;
  rotate.pairs = shape_.rope.dims / 2;
  rotate.style = shape_.rope.style;
  rotate.rows = step_.rows;
  rotate.heads = shape_.heads;
  rotate.kv_heads = shape_.kv_heads;
  rotate.head_dim = shape_.head_dim;
  rotate.query = work_.query;
  rotate.keys = keys(layer);
  rotate.values = values(layer);
  rotate_and_store(half_type(kv_.type), rotate, in_, overlapping_);
  launched("norm_qkv_rope_store");
}

void CudaBackend::paged_attention(Activation q, int32_t layer, Activation out) {
  CHECK(q == Activation::kQuery && out == Activation::kAttended && layer >= 0 && layer < shape_.layers);
  AttentionArgs args{};
  args.query = work_.query;
  args.keys = keys(layer);
  args.values = values(layer);
  args.out = work_.attended;
  args.heads = shape_.heads;
  args.kv_heads = shape_.kv_heads;
  args.head_dim = shape_.head_dim;
  args.splits_max = splits_max();
  args.partials = work_.partials;
  args.unfinished = work_.unfinished;
  if (step_.decode_items > 0) {
    const int32_t per_item = shape_.kv_heads * head_tiles(shape_.heads, shape_.kv_heads);
    const int32_t most = std::max(1, multiprocessors_ * kDecodeBlocksPerMultiprocessor / per_item);
    attend_generated(half_type(kv_.type), *type_, args, in_, std::min(step_.decode_items, most),
                     overlapping_);
  }
  if (step_.prefill_items > 0)
    attend_prompts(half_type(kv_.type), *type_, args, in_, step_.prefill_items, overlapping_);
  launched("paged_attention");
}

void CudaBackend::linear_residual(Activation in, const Weight& w, Activation x) {
  CHECK(in == Activation::kAttended && x == Activation::kHidden);
  LinearArgs args{};
  args.x = work_.attended;
  args.rows = step_.rows;
  args.k = shape_.heads * shape_.head_dim;
  args.columns = shape_.hidden;
  args.matrices = one_matrix(matrix(w, shape_.hidden, args.k), shape_.hidden);
  args.y = work_.hidden;
  args.y_stride = shape_.hidden;
  args.product = Product::kAdd;
  multiply(args);
  launched("linear_residual");
}

void CudaBackend::norm_gated_mlp(const MlpWeights& w, Activation x) {
  CHECK(x == Activation::kHidden);
  const int32_t hidden = shape_.hidden, width = shape_.mlp_width;
  const float* norm = vector(w.norm, hidden);
  CHECK(norm != nullptr);
  LinearArgs args = normed_input(norm);
  args.columns = width;
  args.matrices = one_matrix(matrix(w.gate, width, hidden), width);
  args.matrices.w[1] = matrix(w.up, width, hidden);
  args.y = work_.gated;
  args.y_stride = width;
  args.product = Product::kGated;
  multiply(args);
  args = {};
  args.x = work_.gated;
  args.rows = step_.rows;
  args.k = width;
  args.columns = hidden;
  args.matrices = one_matrix(matrix(w.down, hidden, width), hidden);
  args.y = work_.hidden;
  args.y_stride = hidden;
  args.product = Product::kAdd;
  multiply(args);
  launched("norm_gated_mlp");
}

void CudaBackend::logits(Activation x, const Weight& norm, const Weight& head) {
  CHECK(x == Activation::kHidden);
  if (step_.logit_rows == 0) return;
  const float* scales = vector(norm, shape_.hidden);
  CHECK(scales != nullptr);
  rms_norm(*type_, work_.hidden, in_.logit_rows, scales, shape_.norm_epsilon, step_.logit_rows, shape_.hidden,
           work_.normed, overlapping_);
  LinearArgs args{};
  args.x = work_.normed;
  args.rows = step_.logit_rows;
  args.k = shape_.hidden;
  args.columns = shape_.vocab_size;
  args.matrices = one_matrix(matrix(head, shape_.vocab_size, shape_.hidden), shape_.vocab_size);
  args.y = work_.logits;
  args.y_stride = logits_stride();
  args.product = Product::kStore;
  multiply(args);
  launched("logits");
}

}  // namespace hussar::cuda
