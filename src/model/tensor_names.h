// What the formats call the tensors of a model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weights/model_file.h"

namespace hussar {

enum class TensorRole : uint8_t {
  kEmbedding,
  kOutputNorm,
  kHead,
  // of a layer
  kAttentionNorm,
  kQuery,
  kKey,
  kValue,
  kQueryBias,
  kKeyBias,
  kValueBias,
  kQueryNorm,
  kKeyNorm,
  kAttentionOutput,
  kMlpNorm,
  kGate,
  kUp,
  kDown,
};

// "blk.3.attn_q.weight" or "model.layers.3.self_attn.q_proj.weight". `layer` counts for roles of a layer
// only.
std::string tensor_name(ModelFormat format, TensorRole role, int32_t layer = 0);

// Whether a tensor without a role may be left out: it repeats what the configuration says, or is read with
// it.
bool is_beside_the_model(ModelFormat format, std::string_view name);

}  // namespace hussar
