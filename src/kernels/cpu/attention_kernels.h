// Attention of a few query vectors over a piece of one sequence's context: what each ISA is given and what it
// promises. Plain structures only (the translation units of an ISA share no inline function with the rest of
// the program).
//
// A context is cut into splits of 256 positions, from position 0, whatever the batch: each split gives a
// maximum, a sum of weights and a weighted sum of values, and these are merged in order. So a row's result
// depends on its context alone.
#pragma once

#include <cstdint>

namespace hussar::cpu {

enum class Isa : uint8_t;
enum class HalfType : uint8_t { kF16, kBF16 };  // the pool's element, backend.h's KvType

inline constexpr int32_t kKvBlockTokens = 32;
inline constexpr int32_t kSplitTokens = 256;
inline constexpr int32_t kSplitBlocks = kSplitTokens / kKvBlockTokens;
// Query vectors of a tile at most, unless the heads that share a KV head are more: enough that keys and
// values are read from memory seldom, few enough that their scores stay in the L1 cache.
inline constexpr int32_t kTileQueries = 24;

// Values are stored in rows padded with zeros to whole vectors of every ISA.
constexpr int32_t value_width(int32_t head_dim) { return (head_dim + 15) / 16 * 16; }

// H head_dim, W value_width(H). One KV head, one split.
struct AttentionTile {
  const float* queries;  // [count, H], scaled
  int32_t count;
  const int32_t* visible;         // [count], positions of this split that each sees: 1 .. 256, not decreasing
  const uint16_t* const* keys;    // blocks that hold them, each [H, 32 positions]: lanes are positions, so no
                                  // sum runs across lanes
  const uint16_t* const* values;  // each [32 positions, W]
  int32_t head_dim;
  HalfType type;
  float* scores;  // scratch [count, 256]
  float* sums;    // out [count, W]: weights times values, not yet divided
  float* maxima;  // out [count]: the highest score
  float* totals;  // out [count]: the sum of weights exp(score - maximum)
};

// Every ISA performs the same operations in the same order, so all give the same bits:
//   score[t] = fma over h of query[h] * key[h][t], from 0; weight[t] = exp(score[t] - maximum), summed over
//   16 virtual lanes (vector_ops.h); sums[w] = fma over t of weight[t] * value[t][w], from 0.
struct AttentionKernels {
  void (*attend_split)(const AttentionTile& tile);
  // Adds a later split to what the splits before it gave: with m the higher maximum, a = exp(max - m) and b =
  // exp(later_max - m), sums = fma(sums, a, later_sums * b), and total alike.
  void (*merge_split)(float* sums, float* max, float* total, const float* later_sums, float later_max,
                      float later_total, int32_t width);
  // out[h] = sums[h] * (1 / total).
  void (*finish)(const float* sums, float total, int32_t head_dim, float* out);
  // Rounds to the pool's type, to nearest even. A number beyond F16 becomes the largest that F16 has, not an
  // infinity; a NaN stays one.
  void (*to_kv)(const float* x, int32_t count, HalfType type, uint16_t* out);
};

const AttentionKernels& attention_kernels(Isa isa);

namespace reference {
extern const AttentionKernels kAttention;
}
namespace avx2 {
extern const AttentionKernels kAttention;
}
namespace avx512 {
extern const AttentionKernels kAttention;
}

}  // namespace hussar::cpu
