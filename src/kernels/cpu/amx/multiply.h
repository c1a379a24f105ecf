// The inner loop of all products of tiles: two panels of weights times two groups of 16 tokens. For
// translation units compiled for AMX alone.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/amx/lookahead.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/tile_kernels.h"

namespace hussar::cpu::amx {
namespace {

// Tile registers: the intrinsics take nothing but literal numbers. The sums of panel p and group g are in
// register 2p + g.
#define TOKENS_0 4
#define TOKENS_1 5
#define WEIGHTS_0 6
#define WEIGHTS_1 7

// Tiles along the columns: of two panels, and of two groups of tokens.
struct Operands {
  const uint16_t *weights0, *weights1;
  const uint16_t *tokens0, *tokens1;
  int32_t count;
};

// Memory that is written when the sums are done: a row of 64 bytes (for each of the two panels) of each
// token, asked for meanwhile.
struct Destination {
  char* at[2];  // of the two groups
  int64_t stride_bytes;
  int32_t rows[2];
  bool both_panels;
};

// Adds to the sums of P panels and G groups.
template <int P, int G>
inline __attribute__((always_inline)) void add_products(const Operands& operands, Destination destination) {
  int32_t row = 0;
  for (int64_t i = 0; i < operands.count; i++) {
    const int64_t at = i * kTileElements;
    _tile_loadd(WEIGHTS_0, operands.weights0 + at, 64);
    // The tokens pass by: they are kept from driving the weights out of the first-level cache.
    _tile_stream_loadd(TOKENS_0, operands.tokens0 + at, 64);
    _tile_dpbf16ps(0, TOKENS_0, WEIGHTS_0);
    if constexpr (G == 2) {
      _tile_stream_loadd(TOKENS_1, operands.tokens1 + at, 64);
      _tile_dpbf16ps(1, TOKENS_1, WEIGHTS_0);
    }
    if constexpr (P == 2) {
      _tile_loadd(WEIGHTS_1, operands.weights1 + at, 64);
      _tile_dpbf16ps(2, TOKENS_0, WEIGHTS_1);
      if constexpr (G == 2) _tile_dpbf16ps(3, TOKENS_1, WEIGHTS_1);
    }
    for (int32_t g = 0; g < G; g++) {
      if (row >= destination.rows[g]) continue;
      __builtin_prefetch(destination.at[g] + row * destination.stride_bytes, 1);
      if (destination.both_panels)
        __builtin_prefetch(destination.at[g] + row * destination.stride_bytes + 64, 1);
    }
    row++;
  }
}

// At a panel's run of columns, which is unpacked next, in so many calls; at nothing behind the last panel.
inline Lookahead look_at(const MatrixView& w, int64_t panel, int64_t panel_end, TileRun run, int32_t calls) {
  if (panel >= panel_end) return {nullptr, nullptr, 1};
  const int64_t across = row_tiles(w.cols);
  const uint8_t* const base = w.panels + panel * w.panel_bytes;
  return {base + w.panel_bytes * run.begin / across, base + w.panel_bytes * (run.begin + run.count) / across,
          calls};
}

// Pairs of groups of 16 tokens.
inline int32_t group_pairs(int32_t tokens) { return (tokens + 2 * kTileRows - 1) / (2 * kTileRows); }

inline void configure_tiles() {
  TileConfig config;
  for (int tile = 0; tile < 8; tile++) config.set(tile, kTileRows, 64);
  config.load();
}

}  // namespace
}  // namespace hussar::cpu::amx
