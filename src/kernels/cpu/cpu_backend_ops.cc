// The operations of CpuBackend that a forward pass is made of.
#include <algorithm>

#include "base/check.h"
#include "kernels/cpu/cpu_backend.h"

namespace hussar::cpu {
namespace {

// Below so many elements the calling thread alone is faster than a barrier and the others' share of the work.
constexpr int64_t kSmallElements = 2048;

}  // namespace

const MatrixView& CpuBackend::matrix(const Weight& weight, int64_t rows, int64_t cols) const {
  CHECK(weight.exists() && weight.rows == rows && weight.cols == cols);
  return weights_[static_cast<size_t>(weight.id)].matrix.view();
}

const float* CpuBackend::vector(const Weight& weight, int64_t cols) const {
  if (!weight.exists()) return nullptr;
  CHECK(weight.rows == 1 && weight.cols == cols);
  return weights_[static_cast<size_t>(weight.id)].vector.data();
}

float* CpuBackend::activation(Activation a) const {
  switch (a) {
    case Activation::kHidden:
      return work_.hidden;
    case Activation::kQuery:
      return work_.query;
    case Activation::kAttended:
      return work_.attended;
  }
  CHECK_NOTE(false, "no such activation");
}

int32_t CpuBackend::activation_width(Activation a) const {
  return a == Activation::kHidden ? shape_.hidden : shape_.heads * shape_.head_dim;
}

bool CpuBackend::is_small(const Input& input) { return int64_t{input.rows} * input.cols <= kSmallElements; }

void CpuBackend::prepare_rows(const Input& input, int64_t begin, int64_t end) {
  const int64_t row_blocks = input.cols / kBlockColumns;
  for (int64_t i = begin; i < end; i++) {
    const float* x = input.x + (input.gathered == nullptr ? i : input.gathered[i]) * input.stride;
    if (input.norm != nullptr) {
      float* normed = work_.normed + i * input.cols;
      ops_.rms_norm(x, input.norm, shape_.norm_epsilon, input.cols, normed);
      x = normed;
    }
    if (input.quantised) linear_.quantize_row(x, input.cols, work_.blocks + i * row_blocks);
  }
}

// Inside a run: this member's share, and the wait for the others'. Nothing when the caller has done it alone.
void CpuBackend::prepare_share(const Input& input, int32_t member) {
  if (is_small(input)) return;
  if (input.norm == nullptr) {
    if (!input.quantised) return;
    quantize_rows(linear_, input.x, input.stride, input.rows, input.cols, work_.blocks, member,
                  team_->size());
  } else {
    const Range range = split_range(input.rows, member, team_->size());
    prepare_rows(input, range.begin, range.end);
  }
  team_->barrier();
}

LinearArgs CpuBackend::product(const Input& input, const MatrixView& w, const float* bias, float* y,
                               int64_t y_stride, StoreMode mode) const {
  LinearArgs args{};
  args.w = w;
  args.blocks = work_.blocks;
  args.x = input.norm != nullptr ? work_.normed : input.x;
  args.x_stride = input.norm != nullptr ? input.cols : input.stride;
  args.tokens = input.rows;
  args.y = y;
  args.y_stride = y_stride;
  args.bias = bias;
  args.mode = mode;
  return args;
}

void CpuBackend::embed(const Weight& table, Activation x) {
  const int32_t hidden = shape_.hidden;
  CHECK(table.exists() && table.rows == shape_.vocab_size && table.cols == hidden &&
        x == Activation::kHidden);
  const PackedMatrix& rows = weights_[static_cast<size_t>(table.id)].matrix;
  const auto fill = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      rows.dequantize_row(rows_[static_cast<size_t>(i)].token, work_.hidden + i * hidden);
    }
  };
  const auto count = static_cast<int64_t>(rows_.size());
  if (count * hidden <= kSmallElements) {
    fill(0, count);
  } else {
    team_->parallel_for(count, fill);
  }
}

