// Matrix products of many generated rows: tiles of 16 tokens times 16 rows of a panel, 32 columns at once,
// give the very integer sums that the other instruction sets compute, and these are scaled and added in their
// order (linear_kernels.h). What tiles do not help with is AVX-512's.
#include <immintrin.h>

#include "kernels/cpu/amx/lookahead.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/avx512/linear.h"
#include "kernels/cpu/avx512/panel.h"
#include "kernels/cpu/format_switch.h"
#include "kernels/cpu/linear_kernels.h"

namespace hussar::cpu::amx {
namespace {

using namespace avx512;

constexpr int32_t kGroupTokens = 16;
// Fewer tokens leave the tiles so empty that dot products without them are faster.
constexpr int32_t kFewestTokens = 9;
// Tokens that take turns with a panel's unpacked blocks, and the most columns that are rearranged for them.
constexpr int32_t kChunkTokens = 64;
constexpr int32_t kBlocksMax = 256;
// Blocks of a panel that are unpacked at once: they stay in the first-level cache while the tokens pass.
constexpr int32_t kSlabBlocks = 14;
// Sums that are in the making before the first are looked at: what a tile stored takes a while to be there.
// With tiles about, a core takes one vector operation of 512 bits a cycle instead of two: the scaling, four
// of them for 16 rows of a token, is what takes the time then, and more sums ahead change nothing.
constexpr int32_t kAhead = 2;

// A block of 16 tokens.
struct alignas(64) TokenBlock {
  int8_t q[kGroupTokens][kBlockColumns];
  float scale[kGroupTokens];
  float scaled_sum[kGroupTokens];
};

// A block of a panel as the tiles take it: quants with their sign, 4 columns to a row, and the scales of the
// 16 rows.
struct alignas(64) WeightBlock {
  uint8_t quants[kBlockColumns / 4][4 * kPanelRows];
  float d[kPanelRows];
  float m[kPanelRows];                // of formats with a minimum
  float small_scales[2][kPanelRows];  // of Q6_K, for columns 0 .. 15 and 16 .. 31
};

struct alignas(64) Scratch {
  TokenBlock tokens[kChunkTokens / kGroupTokens][kBlocksMax];
  WeightBlock slab[kSlabBlocks];
  float totals[kChunkTokens][kPanelRows];  // between slabs
  int32_t sums[2 * kAhead][kGroupTokens][kPanelRows];
};

// Tile registers: the intrinsics take nothing but literal numbers. Q6_K's blocks are halves with a scale of
// their own: the registers of the second half come behind those of the first.
#define SUMS 0
#define TOKENS 1
#define WEIGHTS 2
#define SECOND_SUMS 3
#define SECOND_TOKENS 4
#define SECOND_WEIGHTS 5

// For groups of so many tokens.
void configure(bool halves, int32_t tokens) {
  TileConfig config;
  const int32_t columns = halves ? kBlockColumns / 2 : kBlockColumns;
  for (const int first : {SUMS, SECOND_SUMS}) {
    config.set(first, tokens, 4 * kPanelRows);
    config.set(first + 1, tokens, columns);
    config.set(first + 2, columns / 4, 4 * kPanelRows);
  }
  config.load();
}

void rearrange(const ActivationBlock* blocks, int64_t stride, int32_t tokens, int32_t count,
               TokenBlock* out) {
  for (int32_t i = 0; i < count; i++, blocks++, out++) {
    for (int32_t t = 0; t < tokens; t++) {
      const ActivationBlock& block = blocks[t * stride];
      const __m256i q = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block.q));
      _mm256_store_si256(reinterpret_cast<__m256i*>(out->q[t]), q);
      out->scale[t] = block.scale;
      out->scaled_sum[t] = block.scaled_sum;
    }
  }
}

template <DType F>
INLINE void unpack_block(const uint8_t* at, const Scales& scales, WeightBlock* out) {
  __m512i w[8];
  unpack<F>(at, w);
  constexpr int kOffset = quant_offset(F);
#pragma GCC unroll 8
  for (int g = 0; g < 8; g++) {
    if constexpr (kOffset != 0) w[g] = _mm512_sub_epi8(w[g], _mm512_set1_epi8(static_cast<char>(kOffset)));
    _mm512_store_si512(out->quants[g], w[g]);
  }
  _mm512_store_ps(out->d, scales.d);
  if constexpr (has_min(F)) _mm512_store_ps(out->m, scales.m);
}

