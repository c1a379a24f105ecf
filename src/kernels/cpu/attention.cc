#include "kernels/cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "kernels/cpu/isa.h"

namespace hussar::cpu {
namespace {

// A tile is cut when it is more than this part of a thread's fair share, so that the last thread to end ends
// soon after the others.
constexpr int32_t kItemsPerThread = 4;
// Query vectors of a cut tile that partial results are kept for; larger ones are cut while there is room.
constexpr int32_t kPartialQueries = 8;

// Whether the head is of a size that tiles take, and whether they have room for the heads that share a KV
// head.
bool takes_tiles(const ModelShape& shape) {
  return shape.head_dim >= kTiledHeadDimMin && shape.head_dim <= kTiledHeadDimMax &&
         shape.heads / shape.kv_heads <= kTiledQueriesMax;
}

}  // namespace

const AttentionKernels& attention_kernels(Isa isa) {
  switch (isa) {
    case Isa::kReference:
    case Isa::kReferenceTiles:
      return reference::kAttention;
    case Isa::kAvx2:
      return avx2::kAttention;
    case Isa::kAvx512:
    case Isa::kAmx:
      return avx512::kAttention;
  }
  CHECK_NOTE(false, "no such ISA");
}

PagedAttention::PagedAttention(const AttentionKernels& kernels, const TileKernels* tiles,
                               const ModelShape& shape, const StepLimits& limits, int32_t threads)
    : kernels_(kernels),
      tile_kernels_(takes_tiles(shape) ? tiles : nullptr),
      heads_(shape.heads),
      kv_heads_(shape.kv_heads),
      group_heads_(shape.heads / shape.kv_heads),
      head_dim_(shape.head_dim),
      width_(value_width(shape.head_dim)),
      threads_(threads),
      tile_rows_(std::max(1, kTileQueries / group_heads_)),
      prompt_tile_rows_(tile_kernels_ != nullptr ? std::max(1, kTiledQueriesMax / group_heads_) : tile_rows_),
      queries_max_(std::max(tile_rows_, prompt_tile_rows_) * group_heads_),
      splits_max_((limits.context_max + kSplitTokens - 1) / kSplitTokens),
      groups_max_(threads == 1 ? 0 : kItemsPerThread * threads),
      partial_floats_max_(int64_t{groups_max_} * splits_max_ * std::max(group_heads_, kPartialQueries) *
                          (width_ + 2)),
      scale_(static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.head_dim)))),
      groups_(new Group[static_cast<size_t>(groups_max_)]),
      scratch_(static_cast<size_t>(threads)) {
  const size_t tiles_max = static_cast<size_t>(limits.rows_max) * static_cast<size_t>(kv_heads_);
  tiles_.reserve(tiles_max);
  items_.reserve(tiles_max + static_cast<size_t>(groups_max_) * static_cast<size_t>(splits_max_));
}

void PagedAttention::carve(Carver& carver) {
  const auto take_partial = [&] {
    return Partial{carver.take<float>(int64_t{queries_max_} * width_), carver.take<float>(queries_max_),
                   carver.take<float>(queries_max_)};
  };
  for (Scratch& scratch : scratch_) {
    scratch.queries = carver.take<float>(int64_t{queries_max_} * head_dim_);
    scratch.scores = carver.take<float>(int64_t{queries_max_} * kSplitTokens);
    scratch.visible = carver.take<int32_t>(queries_max_);
    scratch.running = take_partial();
    scratch.later = take_partial();
  }
  partials_ = carver.take<float>(partial_floats_max_);
}