// Items [begin, end) of (row, head), heads of keys counted behind those of queries.
void CpuBackend::rotate_and_store(const AttentionWeights& w, int32_t layer, int64_t begin, int64_t end,
                                  int32_t member) {
  const RopeParams& rope = shape_.rope;
  const int64_t pairs = rope.dims / 2, head_dim = shape_.head_dim;
  const int64_t heads = shape_.heads, kv_heads = shape_.kv_heads, all_heads = heads + kv_heads;
  const auto rotate = rope.style == RopeStyle::kInterleaved ? ops_.rotate_interleaved : ops_.rotate_halves;
  const float* q_norm = vector(w.q_norm, head_dim);
  const float* k_norm = vector(w.k_norm, head_dim);
  const auto norm = [&](const float* weight, float* x) {
    if (weight != nullptr) ops_.rms_norm(x, weight, shape_.norm_epsilon, head_dim, x);
  };
  uint16_t* halves = work_.halves + member * ((head_dim + 31) / 32 * 32);
  for (int64_t item = begin; item < end; item++) {
    const int64_t i = item / all_heads, head = item % all_heads;
    const Row& row = rows_[static_cast<size_t>(i)];
    const float* cosines = work_.rope_cosines + row.position * pairs;
    const float* sines = work_.rope_sines + row.position * pairs;
    if (head < heads) {
      float* query = work_.query + (i * heads + head) * head_dim;
      norm(q_norm, query);
      rotate(query, cosines, sines, pairs);
      continue;
    }
    const int64_t at = (i * kv_heads + head - heads) * head_dim;
    norm(k_norm, work_.key + at);
    rotate(work_.key + at, cosines, sines, pairs);
    pool_.store(attention_kernels_, layer, row.block, row.position % kKvBlockTokens,
                static_cast<int32_t>(head - heads), work_.key + at, work_.value + at, halves);
  }
}

void CpuBackend::norm_qkv_rope_store(Activation x, const AttentionWeights& w, int32_t layer, Activation q) {
  CHECK(x == Activation::kHidden && q == Activation::kQuery && layer >= 0 && layer < shape_.layers);
  const int64_t hidden = shape_.hidden, q_width = int64_t{shape_.heads} * shape_.head_dim;
  const int64_t kv_width = int64_t{shape_.kv_heads} * shape_.head_dim;
  const MatrixView& wq = matrix(w.wq, q_width, hidden);
  const MatrixView& wk = matrix(w.wk, kv_width, hidden);
  const MatrixView& wv = matrix(w.wv, kv_width, hidden);
  Input input{};
  input.x = work_.hidden;
  input.stride = hidden;
  input.norm = vector(w.norm, hidden);
  input.rows = static_cast<int32_t>(rows_.size());
  input.cols = shape_.hidden;
  input.quantised = reads_blocks(wq.dtype) || reads_blocks(wk.dtype) || reads_blocks(wv.dtype);
  CHECK(input.norm != nullptr);
  const LinearArgs products[] = {
      product(input, wq, vector(w.bq, q_width), work_.query, q_width, StoreMode::kStore),
      product(input, wk, vector(w.bk, kv_width), work_.key, kv_width, StoreMode::kStore),
      product(input, wv, vector(w.bv, kv_width), work_.value, kv_width, StoreMode::kStore)};
  const int64_t items = int64_t{input.rows} * (shape_.heads + shape_.kv_heads);
  const bool small = items * shape_.head_dim <= kSmallElements;
  if (is_small(input)) prepare_rows(input, 0, input.rows);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    for (const LinearArgs& args : products) linear(linear_, args, member, team_->size());
    if (small) return;
    team_->barrier();
    const Range range = split_range(items, member, team_->size());
    rotate_and_store(w, layer, range.begin, range.end, member);
  });
  if (small) rotate_and_store(w, layer, 0, items, 0);
}

void CpuBackend::paged_attention(Activation q, int32_t layer, Activation out) {
  CHECK(q == Activation::kQuery && out == Activation::kAttended && layer >= 0 && layer < shape_.layers);
  attention_->start_layer();
  team_->run([&](int32_t member) { attention_->run(pool_, layer, work_.query, work_.attended, member); });
}