// Blocks [first, first + count) of a panel.
template <DType F>
void unpack_slab(const uint8_t* panel, int32_t first, int32_t count, WeightBlock* out) {
  for (int32_t i = first; i < first + count; i++, out++) {
    if constexpr (is_super(F)) {
      const uint8_t* const super = panel + i / 8 * (super_bytes(F) + 8 * block_bytes(F));
      const int j = i % 8;
      unpack_block<F>(super + super_bytes(F) + j * block_bytes(F), super_scales<F>(super, j), out);
      if constexpr (F == DType::kQ6_K) {
        const SmallScales small = load_small_scales(super, j);
        _mm512_store_ps(out->small_scales[0], small.first);
        _mm512_store_ps(out->small_scales[1], small.second);
      }
    } else {
      const uint8_t* const at = panel + i * block_bytes(F);
      unpack_block<F>(at, block_scales<F>(at), out);
    }
  }
}

// The integer sums of 16 tokens and 16 rows; of Q6_K two of them.
template <DType F>
INLINE void multiply(const WeightBlock& w, const TokenBlock& a, int32_t (*sums)[kGroupTokens][kPanelRows]) {
  _tile_zero(SUMS);
  _tile_loadd(WEIGHTS, w.quants, 4 * kPanelRows);
  _tile_loadd(TOKENS, a.q, kBlockColumns);
  _tile_dpbssd(SUMS, TOKENS, WEIGHTS);
  _tile_stored(SUMS, sums[0], 4 * kPanelRows);
  if constexpr (F == DType::kQ6_K) {
    _tile_zero(SECOND_SUMS);
    _tile_loadd(SECOND_WEIGHTS, w.quants[4], 4 * kPanelRows);
    _tile_loadd(SECOND_TOKENS, a.q[0] + 16, kBlockColumns);
    _tile_dpbssd(SECOND_SUMS, SECOND_TOKENS, SECOND_WEIGHTS);
    _tile_stored(SECOND_SUMS, sums[1], 4 * kPanelRows);
  }
}

// The integer sum of a block as a float: exact, since it is below 2^24.
template <DType F>
INLINE __m512 block_sum(const WeightBlock& w, const int32_t (*sums)[kGroupTokens][kPanelRows], int t) {
  const __m512 sum = _mm512_cvtepi32_ps(_mm512_load_si512(sums[0][t]));
  if constexpr (F != DType::kQ6_K) return sum;
  const __m512 second = _mm512_cvtepi32_ps(_mm512_load_si512(sums[1][t]));
  return _mm512_fmadd_ps(second, _mm512_load_ps(w.small_scales[1]),
                         _mm512_mul_ps(sum, _mm512_load_ps(w.small_scales[0])));
}

template <DType F, int T>
INLINE void add_sums(const WeightBlock& w, const TokenBlock& a,
                     const int32_t (*sums)[kGroupTokens][kPanelRows], __m512* totals) {
  const __m512 d = _mm512_load_ps(w.d), m = has_min(F) ? _mm512_load_ps(w.m) : _mm512_setzero_ps();
#pragma GCC unroll 16
  for (int t = 0; t < T; t++) {
    const __m512 sum = block_sum<F>(w, sums, t);
    totals[t] = _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(a.scale[t])), sum, totals[t]);
    if constexpr (has_min(F)) totals[t] = _mm512_fmadd_ps(m, _mm512_set1_ps(a.scaled_sum[t]), totals[t]);
  }
}

// Blocks [first, first + count) of a panel, unpacked, for all groups of tokens in turn.
struct Slab {
  int32_t first, count, groups;
  Lookahead next;
};

