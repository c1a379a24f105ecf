// What a file says about its model, checked.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "kernels/weight.h"
#include "weights/model_file.h"

namespace hussar {

// Every number in range, every product within 63 bits.
struct ModelConfig {
  std::string architecture;  // "llama", "qwen2" or "qwen3"
  std::string name;          // general.name, or the file's or folder's name
  int32_t context_trained = 0;
  bool tied_head = false;  // the embedding serves as the head
  ModelShape shape;
};

// Reads GGUF's metadata or a folder's config.json. Errors: kUnsupported (architecture, rope scaling, anything
// that would need a computation that is not built here; names it), kInvalid (a key that is missing or out of
// range).
Result<ModelConfig> read_model_config(const ModelFile& file);

// The two readers behind it.
Result<ModelConfig> read_gguf_config(const ModelFile& file);
Result<ModelConfig> read_hf_config(const ModelFile& file);

// Far above any model that fits a machine, and low enough that every product that the code forms fits 63
// bits: the widest, layers * hidden * mlp_width * 3, is below 2^48.
inline constexpr int64_t kLayersMax = 1024;
inline constexpr int64_t kHiddenMax = 65536;
inline constexpr int64_t kHeadsMax = 1024;
inline constexpr int64_t kHeadDimMax = 1024;
inline constexpr int64_t kMlpWidthMax = 1 << 20;
inline constexpr int64_t kVocabMax = 1 << 22;
inline constexpr int64_t kContextMax = 1 << 24;
inline constexpr double kRopeBaseMax = 1e15;
inline constexpr double kRopeScaleMax = 1e6;

}  // namespace hussar
