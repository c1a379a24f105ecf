// silu(x Wgate^T) * (x Wup^T): a panel of each at once, so that their sums never leave the first-level cache.
#include <immintrin.h>

#include "kernels/cpu/amx/kernels.h"
#include "kernels/cpu/amx/multiply.h"
#include "kernels/cpu/amx/weight_tiles.h"
#include "kernels/cpu/avx512/math.h"

namespace hussar::cpu::amx {
namespace {

constexpr int32_t kChunkTokens = 512;

struct alignas(64) Scratch {
  uint16_t tiles[2][kRunTiles * kTileElements];
  float sums[kChunkTokens / kTileRows][2][kTileRows][kPanelRows];  // of gate and up, for each group of tokens
};

// tile_kernels.h says how a quotient is computed.
inline __m512 reciprocal(__m512 x) {
  const __m512 two = _mm512_set1_ps(2.0f);
  __m512 r =
      _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32(kReciprocalMagic), _mm512_castps_si512(x)));
  for (int32_t i = 0; i < kReciprocalSteps; i++) r = _mm512_mul_ps(r, _mm512_fnmadd_ps(x, r, two));
  return r;
}

inline __m512 gate_up(__m512 gate, __m512 up) {
  const __m512 divisor =
      _mm512_add_ps(_mm512_set1_ps(1.0f), avx512::exponential(_mm512_xor_ps(gate, _mm512_set1_ps(-0.0f))));
  return _mm512_mul_ps(_mm512_mul_ps(gate, reciprocal(divisor)), up);
}

// The 16 columns of a panel in the output's tiles, for a group of tokens.
void store_group(const TiledGatedArgs& args, int64_t panel, int32_t token,
                 const float (*sums)[kTileRows][kPanelRows]) {
  const int64_t across = row_tiles(args.gate.rows);
  uint16_t* out =
      args.out + (token / kTileRows * across + panel / 2) * kTileElements + panel % 2 * kPanelRows;
  // The last tile's other half has no panel of its own where the panels are odd.
  const bool alone = panel % 2 == 0 && (panel + 1) * kPanelRows >= args.gate.rows;
  for (int32_t t = 0; t < kTileRows && token + t < args.tokens; t++, out += kTileColumns) {
    const __m512 value = gate_up(_mm512_load_ps(sums[0][t]), _mm512_load_ps(sums[1][t]));
    auto* const at = reinterpret_cast<__m256i*>(out);
    _mm256_store_si256(at, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
    if (alone) _mm256_store_si256(at + 1, _mm256_setzero_si256());
  }
}

// Of the two panels: the tiles that are unpacked.
struct Part {
  int64_t panel;
  TileRun run;
  float (*sums)[2][kTileRows][kPanelRows];
};

// G groups of tokens.
template <int G>
void multiply(const TiledGatedArgs& args, const Part& part, int32_t token, const Scratch& scratch) {
  const int64_t across = row_tiles(args.gate.cols), out_across = row_tiles(args.gate.rows);
  const uint16_t* const x = args.x + (token / kTileRows * across + part.run.begin) * kTileElements;
  // What all blocks together give needs to be kept for a moment only.
  const int32_t group = part.run.first && part.run.last ? 0 : token % kChunkTokens / kTileRows;
  float(*const sums)[2][kTileRows][kPanelRows] = part.sums + group;
#define BEGIN_SUMS(SUMS, p, g)                     \
  if (part.run.first) {                            \
    _tile_zero(SUMS);                              \
  } else {                                         \
    _tile_loadd(SUMS, sums[g][p], 4 * kPanelRows); \
  }
  BEGIN_SUMS(0, 0, 0)
  BEGIN_SUMS(2, 1, 0)
  if constexpr (G == 2) {
    BEGIN_SUMS(1, 0, 1)
    BEGIN_SUMS(3, 1, 1)
  }
#undef BEGIN_SUMS
  char* const out =
      reinterpret_cast<char*>(args.out + (token / kTileRows * out_across + part.panel / 2) * kTileElements);
  const int32_t lines = part.run.last ? kTileRows : 0;
  add_products<2, G>({scratch.tiles[0], scratch.tiles[1], x, x + across * kTileElements, part.run.count},
                     {{out, out + out_across * kTileElements * 2}, 64, {lines, lines}, false});
  _tile_stored(0, sums[0][0], 4 * kPanelRows);
  _tile_stored(2, sums[0][1], 4 * kPanelRows);
  if constexpr (G == 2) {
    _tile_stored(1, sums[1][0], 4 * kPanelRows);
    _tile_stored(3, sums[1][1], 4 * kPanelRows);
  }
  if (!part.run.last) return;
  for (int32_t g = 0; g < G; g++) store_group(args, part.panel, token + g * kTileRows, sums[g]);
}

}  // namespace

void gated(const TiledGatedArgs& args, int64_t panel_begin, int64_t panel_end) {
  Scratch scratch;
  configure_tiles();
  const WeightWriter writers[] = {weight_writer(args.gate.dtype), weight_writer(args.up.dtype)};
  for (int32_t chunk = 0; chunk < args.tokens; chunk += kChunkTokens) {
    const int32_t chunk_end = chunk + kChunkTokens < args.tokens ? chunk + kChunkTokens : args.tokens;
    for (int64_t panel = panel_begin; panel < panel_end; panel++) {
      for (int32_t i = 0; i < tile_runs(args.gate.cols); i++) {
        const Part part = {panel, tile_run(args.gate.cols, i), scratch.sums};
        writers[0](args.gate, panel, part.run.begin, part.run.count, scratch.tiles[0]);
        writers[1](args.up, panel, part.run.begin, part.run.count, scratch.tiles[1]);
        const TileRun next = tile_run(args.gate.cols, part.run.last ? 0 : i + 1);
        const int64_t next_panel = part.run.last ? panel + 1 : panel;
        const int32_t calls = group_pairs(chunk_end - chunk);
        Lookahead gate = look_at(args.gate, next_panel, panel_end, next, calls);
        Lookahead up = look_at(args.up, next_panel, panel_end, next, calls);
        for (int32_t token = chunk; token < chunk_end; token += 2 * kTileRows) {
          gate.advance();
          up.advance();
          if (chunk_end - token > kTileRows) {
            multiply<2>(args, part, token, scratch);
          } else {
            multiply<1>(args, part, token, scratch);
          }
        }
      }
    }
  }
  _tile_release();
}

}  // namespace hussar::cpu::amx
