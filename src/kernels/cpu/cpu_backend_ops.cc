// The operations of CpuBackend that a forward pass is made of.
#include <algorithm>

#include "base/check.h"
#include "kernels/cpu/cpu_backend.h"

namespace hussar::cpu {
namespace {

// Below so many elements the calling thread alone is faster than a barrier and the others' share of the work.
constexpr int64_t kSmallElements = 2048;
// Prompt rows are divided between the members when each has at least so many of them.
constexpr int64_t kRowsToDivide = 192;
// Steps of so few rows wait for memory: what is read next is asked for ahead, so much of it.
constexpr size_t kRowsBoundByMemory = 8;
constexpr int64_t kPrefetchBytes = 256 << 10;

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

bool CpuBackend::is_small(const Input& input) {
  return input.untiled_rows == input.rows && int64_t{input.rows} * input.cols <= kSmallElements;
}

// The rows of the step.
CpuBackend::Input CpuBackend::input_of(const float* x, int64_t cols) const {
  Input input{};
  input.x = x;
  input.stride = cols;
  input.rows = static_cast<int32_t>(rows_.size());
  input.untiled_rows = untiled_rows_;
  input.cols = static_cast<int32_t>(cols);
  return input;
}

void CpuBackend::add_reader(const MatrixView& w, Input* input) const {
  input->quantised = input->quantised || reads_blocks(w.dtype);
  input->tiled = input->tiled || (multiplies_tiles(w.dtype) && input->untiled_rows < input->rows);
}

void CpuBackend::prepare_rows(const Input& input, int64_t begin, int64_t end, int32_t member) {
  const int64_t row_blocks = input.cols / kBlockColumns;
  for (int64_t i = begin; i < end; i++) {
    const float* x = input.x + (input.gathered == nullptr ? i : input.gathered[i]) * input.stride;
    if (input.norm != nullptr) {
      // A row that becomes tiles is read by nobody else, unless some matrix takes none.
      float* normed = i < wide_rows_ ? work_.normed + i * input.cols
                                     : work_.normed_row + member * spread_stride(input.cols);
      ops_.rms_norm(x, input.norm, shape_.norm_epsilon, input.cols, normed);
      x = normed;
    }
    if (i >= input.untiled_rows) {
      if (input.tiled)
        tile_kernels_->store_row(x, input.cols, i - input.untiled_rows, 0, row_tiles(input.cols),
                                 work_.tiles);
    } else if (input.quantised) {
      linear_.quantize_row(x, input.cols, work_.blocks + i * row_blocks);
    }
  }
}

// Inside a run: this member's share, and the wait for the others'. Nothing when the caller has done it alone.
void CpuBackend::prepare_share(const Input& input, int32_t member) {
  if (is_small(input)) return;
  const int32_t size = team_->size();
  if (input.norm == nullptr) {
    if (input.quantised)
      quantize_rows(linear_, input.x, input.stride, input.untiled_rows, input.cols, work_.blocks, member,
                    size);
  } else {
    const Range range = split_range(input.untiled_rows, member, size);
    prepare_rows(input, range.begin, range.end, member);
  }
  const int64_t tiled = input.rows - input.untiled_rows;
  const Range range = divides_rows(tiled) ? divided_rows(tiled, member) : split_range(tiled, member, size);
  prepare_rows(input, input.untiled_rows + range.begin, input.untiled_rows + range.end, member);
  if (input.norm != nullptr || input.quantised || input.tiled) team_->barrier();
}

// Whether each member computes all columns of some prompt rows, so that what it computes of them stays in its
// caches. Of fewer rows each member computes some columns, so that a weight is unpacked by one of them alone.
bool CpuBackend::divides_rows(int64_t prompt_rows) const {
  return team_->size() > 1 && prompt_rows >= kRowsToDivide * team_->size();
}

// A member's part of so many prompt rows, as tiles take them: two groups of 16.
Range CpuBackend::divided_rows(int64_t prompt_rows, int32_t member) const {
  constexpr int64_t kUnit = 2 * kTileRows;
  const Range units = split_range((prompt_rows + kUnit - 1) / kUnit, member, team_->size());
  return {units.begin * kUnit, std::min(prompt_rows, units.end * kUnit)};
}

CpuBackend::Product CpuBackend::product(const Input& input, const MatrixView& w, const float* bias, float* y,
                                        int64_t y_stride, StoreMode mode) {
  matrices_.push_back(&w);
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
  return {args, work_.tiles, multiplies_tiles(w.dtype) ? input.untiled_rows : input.rows};
}

void CpuBackend::prefetch_next(int32_t member) const {
  if (matrices_before_.empty()) return;
  prefetch_share(*matrices_before_[matrices_.size() % matrices_before_.size()], member);
}

void CpuBackend::prefetch_share(const MatrixView& w, int32_t member) const {
  if (rows_.size() > kRowsBoundByMemory) return;
  const Range own = panel_share(w.rows, member, team_->size());
  const int64_t bytes = std::min(kPrefetchBytes, (own.end - own.begin) * w.panel_bytes);
  const uint8_t* const begin = w.panels + own.begin * w.panel_bytes;
  ThreadTeam::prefetch_while_waiting(begin, begin + bytes);
}

// The panels of the first rows, which take no tiles.
void CpuBackend::multiply_untiled(const Product& product, Range panels) const {
  LinearArgs args = product.args;
  args.tokens = product.untiled_rows;
  if (args.tokens > 0 && panels.begin < panels.end) linear_.linear(args, panels.begin, panels.end);
}

// The panels of some of the other rows.
void CpuBackend::multiply_tiles(const Product& product, Range rows, Range panels) const {
  if (rows.begin >= rows.end || panels.begin >= panels.end) return;
  const LinearArgs& args = product.args;
  tile_kernels_->linear({.w = args.w,
                         .x = product.tiles + tiled_elements(rows.begin, args.w.cols),
                         .tokens = static_cast<int32_t>(rows.end - rows.begin),
                         .y = args.y + (product.untiled_rows + rows.begin) * args.y_stride,
                         .y_stride = args.y_stride,
                         .bias = args.bias,
                         .mode = args.mode},
                        panels.begin, panels.end);
}

// This member's part of a product: some of the panels, pairs of them, or of the prompt rows.
void CpuBackend::multiply_share(const Product& product, int32_t member) const {
  const int64_t panels = (int64_t{product.args.w.rows} + kPanelRows - 1) / kPanelRows;
  const Range own = panel_share(product.args.w.rows, member, team_->size());
  multiply_untiled(product, own);
  const int64_t tiled = product.args.tokens - product.untiled_rows;
  if (divides_rows(tiled)) {
    multiply_tiles(product, divided_rows(tiled, member), {0, panels});
  } else {
    multiply_tiles(product, {0, tiled}, own);
  }
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
    const float* cosines = work_.rope_cosines + i * pairs;
    const float* sines = work_.rope_sines + i * pairs;
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

// This member's items: of prompt rows that are divided between the members, those of its own.
void CpuBackend::rotate_share(const AttentionWeights& w, int32_t layer, int32_t member) {
  const int64_t heads = shape_.heads + shape_.kv_heads, rows = static_cast<int64_t>(rows_.size());
  const int64_t tiled = rows - untiled_rows_;
  const int64_t split = divides_rows(tiled) ? untiled_rows_ : rows;
  const Range items = split_range(split * heads, member, team_->size());
  rotate_and_store(w, layer, items.begin, items.end, member);
  if (split == rows) return;
  const Range own = divided_rows(tiled, member);
  rotate_and_store(w, layer, (untiled_rows_ + own.begin) * heads, (untiled_rows_ + own.end) * heads, member);
}

void CpuBackend::norm_qkv_rope_store(Activation x, const AttentionWeights& w, int32_t layer, Activation q) {
  CHECK(x == Activation::kHidden && q == Activation::kQuery && layer >= 0 && layer < shape_.layers);
  const int64_t hidden = shape_.hidden, q_width = int64_t{shape_.heads} * shape_.head_dim;
  const int64_t kv_width = int64_t{shape_.kv_heads} * shape_.head_dim;
  const MatrixView& wq = matrix(w.wq, q_width, hidden);
  const MatrixView& wk = matrix(w.wk, kv_width, hidden);
  const MatrixView& wv = matrix(w.wv, kv_width, hidden);
  Input input = input_of(work_.hidden, hidden);
  input.norm = vector(w.norm, hidden);
  CHECK(input.norm != nullptr);
  for (const MatrixView* view : {&wq, &wk, &wv}) add_reader(*view, &input);
  const Product products[] = {
      product(input, wq, vector(w.bq, q_width), work_.query, q_width, StoreMode::kStore),
      product(input, wk, vector(w.bk, kv_width), work_.key, kv_width, StoreMode::kStore),
      product(input, wv, vector(w.bv, kv_width), work_.value, kv_width, StoreMode::kStore)};
  const int64_t items = int64_t{input.rows} * (shape_.heads + shape_.kv_heads);
  const bool small = items * shape_.head_dim <= kSmallElements;
  if (is_small(input)) prepare_rows(input, 0, input.rows, 0);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    for (const Product& product : products) multiply_share(product, member);
    prefetch_next(member);
    if (small) return;
    team_->barrier();
    rotate_share(w, layer, member);
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
  Input input = input_of(activation(in), activation_width(in));
  const MatrixView& view = matrix(w, shape_.hidden, input.cols);
  add_reader(view, &input);
  const Product added = product(input, view, nullptr, work_.hidden, shape_.hidden, StoreMode::kAdd);
  if (is_small(input)) prepare_rows(input, 0, input.rows, 0);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    multiply_share(added, member);
    prefetch_next(member);
  });
}

// This member's part of silu(gate) * up, made ready for `down`: some columns, whole blocks of them, so that
// no member waits for another's; or some prompt rows.
void CpuBackend::gated_share(const Product& gate, const Product& up, const Product& down, int32_t member) {
  const int64_t width = shape_.mlp_width;
  const Range units = split_range((width + kBlockColumns - 1) / kBlockColumns, member, team_->size());
  const int64_t begin = units.begin * kBlockColumns, end = std::min(width, units.end * kBlockColumns);
  const Range own = {begin / kPanelRows, (end + kPanelRows - 1) / kPanelRows};
  const int64_t tiled = gate.args.tokens - gate.untiled_rows;
  if (tiled > 0 && is_fused(gate, up, down)) {
    const bool divided = divides_rows(tiled);
    fused_share(gate, up, divided ? divided_rows(tiled, member) : Range{0, tiled},
                divided ? Range{0, (width + kPanelRows - 1) / kPanelRows} : own);
  } else {
    multiply_tiles(gate, {0, tiled}, own);
    multiply_tiles(up, {0, up.args.tokens - up.untiled_rows}, own);
  }
  multiply_untiled(gate, own);
  multiply_untiled(up, own);
  const int64_t rows = is_fused(gate, up, down) ? gate.untiled_rows : gate.args.tokens;
  const auto count = static_cast<int32_t>(end - begin);
  for (int64_t row = 0; row < rows && count > 0; row++) {
    float* const gated = work_.gate + row * gate.args.y_stride + begin;
    ops_.silu_multiply(gated, work_.up + row * up.args.y_stride + begin, count);
    if (row >= down.untiled_rows) {
      tile_kernels_->store_row(gated, count, row - down.untiled_rows, units.begin, row_tiles(width),
                               work_.gated_tiles);
    } else if (reads_blocks(down.args.w.dtype)) {
      linear_.quantize_row(gated, count, work_.gated + row * (width / kBlockColumns) + units.begin);
    }
  }
}

void CpuBackend::fused_share(const Product& gate, const Product& up, Range rows, Range panels) const {
  if (rows.begin >= rows.end || panels.begin >= panels.end) return;
  tile_kernels_->gated({gate.args.w, up.args.w, gate.tiles + tiled_elements(rows.begin, gate.args.w.cols),
                        static_cast<int32_t>(rows.end - rows.begin),
                        work_.gated_tiles + tiled_elements(rows.begin, shape_.mlp_width)},
                       panels.begin, panels.end);
}

// Whether all three products of some rows are of tiles.
bool CpuBackend::is_fused(const Product& gate, const Product& up, const Product& down) {
  const int32_t rows = gate.args.tokens;
  return gate.untiled_rows < rows && up.untiled_rows < rows && down.untiled_rows < rows;
}

void CpuBackend::norm_gated_mlp(const MlpWeights& w, Activation x) {
  CHECK(x == Activation::kHidden);
  const int64_t hidden = shape_.hidden, width = shape_.mlp_width;
  const MatrixView& down = matrix(w.down, hidden, width);
  Input input = input_of(work_.hidden, hidden);
  input.norm = vector(w.norm, hidden);
  CHECK(input.norm != nullptr);
  const MatrixView& gate_view = matrix(w.gate, width, hidden);
  const MatrixView& up_view = matrix(w.up, width, hidden);
  add_reader(gate_view, &input);
  add_reader(up_view, &input);
  const int64_t stride = spread_stride(width);
  const Product gate = product(input, gate_view, nullptr, work_.gate, stride, StoreMode::kStore);
  const Product up = product(input, up_view, nullptr, work_.up, stride, StoreMode::kStore);
  Product added = product(input_of(work_.gate, width), down, nullptr, work_.hidden, hidden, StoreMode::kAdd);
  added.args.x_stride = stride;
  added.args.blocks = work_.gated;
  added.tiles = work_.gated_tiles;
  if (is_small(input)) prepare_rows(input, 0, input.rows, 0);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    gated_share(gate, up, added, member);
    prefetch_share(down, member);
    team_->barrier();
    multiply_share(added, member);
    prefetch_next(member);
  });
}

void CpuBackend::logits(Activation x, const Weight& norm, const Weight& head) {
  CHECK(x == Activation::kHidden);
  if (logit_rows_.empty()) return;
  Input input = input_of(work_.hidden, shape_.hidden);
  input.norm = vector(norm, shape_.hidden);
  input.gathered = logit_rows_.data();
  // Few rows, so those of prompts too take the arithmetic that is fast for few.
  input.rows = input.untiled_rows = static_cast<int32_t>(logit_rows_.size());
  CHECK(input.norm != nullptr);
  const MatrixView& view = matrix(head, shape_.vocab_size, shape_.hidden);
  add_reader(view, &input);
  const Product all = product(input, view, nullptr, work_.logits, shape_.vocab_size, StoreMode::kStore);
  if (is_small(input)) prepare_rows(input, 0, input.rows, 0);
  team_->run([&](int32_t member) {
    prepare_share(input, member);
    multiply_share(all, member);
    prefetch_next(member);
  });
}

}  // namespace hussar::cpu