// Longest contexts first, so that what is left at the end is short. Returns the cost of all tiles.
int64_t PagedAttention::add_tiles(std::span<const BatchPart> parts) {
  int64_t cost = 0;
  int32_t first_row = 0;
  for (const BatchPart& part : parts) {
    const int32_t tile_rows = is_tiled(part) ? prompt_tile_rows_ : tile_rows_;
    for (int32_t row = (part.rows - 1) / tile_rows * tile_rows; row >= 0; row -= tile_rows) {
      const int32_t rows = std::min(tile_rows, part.rows - row);
      const int32_t end = part.first_position + row + rows;
      cost += int64_t{rows} * end * kv_heads_;
      for (int32_t kv_head = 0; kv_head < kv_heads_; kv_head++) {
        tiles_.push_back({&part, first_row + row, part.first_position + row, rows, kv_head,
                          (end + kSplitTokens - 1) / kSplitTokens});
      }
    }
    first_row += part.rows;
  }
  return cost;
}

// Adds an item for each split of a tile; false when there is no room for the partial results.
bool PagedAttention::cut(int32_t tile) {
  const Tile& t = tiles_[static_cast<size_t>(tile)];
  const int64_t floats = int64_t{t.splits} * t.rows * group_heads_ * (width_ + 2);
  if (groups_used_ == groups_max_ || partial_floats_used_ + floats > partial_floats_max_) return false;
  groups_[static_cast<size_t>(groups_used_)].first_float = partial_floats_used_;
  for (int32_t split = 0; split < t.splits; split++) items_.push_back({tile, split, groups_used_});
  groups_used_++;
  partial_floats_used_ += floats;
  return true;
}

void PagedAttention::plan(std::span<const BatchPart> parts) {
  tiles_.clear();
  items_.clear();
  groups_used_ = 0;
  partial_floats_used_ = 0;
  const int64_t all_cost = add_tiles(parts);
  const auto tiles = static_cast<int32_t>(tiles_.size());
  const auto is_large = [&](const Tile& tile) {
    const int64_t cost = int64_t{tile.rows} * (tile.first_position + tile.rows);
    return tile.splits > 1 && cost * kItemsPerThread * threads_ > all_cost;
  };
  for (int32_t i = 0; i < tiles; i++) {
    if (is_large(tiles_[static_cast<size_t>(i)]) && cut(i))
      tiles_[static_cast<size_t>(i)].splits *= -1;  // marked
  }
  for (int32_t i = 0; i < tiles; i++) {
    Tile& tile = tiles_[static_cast<size_t>(i)];
    if (tile.splits > 0) items_.push_back({i, kWhole, 0});
    tile.splits = std::abs(tile.splits);
  }
}

void PagedAttention::start_layer() {
  next_item_.store(0, std::memory_order_relaxed);
  for (const Item& item : items_) {
    if (item.split == kWhole) break;  // cut tiles come first
    groups_[static_cast<size_t>(item.group)].left.store(tiles_[static_cast<size_t>(item.tile)].splits,
                                                        std::memory_order_relaxed);
  }
}

PagedAttention::Partial PagedAttention::partial_at(float* base, int32_t queries) const {
  return {base, base + int64_t{queries} * width_, base + int64_t{queries} * (width_ + 1)};
}

PagedAttention::Partial PagedAttention::group_partial(const Tile& tile, int32_t group, int32_t split) const {
  const int32_t queries = tile.rows * group_heads_;
  float* base = partials_ + groups_[static_cast<size_t>(group)].first_float;
  return partial_at(base + int64_t{split} * queries * (width_ + 2), queries);
}

void PagedAttention::load_queries(const Tile& tile, const float* q, float* queries) const {
  const int32_t group_elements = group_heads_ * head_dim_;
  for (int32_t row = 0; row < tile.rows; row++) {
    const float* from =
        q + int64_t{tile.first_row + row} * heads_ * head_dim_ + int64_t{tile.kv_head} * group_elements;
    float* to = queries + int64_t{row} * group_elements;
    for (int32_t i = 0; i < group_elements; i++) to[i] = from[i] * scale_;
  }
}

