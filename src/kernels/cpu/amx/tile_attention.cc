// Attention of prompt rows: queries, keys, weights and values as BF16 tiles, 16 queries at once.
#include <immintrin.h>

#include <algorithm>

#include "kernels/cpu/amx/kernels.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/avx512/math.h"

namespace hussar::cpu::amx {
namespace {

using namespace avx512;

constexpr int32_t kVectorFloats = 16;
// Not a power of two: rows 4 KiB apart would be taken for each other while they are stored and loaded.
constexpr int32_t kScoreStride = kSplitTokens + 16;
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
  uint16_t weights[2][kSplitBlocks][kTileElements];  // of a group and the one before
  float scores[2][kTileRows][kScoreStride];          // likewise
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

// 32 numbers of the pool as BF16.
template <HalfType Type>
inline __m512i load_halves(const uint16_t* at) {
  if constexpr (Type == HalfType::kBF16) return _mm512_loadu_si512(at);
  return to_bf16(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))),
                 _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + kVectorFloats))));
}

// Two rows of 32 numbers as pairs: of the first 16 columns, and of the others.
inline void write_pairs(__m512i even, __m512i odd, uint16_t* first, uint16_t* second) {
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7,
                                       38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  _mm512_store_si512(first, _mm512_permutex2var_epi16(even, low, odd));
  _mm512_store_si512(second, _mm512_permutex2var_epi16(even, high, odd));
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

template <HalfType Type>
void write_keys(const AttentionTile& tile, int32_t block, Tiles* tiles) {
  const uint16_t* const keys = tile.keys[block];
  const __m512i zero = _mm512_setzero_si512();
  for (int32_t h = 0; h < tiles->head_tiles * kTileColumns; h += 2) {
    const __m512i even = h < tile.head_dim ? load_halves<Type>(keys + int64_t{h} * kKvBlockTokens) : zero;
    const __m512i odd =
        h + 1 < tile.head_dim ? load_halves<Type>(keys + int64_t{h + 1} * kKvBlockTokens) : zero;
    const int32_t at = h % kTileColumns * kTileRows;
    write_pairs(even, odd, tiles->key_tile(block, 0, h / kTileColumns) + at,
                tiles->key_tile(block, 1, h / kTileColumns) + at);
  }
}

// Values of positions that no query of the tile sees, from `seen` on, may be anything: they count as zero.
template <HalfType Type>
void write_values(const AttentionTile& tile, int32_t block, int32_t seen, Tiles* tiles) {
  const int32_t width = value_width(tile.head_dim);
  const __m512i zero = _mm512_setzero_si512();
  for (int32_t t = 0; t < kKvBlockTokens; t += 2) {
    const uint16_t* const values = tile.values[block] + int64_t{t} * width;
    for (int32_t w = 0; w < width; w += kTileColumns) {
      const int32_t from = std::min(w, width - kTileColumns);  // nothing behind the row is read
      const __m512i even = t < seen ? load_halves<Type>(values + from) : zero;
      const __m512i odd = t + 1 < seen ? load_halves<Type>(values + width + from) : zero;
      uint16_t* const at = tiles->value_tile(block, from / kTileRows) + t * kTileRows;
      write_pairs(even, odd, at, at + kTileElements);
    }
  }
}

// Scores of the 16 queries of a group and the positions of two blocks, or of one: sums of four tiles hide
// each other's latency.
template <int Blocks>
void score_blocks(int32_t group, int32_t block, Tiles* tiles) {
  float* const scores = tiles->scores[group % 2][0] + block * kKvBlockTokens;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int32_t i = 0; i < tiles->head_tiles; i++) {
    _tile_loadd(4, tiles->query_tile(group, i), 64);
    _tile_loadd(6, tiles->key_tile(block, 0, i), 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, tiles->key_tile(block, 1, i), 64);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (Blocks == 2) {
      _tile_loadd(6, tiles->key_tile(block + 1, 0, i), 64);
      _tile_dpbf16ps(2, 4, 6);
      _tile_loadd(7, tiles->key_tile(block + 1, 1, i), 64);
      _tile_dpbf16ps(3, 4, 7);
    }
  }
  _tile_stored(0, scores, 4 * kScoreStride);
  _tile_stored(1, scores + kTileRows, 4 * kScoreStride);
  if constexpr (Blocks == 2) {
    _tile_stored(2, scores + kKvBlockTokens, 4 * kScoreStride);
    _tile_stored(3, scores + kKvBlockTokens + kTileRows, 4 * kScoreStride);
  }
}

void score_group(int32_t group, int32_t blocks, Tiles* tiles) {
  int32_t block = 0;
  for (; block + 2 <= blocks; block += 2) score_blocks<2>(group, block, tiles);
  if (block < blocks) score_blocks<1>(group, block, tiles);
}

