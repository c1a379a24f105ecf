// The scalar twin of AMX's arithmetic for prompt rows: the truth that the tiles are compared with, and what
// the split of roles is tested with on machines that have none.
#include "kernels/cpu/tile_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/reference/scalar_math.h"
#include "kernels/cpu/reference/weigh.h"

namespace hussar::cpu::reference {
namespace {

// As the processor rounds: denormal numbers are zero, whatever mode the thread is in.
uint16_t round_to_bf16(float x) {
  const bool denormal = std::fabs(x) < std::numeric_limits<float>::min();
  return f32_to_bf16(denormal ? std::copysign(0.0f, x) : x);
}

float as_bf16(float x) { return bf16_to_f32(round_to_bf16(x)); }

// One tile product of a row: 32 numbers each.
float add_tile(const float* x, const float* w, float sum) {
  float even = 0, odd = 0;
  for (int32_t k = 0; k < kTileColumns; k += 2) {
    even = std::fma(x[k], w[k], even);
    odd = std::fma(x[k + 1], w[k + 1], odd);
  }
  return sum + (even + odd);
}

// 32 weights of a row as they count: scale, minimum and quant in one rounding, and BF16's.
void read_weights(const MatrixView& matrix, int32_t row, int64_t index, float* out) {
  if (matrix.dtype == DType::kBF16) {
    const uint8_t* const panel = matrix.panels + row / kPanelRows * matrix.panel_bytes;
    for (int64_t k = 0; k < kTileColumns; k++) {
      const int64_t column = index * kTileColumns + k;
      out[k] = 0;
      if (column >= matrix.cols) continue;
      dequantize(DType::kBF16,
                 reinterpret_cast<const std::byte*>(panel + (column * kPanelRows + row % kPanelRows) * 2), 1,
                 out + k);
    }
    return;
  }
  StoredBlock block;
  read_packed_block(matrix, row, index, &block);
  const bool k_block = matrix.dtype == DType::kQ4_K || matrix.dtype == DType::kQ5_K,
             q6 = matrix.dtype == DType::kQ6_K;
  const float scale = f16_to_f32(block.scale), min = f16_to_f32(block.min);
  const float m = k_block ? -(min * static_cast<float>(block.mins)) : min;
  for (int32_t k = 0; k < kTileColumns; k++) {
    const float d = k_block || q6 ? scale * static_cast<float>(block.scales[k / 16]) : scale;
    out[k] = as_bf16(std::fma(d, static_cast<float>(block.q[k] + quant_offset(matrix.dtype)), m));
  }
}

float read_tiled(const uint16_t* tiles, int64_t across, int64_t row, int64_t column) {
  const uint16_t* const tile = tiles + (row / kTileRows * across + column / kTileColumns) * kTileElements;
  return bf16_to_f32(tile[row % kTileRows * kTileColumns + column % kTileColumns]);
}

// The tile products of one row of x and of the weights over `count` tiles.
float multiply_tiles(const MatrixView& w, const uint16_t* tiles, int64_t token, int32_t row, int64_t begin,
                     int64_t count) {
  const int64_t across = row_tiles(w.cols);
  float sum = 0;
  for (int64_t i = begin; i < begin + count; i++) {
    float weights[kTileColumns], x[kTileColumns];
    read_weights(w, row, i, weights);
    for (int32_t k = 0; k < kTileColumns; k++) x[k] = read_tiled(tiles, across, token, i * kTileColumns + k);
    sum = add_tile(x, weights, sum);
  }
  return sum;
}

void linear(const TiledLinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  const int64_t row_end = std::min<int64_t>(panel_end * kPanelRows, args.w.rows);
  for (int64_t row = panel_begin * kPanelRows; row < row_end; row++) {
    for (int32_t t = 0; t < args.tokens; t++) {
      float* const y = args.y + t * args.y_stride + row;
      for (int32_t i = 0; i < tile_runs(args.w.cols); i++) {
        const TileRun run = tile_run(args.w.cols, i);
        const float sum = multiply_tiles(args.w, args.x, t, static_cast<int32_t>(row), run.begin, run.count);
        *y = run.first && args.mode == StoreMode::kStore ? sum : *y + sum;
      }
      if (args.bias != nullptr) *y += args.bias[row];
    }
  }
}

float reciprocal(float x) {
  float r = std::bit_cast<float>(kReciprocalMagic - std::bit_cast<int32_t>(x));
  for (int32_t i = 0; i < kReciprocalSteps; i++) r *= std::fma(-x, r, 2.0f);
  return r;
}

void gated(const TiledGatedArgs& args, int64_t panel_begin, int64_t panel_end) {
  const int64_t across = row_tiles(args.gate.rows);
  const int64_t row_end = std::min<int64_t>(panel_end * kPanelRows, args.gate.rows);
  for (int64_t row = panel_begin * kPanelRows;
       row < (row_end + kTileColumns - 1) / kTileColumns * kTileColumns; row++) {
    for (int32_t t = 0; t < args.tokens; t++) {
      uint16_t* const out = args.out + (t / kTileRows * across + row / kTileColumns) * kTileElements;
      uint16_t& place = out[t % kTileRows * kTileColumns + row % kTileColumns];
      place = 0;
      if (row >= row_end) continue;
      const float gate =
          multiply_tiles(args.gate, args.x, t, static_cast<int32_t>(row), 0, row_tiles(args.gate.cols));
      const float up =
          multiply_tiles(args.up, args.x, t, static_cast<int32_t>(row), 0, row_tiles(args.up.cols));
      place = round_to_bf16(gate * reciprocal(1.0f + exponential(-gate)) * up);
    }
  }
}

void store_row(const float* x, int32_t cols, int64_t row, int64_t first, int64_t across, uint16_t* tiles) {
  for (int64_t k = 0; k < row_tiles(cols) * kTileColumns; k++) {
    uint16_t* const tile = tiles + (row / kTileRows * across + first + k / kTileColumns) * kTileElements;
    tile[row % kTileRows * kTileColumns + k % kTileColumns] = k < cols ? round_to_bf16(x[k]) : uint16_t{0};
  }
}

float exponential_of_score(float x) {
  const float bounded = max_of(x, kLowestScore);
  const float shifted = std::fma(bounded, kLog2E, kRoundMagic);
  const float r = std::fma(bounded, kLog2E, -(shifted - kRoundMagic));
  float p = kPowerOfTwo[4];
  for (int32_t i = 3; i >= 0; i--) p = std::fma(p, r, kPowerOfTwo[i]);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p) + (std::bit_cast<uint32_t>(shifted) << 23));
}

