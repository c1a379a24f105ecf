// Matrix products of prompt rows. Four sums of 16 tokens x 16 rows of a panel are in the making at once: two
// panels, unpacked to BF16 once for all tokens, times two groups of tokens.
#include "kernels/cpu/amx/kernels.h"

#include <immintrin.h>

#include "kernels/cpu/amx/multiply.h"
#include "kernels/cpu/amx/weight_tiles.h"

namespace hussar::cpu::amx {
namespace {

// Of activations: they stay in the second-level cache while the panels pass.
constexpr int64_t kActivationBytes = 1 << 20;
constexpr int32_t kChunkTokens = 512;

struct alignas(64) Scratch {
  uint16_t tiles[2][kRunTiles * kTileElements];
  float sums[2][2][kTileRows][kPanelRows];  // of panel p and group g
};

// A part of a product: two panels at most, a run of their columns, all tokens.
struct Step {
  const TiledLinearArgs& args;
  int64_t panel;
  TileRun run;
  Lookahead next[2];
};

inline __mmask16 row_mask(const Step& step, int32_t p) {
  const int64_t left = step.args.w.rows - (step.panel + p) * kPanelRows;
  return static_cast<__mmask16>(left >= kPanelRows ? 0xffffu : (1u << left) - 1u);
}

// Brings the sums of a panel and a group to y.
void store_sums(const Step& step, int32_t p, int32_t token, const float (*sums)[kPanelRows]) {
  const TiledLinearArgs& args = step.args;
  const __mmask16 mask = row_mask(step, p);
  const int64_t row = (step.panel + p) * kPanelRows;
  const bool added = !step.run.first || args.mode == StoreMode::kAdd,
             biased = step.run.last && args.bias != nullptr;
  const __m512 bias = biased ? _mm512_maskz_loadu_ps(mask, args.bias + row) : _mm512_setzero_ps();
  float* y = args.y + token * args.y_stride + row;
  for (int32_t t = 0; t < kTileRows && token + t < args.tokens; t++, y += args.y_stride) {
    __m512 sum = _mm512_load_ps(sums[t]);
    if (added) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sum);
    if (biased) sum = _mm512_add_ps(sum, bias);
    _mm512_mask_storeu_ps(y, mask, sum);
  }
}

#define END_SUMS(SUMS, p, g)                               \
  _tile_stored(SUMS, scratch->sums[p][g], 4 * kPanelRows); \
  store_sums(step, p, token + (g)*kTileRows, scratch->sums[p][g]);

// P panels times G groups of tokens.
template <int P, int G>
void multiply(const Step& step, int32_t token, Scratch* scratch) {
  const TiledLinearArgs& args = step.args;
  const int64_t across = row_tiles(args.w.cols);
  const uint16_t* const x = args.x + (token / kTileRows * across + step.run.begin) * kTileElements;
  float* const y = args.y + token * args.y_stride + step.panel * kPanelRows;
  const int32_t left = args.tokens - token;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  add_products<P, G>(
      {scratch->tiles[0], scratch->tiles[1], x, x + across * kTileElements, step.run.count},
      {{reinterpret_cast<char*>(y), reinterpret_cast<char*>(y + kTileRows * args.y_stride)},
       args.y_stride * 4,
       {left < kTileRows ? left : kTileRows, left < 2 * kTileRows ? left - kTileRows : kTileRows},
       P == 2});
  END_SUMS(0, 0, 0)
  if constexpr (G == 2) {
    END_SUMS(1, 0, 1)
  }
  if constexpr (P == 2) {
    END_SUMS(2, 1, 0)
  }
  if constexpr (P == 2 && G == 2) {
    END_SUMS(3, 1, 1)
  }
}

template <int P>
void run_step(Step step, WeightWriter write, Scratch* scratch) {
  for (int32_t p = 0; p < P; p++)
    write(step.args.w, step.panel + p, step.run.begin, step.run.count, scratch->tiles[p]);
  for (int32_t token = 0; token < step.args.tokens; token += 2 * kTileRows) {
    for (Lookahead& next : step.next) next.advance();
    if (step.args.tokens - token > kTileRows) {
      multiply<P, 2>(step, token, scratch);
    } else {
      multiply<P, 1>(step, token, scratch);
    }
  }
}

// The tokens of one chunk.
void multiply_chunk(const TiledLinearArgs& args, int64_t panel_begin, int64_t panel_end, Scratch* scratch) {
  const WeightWriter write = weight_writer(args.w.dtype);
  const int32_t runs = tile_runs(args.w.cols);
  const auto pairs = static_cast<int32_t>((panel_end - panel_begin + 1) / 2);
  const int32_t calls = group_pairs(args.tokens);
  // Activations that don't fit the cache are walked through run by run, since each panel would read all of
  // them anew.
  const bool fits = tiled_elements(args.tokens, args.w.cols) * 2 <= kActivationBytes;
  const auto panel_of = [&](int32_t i) { return panel_begin + 2 * (fits ? i / runs : i % pairs); };
  const auto run_of = [&](int32_t i) { return tile_run(args.w.cols, fits ? i % runs : i / pairs); };
  for (int32_t i = 0; i < pairs * runs; i++) {
    const int32_t next = i + 1 < pairs * runs ? i + 1 : i;
    const int64_t panel = panel_of(i);
    const Step step = {args,
                       panel,
                       run_of(i),
                       {look_at(args.w, panel_of(next), panel_end, run_of(next), calls),
                        look_at(args.w, panel_of(next) + 1, panel_end, run_of(next), calls)}};
    if (panel + 1 < panel_end) {
      run_step<2>(step, write, scratch);
    } else {
      run_step<1>(step, write, scratch);
    }
  }
}

}  // namespace

void linear(const TiledLinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  Scratch scratch;
  configure_tiles();
  for (int32_t token = 0; token < args.tokens; token += kChunkTokens) {
    TiledLinearArgs chunk = args;
    chunk.tokens = args.tokens - token < kChunkTokens ? args.tokens - token : kChunkTokens;
    chunk.x += token / kTileRows * row_tiles(args.w.cols) * kTileElements;
    chunk.y += token * args.y_stride;
    multiply_chunk(chunk, panel_begin, panel_end, &scratch);
  }
  _tile_release();
}

void store_row(const float* x, int32_t cols, int64_t row, int64_t first, int64_t across, uint16_t* tiles) {
  uint16_t* out = tiles + (row / kTileRows * across + first) * kTileElements + row % kTileRows * kTileColumns;
  for (int32_t k = 0; k < cols; k += kTileColumns, out += kTileElements) {
    const auto part = [&](int32_t from) {
      const int32_t left = cols - from;
      const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffffu : left > 0 ? (1u << left) - 1u : 0u);
      return _mm512_maskz_loadu_ps(mask, x + from);
    };
    _mm512_store_si512(out, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(part(k + 16), part(k))));
  }
}

}  // namespace hussar::cpu::amx
