// The arithmetic of prompt rows where the machine multiplies tiles of BF16 numbers (Intel AMX): another one
// than that of generated rows, and many times as fast. A row takes it for its role, whatever else is in the
// batch, so that its result is the same alone, in any chunk and beside any other rows.
//
// A tile product adds 32 columns k at once to a sum, each step rounded to nearest even, denormal numbers
// taken for zero:
//   even = fma over j = 0 .. 15 of x[2j] w[2j], from 0; odd = fma over j of x[2j + 1] w[2j + 1], from 0; sum
//   += even + odd.
// Plain structures only (the translation units of an ISA share no inline function with the rest of the
// program).
#pragma once

#include <cstdint>

#include "kernels/cpu/attention_kernels.h"
#include "kernels/cpu/exp_constants.h"
#include "kernels/cpu/linear_kernels.h"

namespace hussar::cpu {

inline constexpr int32_t kTileRows = 16;
inline constexpr int32_t kTileColumns = 32;
inline constexpr int32_t kTileElements = kTileRows * kTileColumns;
// Query vectors of one call of attend_split, and the heads that it takes.
inline constexpr int32_t kTiledQueriesMax = 128;
inline constexpr int32_t kTiledHeadDimMin = 17;  // values of two vectors
inline constexpr int32_t kTiledHeadDimMax = 256;

// Tiles across a row of `cols` columns: the last one is filled up with zeros.
constexpr int64_t row_tiles(int64_t cols) { return (cols + kTileColumns - 1) / kTileColumns; }
// Elements of the tiles of so many rows.
constexpr int64_t tiled_elements(int64_t rows, int64_t cols) {
  return (rows + kTileRows - 1) / kTileRows * row_tiles(cols) * kTileElements;
}

// A row's tiles are summed in runs of at most kRunTiles: what two rows of weights take of the caches once
// they are BF16.
inline constexpr int32_t kRunTiles = 20;
struct TileRun {
  int32_t begin, count;
  bool first, last;  // of the row
};
constexpr int32_t tile_runs(int64_t cols) {
  return static_cast<int32_t>((row_tiles(cols) + kRunTiles - 1) / kRunTiles);
}
constexpr TileRun tile_run(int64_t cols, int32_t index) {
  const int64_t tiles = row_tiles(cols), runs = tile_runs(cols), begin = tiles * index / runs;
  return {static_cast<int32_t>(begin), static_cast<int32_t>(tiles * (index + 1) / runs - begin), index == 0,
          index + 1 == runs};
}

// y[t][r] (0 at first for kStore) += the tile products of x[t] and w[r] over each run of columns, each from
// 0; then += bias[r].
struct TiledLinearArgs {
  MatrixView w;  // a block format or BF16; an element counts as BF16: of fma(d, q, m), of the block's scale
                 // and minimum
  const uint16_t* x;  // BF16 tiles [16 rows][32 columns]: for each 16 rows, all tiles across
  int32_t tokens;     // M >= 1; what x holds behind them may be anything
  float* y;           // [M, rows] with y_stride
  int64_t y_stride;
  const float* bias;  // [rows] or null
  StoreMode mode;
};

// out[t][r] = BF16 of (g / (1 + exp(-g))) * u, where g and u are the tile products of x[t] with row r of gate
// and of up, from 0 over all columns. A quotient is g times the reciprocal of the divisor d: r = the float of
// bits kReciprocalMagic - bits(d), then kReciprocalSteps times r = r * fma(-d, r, 2).
struct TiledGatedArgs {
  MatrixView gate, up;  // [F, cols] each, of formats that TiledLinearArgs takes
  const uint16_t* x;    // as TiledLinearArgs
  int32_t tokens;
  uint16_t* out;  // BF16 tiles of [M, F]
};
inline constexpr int32_t kReciprocalMagic = 0x7ef311c7;
inline constexpr int32_t kReciprocalSteps =
    3;  // the relative error is below 2^-22 then: far below BF16's 2^-9

// 2^r for |r| <= 1/2, minimax in relative error (2^-18.5: BF16 rounds by 2^-9).
inline constexpr float kPowerOfTwo[] = {0x1.ffffe8p-1f, 0x1.62e0dcp-1f, 0x1.ec06dap-3f, 0x1.ca1442p-5f,
                                        0x1.3997d4p-7f};
inline constexpr float kLowestScore = -86.0f;  // what is lower weighs as much: about 2^-124

struct TileKernels {
  // Computes the rows of panels [panel_begin, panel_end).
  void (*linear)(const TiledLinearArgs& args, int64_t panel_begin, int64_t panel_end);
  // Computes the columns of panels [panel_begin, panel_end). REQUIRES: panel_begin is even.
  void (*gated)(const TiledGatedArgs& args, int64_t panel_begin, int64_t panel_end);
  // Rounds `cols` numbers to BF16 (to nearest even; denormal numbers to zero) into the tiles of a matrix that
  // has `across` of them in a row: into row `row`, from tile `first` of it on.
  void (*store_row)(const float* x, int32_t cols, int64_t row, int64_t first, int64_t across,
                    uint16_t* tiles);
  // As AttentionKernels::attend_split, but queries, keys and weights are rounded to BF16, scores and sums are
  // tile products (over the head, over the positions), and a weight is exponential_of_score: with x =
  // max(score - maximum, kLowestScore), n = x log2(e) rounded to an integer and r = fma(x, log2(e), -n), the
  // polynomial kPowerOfTwo in r (Horner, by fma), times 2^n. `scores` has room for count rounded up to 16
  // rows, and holds nothing in particular afterwards. REQUIRES: count <= kTiledQueriesMax, head_dim
  // kTiledHeadDimMin .. kTiledHeadDimMax.
  void (*attend_split)(const AttentionTile& tile);
};

enum class Isa : uint8_t;
// Null for an ISA whose prompt rows take the arithmetic of generated ones.
const TileKernels* tile_kernels(Isa isa);
// True for the formats that `linear` takes: F32 and F16 would lose bits.
bool multiplies_tiles(DType dtype);

namespace reference {
extern const TileKernels kTiles;
}
namespace amx {
extern const TileKernels kTiles;
}

}  // namespace hussar::cpu
