// Attention of a whole ragged batch over the paged pool: cuts the work into items, lets the team's members
// take them, merges in order.
//
// An item is a tile (a few consecutive rows of a part, the query heads of one KV head) over its whole
// context, or, where a tile is so large a part of the step that threads would wait for it, over one split.
// Who computes an item, and whether a tile is cut, changes no bit of the result.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/backend.h"
#include "kernels/batch.h"
#include "kernels/cpu/attention_kernels.h"
#include "kernels/cpu/kv_pool.h"
#include "kernels/cpu/page_buffer.h"
#include "kernels/cpu/tile_kernels.h"

namespace hussar::cpu {

class PagedAttention {
 public:
  // Prompt rows take the arithmetic of `tiles` where that is not null.
  PagedAttention(const AttentionKernels& kernels, const TileKernels* tiles, const ModelShape& shape,
                 const StepLimits& limits, int32_t threads);

  // Takes its scratch memory from a workspace; a counting carver only counts.
  void carve(Carver& carver);

  // Once a step: cuts the batch into items. REQUIRES: batch.parts live until the step's last layer.
  void plan(std::span<const BatchPart> parts);
  // Once a layer, before the team runs.
  void start_layer();
  // Every member of the team: out[T, heads * head_dim] from q[T, heads * head_dim].
  void run(const KvPool& pool, int32_t layer, const float* q, float* out, int32_t member);

 private:
  struct Tile {
    const BatchPart* part;
    int32_t first_row;  // of the batch
    int32_t first_position;
    int32_t rows;
    int32_t kv_head;
    int32_t splits;
  };
  struct Item {
    int32_t tile;
    int32_t split;  // kWhole: all of them
    int32_t group;  // where a cut tile's partial results are
  };
  struct Group {
    int64_t first_float;  // of partials_
    std::atomic<int32_t> left;
  };
  // Results of up to queries_max_ query vectors: sums [queries, W], maxima and totals [queries].
  struct Partial {
    float* sums;
    float* maxima;
    float* totals;
  };
  struct Scratch {
    float* queries;
    float* scores;
    int32_t* visible;
    Partial running;
    Partial later;
  };
  static constexpr int32_t kWhole = -1;

  int64_t add_tiles(std::span<const BatchPart> parts);
  bool cut(int32_t tile);
  Partial partial_at(float* base, int32_t queries) const;
  Partial group_partial(const Tile& tile, int32_t group, int32_t split) const;
  void load_queries(const Tile& tile, const float* q, float* queries) const;
  // Query vectors of the tile from `first` on see something of the split; attends for those.
  int32_t attend(const KvPool& pool, int32_t layer, const Tile& tile, int32_t split, Scratch& scratch,
                 const Partial& out) const;
  void merge(const Partial& into, const Partial& later, int32_t first, int32_t queries) const;
  void store(const Tile& tile, const Partial& result, float* out) const;

  bool is_tiled(const BatchPart& part) const {
    return tile_kernels_ != nullptr && part.role == RowRole::kPrompt;
  }

  const AttentionKernels& kernels_;
  const TileKernels* const tile_kernels_;
  const int32_t heads_, kv_heads_, group_heads_, head_dim_, width_;
  const int32_t threads_, tile_rows_, prompt_tile_rows_, queries_max_, splits_max_, groups_max_;
  const int64_t partial_floats_max_;
  const float scale_;

  std::vector<Tile> tiles_;
  std::vector<Item> items_;
  std::unique_ptr<Group[]> groups_;
  int32_t groups_used_ = 0;
  int64_t partial_floats_used_ = 0;
  float* partials_ = nullptr;
  std::vector<Scratch> scratch_;  // of each member
  alignas(64) std::atomic<int32_t> next_item_{0};
};

}  // namespace hussar::cpu