// The score of a query and a position.
float score(const AttentionTile& tile, const float* query, int32_t position) {
  const uint16_t* const keys = tile.keys[position / kKvBlockTokens] + position % kKvBlockTokens;
  float sum = 0;
  for (int32_t first = 0; first < tile.head_dim; first += kTileColumns) {
    float q[kTileColumns] = {}, k[kTileColumns] = {};
    for (int32_t i = 0; i < kTileColumns && first + i < tile.head_dim; i++) {
      q[i] = as_bf16(query[first + i]);
      k[i] = as_bf16(to_float(keys[int64_t{first + i} * kKvBlockTokens], tile.type));
    }
    sum = add_tile(q, k, sum);
  }
  return sum;
}

void attend_split(const AttentionTile& tile) {
  const int32_t width = value_width(tile.head_dim);
  for (int32_t query = 0; query < tile.count; query++) {
    float* const scores = tile.scores + int64_t{query} * kSplitTokens;
    float* const sums = tile.sums + int64_t{query} * width;
    const int32_t visible = tile.visible[query];
    for (int32_t t = 0; t < visible; t++)
      scores[t] = score(tile, tile.queries + int64_t{query} * tile.head_dim, t);
    weigh(tile, query, exponential_of_score);
    for (int32_t w = 0; w < width; w++) {
      sums[w] = 0;
      for (int32_t first = 0; first < visible; first += kTileColumns) {
        float weights[kTileColumns] = {}, values[kTileColumns] = {};
        for (int32_t i = 0; i < kTileColumns && first + i < visible; i++) {
          weights[i] = as_bf16(scores[first + i]);
          values[i] =
              as_bf16(to_float(tile.values[first / kKvBlockTokens][int64_t{i} * width + w], tile.type));
        }
        sums[w] = add_tile(weights, values, sums[w]);
      }
    }
  }
}

}  // namespace

const TileKernels kTiles = {linear, gated, store_row, attend_split};

}  // namespace hussar::cpu::reference