// tile_kernels.h says how a weight is computed. REQUIRES: no x is positive.
inline __m512 exponential_of_score(__m512 x) {
  const __m512 magic = _mm512_set1_ps(kRoundMagic), log2e = _mm512_set1_ps(kLog2E);
  const __m512 bounded = _mm512_max_ps(x, _mm512_set1_ps(kLowestScore));
  const __m512 shifted = _mm512_fmadd_ps(bounded, log2e, magic);
  const __m512 r = _mm512_fmsub_ps(bounded, log2e, _mm512_sub_ps(shifted, magic));
  __m512 p = _mm512_set1_ps(kPowerOfTwo[4]);
  for (int32_t i = 3; i >= 0; i--) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(kPowerOfTwo[i]));
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), exponent));
}

// The lanes from position `from` on that a query sees.
inline __mmask16 seen_lanes(int32_t visible, int32_t from) {
  return visible > from ? lane_mask(visible - from) : __mmask16{0};
}

inline float highest_score(const float* scores, int32_t visible) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 highest[2] = {lowest, lowest};
  int32_t t = 0;
  for (; t + kKvBlockTokens <= visible; t += kKvBlockTokens) {
    highest[0] = _mm512_max_ps(highest[0], _mm512_load_ps(scores + t));
    highest[1] = _mm512_max_ps(highest[1], _mm512_load_ps(scores + t + kVectorFloats));
  }
  for (; t < visible; t += kVectorFloats)
    highest[0] = _mm512_max_ps(highest[0], _mm512_mask_loadu_ps(lowest, seen_lanes(visible, t), scores + t));
  return max_lanes(_mm512_max_ps(highest[0], highest[1]));
}

// The weights of a query in its row of the tiles of `blocks` blocks; of positions that it doesn't see they
// are zero. Returns their sum, lane by lane.
inline __m512 write_weights(const float* scores, int32_t visible, float highest, int32_t blocks,
                            uint16_t* row) {
  const __m512 max = _mm512_set1_ps(highest);
  __m512 lanes = _mm512_setzero_ps();
  for (int32_t b = 0; b < blocks; b++, row += kTileElements) {
    const int32_t t = b * kKvBlockTokens;
    __m512 low = exponential_of_score(_mm512_sub_ps(_mm512_load_ps(scores + t), max));
    __m512 high = exponential_of_score(_mm512_sub_ps(_mm512_load_ps(scores + t + kVectorFloats), max));
    if (t + kKvBlockTokens > visible) {
      low = _mm512_maskz_mov_ps(seen_lanes(visible, t), low);
      high = _mm512_maskz_mov_ps(seen_lanes(visible, t + kVectorFloats), high);
    }
    lanes = _mm512_add_ps(_mm512_add_ps(lanes, low), high);
    _mm512_store_si512(row, to_bf16(low, high));
  }
  return lanes;
}

// From the scores of a group to its weights, in passes over all of its queries, whose reductions overlap that
// way.
void weigh_group(const AttentionTile& tile, int32_t group, int32_t blocks, Tiles* tiles) {
  const int32_t first = group * kTileRows, count = std::min(kTileRows, tile.count - first);
  const float(*const scores)[kScoreStride] = tiles->scores[group % 2];
  for (int32_t i = 0; i < count; i++)
    tile.maxima[first + i] = highest_score(scores[i], tile.visible[first + i]);
  for (int32_t i = 0; i < count; i++) {
    const __m512 lanes = write_weights(scores[i], tile.visible[first + i], tile.maxima[first + i], blocks,
                                       tiles->weights[group % 2][0] + i * kTileColumns);
    tile.totals[first + i] = sum_lanes(lanes);
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
  const uint16_t(*const weights)[kTileElements] = tiles->weights[group % 2];
  int32_t c = 0;
  for (; c + 4 <= across; c += 4) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int32_t b = 0; b < blocks; b++) {
      _tile_loadd(4, weights[b], 64);
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
      _tile_loadd(4, weights[b], 64);
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
    const auto keys = tile.type == HalfType::kBF16 ? write_keys<HalfType::kBF16> : write_keys<HalfType::kF16>;
    const auto values =
        tile.type == HalfType::kBF16 ? write_values<HalfType::kBF16> : write_values<HalfType::kF16>;
    keys(tile, b, &tiles);
    values(tile, b, seen - b * kKvBlockTokens, &tiles);
  }
  const auto last_of = [&](int32_t group) { return std::min((group + 1) * kTileRows, tile.count) - 1; };
  const auto blocks_of = [&](int32_t group) {
    return (tile.visible[last_of(group)] + kKvBlockTokens - 1) / kKvBlockTokens;
  };
  // Each part of the work on a group comes a turn after the one before: what tiles have just stored, and what
  // tiles are to load of what has just been stored, would have to be waited for.
  for (int32_t turn = 0; turn < groups + 2; turn++) {
    const int32_t scored = turn, weighed = turn - 1, added = turn - 2;
    if (scored < groups) score_group(scored, blocks_of(scored), &tiles);
    if (added >= 0) add_group(tile, added, blocks_of(added), &tiles);
    if (weighed >= 0 && weighed < groups) weigh_group(tile, weighed, blocks_of(weighed), &tiles);
  }
  _tile_release();
}

}  // namespace

const TileKernels kTiles = {linear, gated, store_row, attend_split};

}  // namespace hussar::cpu::amx
