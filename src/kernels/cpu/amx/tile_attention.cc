// Attention of prompt rows: queries, keys, weights and values as BF16 tiles, 16 queries at once.
#include <immintrin.h>

#include "kernels/cpu/amx/kernels.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/avx512/weigh.h"

namespace hussar::cpu::amx {
namespace {

using namespace avx512;

constexpr int32_t kGroupsMax = kTiledQueriesMax / kTileRows;
constexpr int32_t kHeadTilesMax = kTiledHeadDimMax / kTileColumns;
constexpr int32_t kWidthTilesMax = kTiledHeadDimMax / kTileRows;

// All that a split is multiplied with: the keys of 16 positions and 32 elements of the head in a tile, the
// values of 32 positions and 16 elements. Tiles lie close together, whatever the head: far apart they would
// compete for the same lines of the cache.
struct alignas(64) Tiles {
  uint16_t queries[kGroupsMax * kHeadTilesMax * kTileElements];
  uint16_t keys[2 * kSplitBlocks * kHeadTilesMax * kTileElements];
  uint16_t values[kSplitBlocks * kWidthTilesMax * kTileElements];
  uint16_t weights[kSplitBlocks][kTileElements];  // of one group
  float edge[kTileRows][kTileRows];
  int32_t head_tiles, width_tiles;

  uint16_t* query_tile(int32_t group, int32_t i) {
    return queries + (group * head_tiles + i) * kTileElements;
  }
  // Of the first or the second 16 positions of a block.
  uint16_t* key_tile(int32_t block, int32_t half, int32_t i) {
    return keys + ((2 * block + half) * head_tiles + i) * kTileElements;
  }
  uint16_t* value_tile(int32_t block, int32_t i) {
    return values + (block * width_tiles + i) * kTileElements;
  }
};

inline __m512i to_bf16(__m512 low, __m512 high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

// 32 numbers of the pool as BF16, those of the mask; the others are zero.
inline __m512i load_halves(const uint16_t* at, HalfType type, __mmask32 mask) {
  const __m512i halves = _mm512_maskz_loadu_epi16(mask, at);
  if (type == HalfType::kBF16) return halves;
  return to_bf16(_mm512_cvtph_ps(_mm512_castsi512_si256(halves)),
                 _mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1)));
}

constexpr __mmask32 first_halves(int32_t count) {
  return count >= 32 ? ~0u : count > 0 ? (1u << count) - 1u : 0u;
}

// Two rows of 32 numbers as pairs: of the first 16 columns, and of the others.
inline void write_pairs(__m512i even, __m512i odd, uint16_t* first, uint16_t* second) {
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7,
                                       38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  _mm512_store_si512(first, _mm512_permutex2var_epi16(even, low, odd));
  if (second != nullptr) _mm512_store_si512(second, _mm512_permutex2var_epi16(even, high, odd));
}

void write_queries(const AttentionTile& tile, Tiles* tiles) {
  for (int32_t query = 0; query < tile.count; query++) {
    const float* const q = tile.queries + int64_t{query} * tile.head_dim;
    for (int32_t h = 0; h < tile.head_dim; h += kTileColumns) {
      const __m512 low = _mm512_maskz_loadu_ps(lane_mask(tile.head_dim - h), q + h);
      const int32_t left = tile.head_dim - h - kVectorFloats;
      const __m512 high = _mm512_maskz_loadu_ps(left > 0 ? lane_mask(left) : 0, q + h + kVectorFloats);
      _mm512_store_si512(
          tiles->query_tile(query / kTileRows, h / kTileColumns) + query % kTileRows * kTileColumns,
          to_bf16(low, high));
    }
  }
}

void write_keys(const AttentionTile& tile, int32_t block, Tiles* tiles) {
  const int32_t rows = tiles->head_tiles * kTileColumns;
  for (int32_t h = 0; h < rows; h += 2) {
    const auto row = [&](int32_t i) {
      return load_halves(tile.keys[block] + int64_t{i < tile.head_dim ? i : 0} * kKvBlockTokens, tile.type,
                         i < tile.head_dim ? ~0u : 0u);
    };
    const int32_t at = h % kTileColumns * kTileRows;
    write_pairs(row(h), row(h + 1), tiles->key_tile(block, 0, h / kTileColumns) + at,
                tiles->key_tile(block, 1, h / kTileColumns) + at);
  }
}

// Values of positions that no query of the tile sees may be anything: they count as zero.
void write_values(const AttentionTile& tile, int32_t block, int32_t seen, Tiles* tiles) {
  const int32_t width = value_width(tile.head_dim);
  for (int32_t t = 0; t < kKvBlockTokens; t += 2) {
    for (int32_t w = 0; w < width; w += kTileColumns) {
      const auto row = [&](int32_t i) {
        return load_halves(tile.values[block] + int64_t{i} * width + w, tile.type,
                           i < seen ? first_halves(width - w) : 0u);
      };
      uint16_t* const first = tiles->value_tile(block, w / kTileRows) + t * kTileRows;
      write_pairs(row(t), row(t + 1), first, w + kTileRows < width ? first + kTileElements : nullptr);
    }
  }
}

// Scores of the 16 queries of a group and the positions of a block.
void score_group(const AttentionTile& tile, int32_t group, int32_t block, Tiles* tiles) {
  float* const scores = tile.scores + int64_t{group} * kTileRows * kSplitTokens + block * kKvBlockTokens;
  _tile_zero(0);
  _tile_zero(1);
  for (int32_t i = 0; i < tiles->head_tiles; i++) {
    _tile_loadd(4, tiles->query_tile(group, i), 64);
    _tile_loadd(6, tiles->key_tile(block, 0, i), 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, tiles->key_tile(block, 1, i), 64);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, scores, 4 * kSplitTokens);
  _tile_stored(1, scores + kTileRows, 4 * kSplitTokens);
}

// The weights of a group as tiles; of positions that a query doesn't see they are zero.
void write_weights(const AttentionTile& tile, int32_t group, int32_t blocks, Tiles* tiles) {
  for (int32_t i = 0; i < kTileRows && group * kTileRows + i < tile.count; i++) {
    const int32_t query = group * kTileRows + i;
    const float* const weights = tile.scores + int64_t{query} * kSplitTokens;
    for (int32_t b = 0; b < blocks; b++) {
      const int32_t seen = tile.visible[query] - b * kKvBlockTokens;
      const auto part = [&](int32_t from) {
        return _mm512_maskz_loadu_ps(seen > from ? lane_mask(seen - from) : 0,
                                     weights + b * kKvBlockTokens + from);
      };
      _mm512_store_si512(tiles->weights[b] + i * kTileColumns, to_bf16(part(0), part(kVectorFloats)));
    }
  }
}

// Writes the sums of 16 queries and 16 elements; of the last group, those that there are.
#define STORE_SUMS(SUMS, c)                                                                        \
  if (whole) {                                                                                     \
    _tile_stored(SUMS, sums + (c)*kTileRows, 4 * width);                                           \
  } else {                                                                                         \
    _tile_stored(SUMS, tiles->edge, 4 * kTileRows);                                                \
    for (int32_t i = 0; i < tile.count - group * kTileRows; i++)                                   \
      _mm512_storeu_ps(sums + int64_t{i} * width + (c)*kTileRows, _mm512_load_ps(tiles->edge[i])); \
  }

// Weights times values, four vectors of 16 elements at once.
void add_group(const AttentionTile& tile, int32_t group, int32_t blocks, Tiles* tiles) {
  const int32_t across = tiles->width_tiles, width = across * kTileRows;
  const bool whole = (group + 1) * kTileRows <= tile.count;
  float* const sums = tile.sums + int64_t{group} * kTileRows * width;
  int32_t c = 0;
  for (; c + 4 <= across; c += 4) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int32_t b = 0; b < blocks; b++) {
      _tile_loadd(4, tiles->weights[b], 64);
      _tile_loadd(6, tiles->value_tile(b, c), 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, tiles->value_tile(b, c + 1), 64);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(6, tiles->value_tile(b, c + 2), 64);
      _tile_dpbf16ps(2, 4, 6);
      _tile_loadd(7, tiles->value_tile(b, c + 3), 64);
      _tile_dpbf16ps(3, 4, 7);
    }
    STORE_SUMS(0, c)
    STORE_SUMS(1, c + 1)
    STORE_SUMS(2, c + 2)
    STORE_SUMS(3, c + 3)
  }
  for (; c < across; c++) {
    _tile_zero(0);
    for (int32_t b = 0; b < blocks; b++) {
      _tile_loadd(4, tiles->weights[b], 64);
      _tile_loadd(6, tiles->value_tile(b, c), 64);
      _tile_dpbf16ps(0, 4, 6);
    }
    STORE_SUMS(0, c)
  }
}