void CpuBackend::linear_residual(Activation in, const Weight& w, Activation x) {
  CHECK(in != Activation::kHidden && x == Activation::kHidden);
  Input input{};
  input.x = activation(in);
  input.stride = activation_width(in);
  input.rows = static_cast<int32_t>(rows_.size());
  input.cols = activation_width(in);
  const MatrixView& view = matrix(w, shape_.hidden, input.cols);
  input.quantised = reads_blocks(view.dtype);
  const LinearArgs args = product(input, view, nullptr, work_.hidden, shape_.hidden, StoreMode::kAdd);
  if (is_small(input)) prepare_rows(input, 0, input.rows);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    linear(linear_, args, member, team_->size());
  });
}

// This member's columns of silu(gate) * up, all rows, quantised where the product behind reads blocks. Whole
// blocks of columns, so that no member waits for another's.
void CpuBackend::gated_share(const Input& input, const MatrixView& gate, const MatrixView& up, bool quantised,
                             int32_t member) {
  const int64_t width = shape_.mlp_width;
  const Range units = split_range((width + kBlockColumns - 1) / kBlockColumns, member, team_->size());
  if (units.begin == units.end) return;
  const int64_t begin = units.begin * kBlockColumns, end = std::min(width, units.end * kBlockColumns);
  const int64_t panel_begin = begin / kPanelRows, panel_end = (end + kPanelRows - 1) / kPanelRows;
  linear_.linear(product(input, gate, nullptr, work_.gate, width, StoreMode::kStore), panel_begin, panel_end);
  linear_.linear(product(input, up, nullptr, work_.up, width, StoreMode::kStore), panel_begin, panel_end);
  for (int64_t row = 0; row < input.rows; row++) {
    float* gated = work_.gate + row * width + begin;
    ops_.silu_multiply(gated, work_.up + row * width + begin, end - begin);
    if (!quantised) continue;
    linear_.quantize_row(gated, static_cast<int32_t>(end - begin),
                         work_.gated + row * (width / kBlockColumns) + units.begin);
  }
}

void CpuBackend::norm_gated_mlp(const MlpWeights& w, Activation x) {
  CHECK(x == Activation::kHidden);
  const int64_t hidden = shape_.hidden, width = shape_.mlp_width;
  const MatrixView& gate = matrix(w.gate, width, hidden);
  const MatrixView& up = matrix(w.up, width, hidden);
  const MatrixView& down = matrix(w.down, hidden, width);
  Input input{};
  input.x = work_.hidden;
  input.stride = hidden;
  input.norm = vector(w.norm, hidden);
  input.rows = static_cast<int32_t>(rows_.size());
  input.cols = shape_.hidden;
  input.quantised = reads_blocks(gate.dtype) || reads_blocks(up.dtype);
  CHECK(input.norm != nullptr);
  LinearArgs args{};
  args.w = down;
  args.blocks = work_.gated;
  args.x = work_.gate;
  args.x_stride = width;
  args.tokens = input.rows;
  args.y = work_.hidden;
  args.y_stride = hidden;
  args.mode = StoreMode::kAdd;
  if (is_small(input)) prepare_rows(input, 0, input.rows);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    gated_share(input, gate, up, reads_blocks(down.dtype), member);
    team_->barrier();
    linear(linear_, args, member, team_->size());
  });
}

void CpuBackend::logits(Activation x, const Weight& norm, const Weight& head) {
  CHECK(x == Activation::kHidden);
  if (logit_rows_.empty()) return;
  Input input{};
  input.x = work_.hidden;
  input.stride = shape_.hidden;
  input.norm = vector(norm, shape_.hidden);
  input.gathered = logit_rows_.data();
  input.rows = static_cast<int32_t>(logit_rows_.size());
  input.cols = shape_.hidden;
  const MatrixView& view = matrix(head, shape_.vocab_size, shape_.hidden);
  input.quantised = reads_blocks(view.dtype);
  CHECK(input.norm != nullptr);
  const LinearArgs args = product(input, view, nullptr, work_.logits, shape_.vocab_size, StoreMode::kStore);
  if (is_small(input)) prepare_rows(input, 0, input.rows);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    linear(linear_, args, member, team_->size());
  });
}

}  // namespace hussar::cpu
