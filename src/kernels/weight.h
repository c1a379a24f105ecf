// Weights as they come from a file and as a backend keeps them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/dtype.h"

namespace hussar {

// A stored matrix [rows, cols], row-major, or a vector (rows == 1). A linear operation computes y[rows] = W
// x[cols].
struct TensorView {
  std::string_view name;  // for error messages
  DType dtype;
  int64_t rows;
  int64_t cols;
  std::span<const std::byte>
      bytes;  // REQUIRES: rows * cols / block_elements * block_bytes bytes, checked by prepare_weight
  // What a matrix of F32, F16 or BF16 is kept as: BF16, Q8_0 or Q4_1. None: as it is stored.
  std::optional<DType> kept_as = std::nullopt;
  // Above 0: each run of so many rows is a head whose rotated pairs are rows (i, i + half); they are kept as
  // rows (2i, 2i + 1), which is what RopeStyle::kInterleaved rotates. REQUIRES: even, divides rows.
  int32_t interleaved_head_dim = 0;
};

// What a weight is for; a set, so that a tied embedding is stored once.
enum class WeightUse : uint8_t { kLinear = 1, kEmbedding = 2, kVector = 4, kLinearAndEmbedding = 3 };

// A weight inside a backend. A plain handle: the backend owns the bytes. id < 0 means "there is none" (an
// absent bias).
struct Weight {
  int32_t id = -1;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t bytes = 0;  // as repacked: what one pass over it reads from memory
  bool exists() const { return id >= 0; }
};

// The input half of an attention layer. H hidden size, Q = heads * head_dim, KV = kv_heads * head_dim.
struct AttentionWeights {
  Weight norm;            // [H]
  Weight wq, wk, wv;      // [Q, H], [KV, H], [KV, H]
  Weight bq, bk, bv;      // [Q], [KV], [KV]; absent in the llama family
  Weight q_norm, k_norm;  // [head_dim]: of each head, before it is rotated; the qwen3 family alone has them
};

// F is the width of the gated feed-forward layer.
struct MlpWeights {
  Weight norm;      // [H]
  Weight gate, up;  // [F, H]
  Weight down;      // [H, F]
};

// Which elements of a head are rotated together.
enum class RopeStyle : uint8_t {
  kInterleaved,  // (2i, 2i + 1): llama files, whose converter permutes the rows of Wq and Wk for it
  kHalves,       // (i, i + dims / 2): qwen2, qwen3, "NeoX"
};

struct RopeParams {
  RopeStyle style = RopeStyle::kHalves;
  int32_t dims = 0;                       // rotated elements of each head, even, at most head_dim
  double base = 10000.0;                  // theta
  double linear_scale = 1.0;              // positions are divided by it
  std::vector<float> frequency_divisors;  // [dims / 2] or empty: Llama 3's rope_freqs, YaRN
  double attention_factor = 1.0;          // what rotated queries and keys are multiplied by (YaRN)
};

// Everything about a model that a backend must know before it can run a step.
struct ModelShape {
  int32_t layers = 0;
  int32_t hidden = 0;
  int32_t heads = 0;
  int32_t kv_heads = 0;  // divides heads
  int32_t head_dim = 0;
  int32_t mlp_width = 0;
  int32_t vocab_size = 0;
  float norm_epsilon = 1e-5f;
  RopeParams rope;
};

}  // namespace hussar