int32_t PagedAttention::attend(const KvPool& pool, int32_t layer, const Tile& tile, int32_t split,
                               Scratch& scratch, const Partial& out) const {
  const int32_t split_begin = split * kSplitTokens;
  const int32_t first_row =
      std::max(0, split_begin - tile.first_position);  // rows before it see nothing of this split
  const int32_t first = first_row * group_heads_, count = (tile.rows - first_row) * group_heads_;
  for (int32_t i = 0; i < count; i++) {
    const int32_t position = tile.first_position + first_row + i / group_heads_;
    scratch.visible[i] = std::min(kSplitTokens, position + 1 - split_begin);
  }
  const uint16_t* keys[kSplitBlocks];
  const uint16_t* values[kSplitBlocks];
  const int32_t blocks = (scratch.visible[count - 1] + kKvBlockTokens - 1) / kKvBlockTokens;
  for (int32_t b = 0; b < blocks; b++) {
    const int32_t block = tile.part->blocks[static_cast<size_t>(split * kSplitBlocks + b)];
    keys[b] = pool.keys(layer, block, tile.kv_head);
    values[b] = pool.values(layer, block, tile.kv_head);
  }
  const auto attend_split = is_tiled(*tile.part) ? tile_kernels_->attend_split : kernels_.attend_split;
  attend_split({.queries = scratch.queries + int64_t{first} * head_dim_,
                .count = count,
                .visible = scratch.visible,
                .keys = keys,
                .values = values,
                .head_dim = head_dim_,
                .type = pool.type(),
                .scores = scratch.scores,
                .sums = out.sums + int64_t{first} * width_,
                .maxima = out.maxima + first,
                .totals = out.totals + first});
  return first;
}

void PagedAttention::merge(const Partial& into, const Partial& later, int32_t first, int32_t queries) const {
  for (int32_t i = first; i < queries; i++) {
    kernels_.merge_split(into.sums + int64_t{i} * width_, &into.maxima[i], &into.totals[i],
                         later.sums + int64_t{i} * width_, later.maxima[i], later.totals[i], width_);
  }
}

void PagedAttention::store(const Tile& tile, const Partial& result, float* out) const {
  for (int32_t i = 0; i < tile.rows * group_heads_; i++) {
    const int64_t row = tile.first_row + i / group_heads_,
                  head = tile.kv_head * group_heads_ + i % group_heads_;
    kernels_.finish(result.sums + int64_t{i} * width_, result.totals[i], head_dim_,
                    out + (row * heads_ + head) * head_dim_);
  }
}

void PagedAttention::run(const KvPool& pool, int32_t layer, const float* q, float* out, int32_t member) {
  Scratch& scratch = scratch_[static_cast<size_t>(member)];
  const auto items = static_cast<int32_t>(items_.size());
  for (int32_t i = next_item_.fetch_add(1, std::memory_order_relaxed); i < items;
       i = next_item_.fetch_add(1, std::memory_order_relaxed)) {
    const Item& item = items_[static_cast<size_t>(i)];
    const Tile& tile = tiles_[static_cast<size_t>(item.tile)];
    const int32_t queries = tile.rows * group_heads_;
    load_queries(tile, q, scratch.queries);
    if (item.split == kWhole) {
      attend(pool, layer, tile, 0, scratch, scratch.running);
      for (int32_t split = 1; split < tile.splits; split++) {
        const int32_t first = attend(pool, layer, tile, split, scratch, scratch.later);
        merge(scratch.running, scratch.later, first, queries);
      }
      store(tile, scratch.running, out);
      continue;
    }
    attend(pool, layer, tile, item.split, scratch, group_partial(tile, item.group, item.split));
    // The member that ends a tile's last split merges all of them.
    if (groups_[static_cast<size_t>(item.group)].left.fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
    const Partial all = group_partial(tile, item.group, 0);
    for (int32_t split = 1; split < tile.splits; split++) {
      const int32_t first = std::max(0, split * kSplitTokens - tile.first_position) * group_heads_;
      merge(all, group_partial(tile, item.group, split), first, queries);
    }
    store(tile, all, out);
  }
}

}  // namespace hussar::cpu