void attend_split(const AttentionTile& tile) {
  Tiles tiles;
  tiles.head_tiles = (tile.head_dim + kTileColumns - 1) / kTileColumns;
  tiles.width_tiles = value_width(tile.head_dim) / kTileRows;
  TileConfig config;
  for (int i = 0; i < 8; i++) config.set(i, kTileRows, 64);
  config.load();
  const int32_t seen = tile.visible[tile.count - 1], blocks = (seen + kKvBlockTokens - 1) / kKvBlockTokens;
  const int32_t groups = (tile.count + kTileRows - 1) / kTileRows;
  write_queries(tile, &tiles);
  for (int32_t b = 0; b < blocks; b++) {
    write_keys(tile, b, &tiles);
    write_values(tile, b, seen - b * kKvBlockTokens, &tiles);
  }
  for (int32_t group = 0; group < groups; group++) {
    const int32_t last = group + 1 < groups ? (group + 1) * kTileRows - 1 : tile.count - 1;
    const int32_t visible_blocks = (tile.visible[last] + kKvBlockTokens - 1) / kKvBlockTokens;
    for (int32_t b = 0; b < visible_blocks; b++) score_group(tile, group, b, &tiles);
    for (int32_t query = group * kTileRows; query <= last; query++) weigh(tile, query);
    write_weights(tile, group, visible_blocks, &tiles);
    add_group(tile, group, visible_blocks, &tiles);
  }
  _tile_release();
}

}  // namespace

const TileKernels kTiles = {linear, gated, store_row, attend_split};

}  // namespace hussar::cpu::amx