// A slab and T tokens of a group. The first kAhead products have been made already, and those of the next
// group are made at the end.
template <DType F, int T>
void add_blocks(Slab* slab, int32_t group, Scratch* scratch) {
  float(*const kept)[kPanelRows] = scratch->totals + group * kGroupTokens;
  __m512 totals[T];
#pragma GCC unroll 16
  for (int t = 0; t < T; t++) totals[t] = slab->first == 0 ? _mm512_setzero_ps() : _mm512_load_ps(kept[t]);
  const WeightBlock* const w = scratch->slab;
  const TokenBlock* const a = scratch->tokens[group] + slab->first;
  const TokenBlock* const a_next =
      group + 1 < slab->groups ? scratch->tokens[group + 1] + slab->first : nullptr;
  const auto begin = static_cast<uint32_t>(group * slab->count);
  const auto sums = [&](int32_t i) {
    return scratch->sums + (begin + static_cast<uint32_t>(i)) % kAhead * 2;
  };
  for (int32_t i = 0; i < slab->count; i++) {
    slab->next.advance();
    add_sums<F, T>(w[i], a[i], sums(i), totals);
    const int32_t later = i + kAhead;
    if (later < slab->count) {
      multiply<F>(w[later], a[later], sums(i));
    } else if (a_next != nullptr) {
      multiply<F>(w[later - slab->count], a_next[later - slab->count], sums(i));
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < T; t++) _mm512_store_ps(kept[t], totals[t]);
}

template <DType F>
void add_group(Slab* slab, int32_t group, int32_t tokens, Scratch* scratch) {
  if (tokens > 12) return add_blocks<F, 16>(slab, group, scratch);
  if (tokens > 8) return add_blocks<F, 12>(slab, group, scratch);
  if (tokens > 4) return add_blocks<F, 8>(slab, group, scratch);
  add_blocks<F, 4>(slab, group, scratch);
}

template <DType F>
void multiply_chunk(const LinearArgs& args, int64_t panel_begin, int64_t panel_end, Scratch* scratch) {
  const int32_t blocks = args.w.cols / kBlockColumns;
  const int32_t groups = (args.tokens + kGroupTokens - 1) / kGroupTokens;
  const auto tokens_of = [&](int32_t group) {
    const int32_t left = args.tokens - group * kGroupTokens;
    return left < kGroupTokens ? left : kGroupTokens;
  };
  for (int32_t group = 0; group < groups; group++)
    rearrange(args.blocks + int64_t{group} * kGroupTokens * blocks, blocks, tokens_of(group), blocks,
              scratch->tokens[group]);
  const int32_t slabs = (blocks + kSlabBlocks - 1) / kSlabBlocks;
  const uint8_t* const end = args.w.panels + panel_end * args.w.panel_bytes;
  for (int64_t panel = panel_begin; panel < panel_end; panel++) {
    const uint8_t* const at = args.w.panels + panel * args.w.panel_bytes;
    for (int32_t i = 0; i < slabs; i++) {
      const int32_t first = blocks * i / slabs, count = blocks * (i + 1) / slabs - first;
      const int32_t after = first + count + (blocks + slabs - 1) / slabs;
      unpack_slab<F>(at, first, count, scratch->slab);
      const uint8_t* const next = at + (first + count) * args.w.panel_bytes / blocks;
      const uint8_t* const next_end = at + after * args.w.panel_bytes / blocks;
      Slab slab{first, count, groups, {next, next_end < end ? next_end : end, count * groups}};
      for (int32_t k = 0; k < kAhead && k < count; k++)
        multiply<F>(scratch->slab[k], scratch->tokens[0][first + k], scratch->sums + k * 2);
      for (int32_t group = 0; group < groups; group++) add_group<F>(&slab, group, tokens_of(group), scratch);
    }
    for (int32_t t = 0; t < args.tokens; t++)
      store(args, panel * kPanelRows, t, _mm512_load_ps(scratch->totals[t]));
  }
}

template <DType F>
void product(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  Scratch scratch;
  configure(F == DType::kQ6_K, args.tokens < kGroupTokens ? args.tokens : kGroupTokens);
  for (int32_t token = 0; token < args.tokens; token += kChunkTokens) {
    LinearArgs chunk = args;
    chunk.tokens = args.tokens - token < kChunkTokens ? args.tokens - token : kChunkTokens;
    chunk.blocks += int64_t{token} * (args.w.cols / kBlockColumns);
    chunk.y += token * args.y_stride;
    multiply_chunk<F>(chunk, panel_begin, panel_end, &scratch);
  }
  _tile_release();
}

void linear(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  const int32_t blocks = args.w.cols / kBlockColumns;
  if (args.tokens < kFewestTokens || blocks < kAhead || blocks > kBlocksMax)
    return avx512::linear(args, panel_begin, panel_end);
  with_format(args.w.dtype, [&](auto format) {
    if constexpr (format() == DType::kF32 || format() == DType::kF16 || format() == DType::kBF16) {
      avx512::linear(args, panel_begin, panel_end);
    } else {
      product<format()>(args, panel_begin, panel_end);
    }
  });
}

}  // namespace

const LinearKernels kLinear = {linear, avx512::quantize_row};

}  // namespace hussar::cpu::amx
