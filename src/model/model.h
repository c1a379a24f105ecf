// A model: its shape, its weights bound to a backend, and the order of operations of one forward pass.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/backend.h"
#include "weights/model_file.h"

namespace hussar {

// What a file says about its model, checked: every number in range, every product within 63 bits.
struct ModelConfig {
  std::string architecture;  // "llama" or "qwen2"
  std::string name;          // general.name, or the file's name
  int32_t context_trained = 0;
  ModelShape shape;
};

// Errors: kUnsupported (architecture, rope scaling; names it), kInvalid (a key that is missing or out of
// range).
Result<ModelConfig> read_model_config(const ModelFile& file);

class Model {
 public:
  // Hands every tensor to the backend, which repacks it, and releases the file's pages. `progress(done_bytes,
  // all_bytes)` is called now and then. Errors: kInvalid (a tensor is missing or has a wrong shape; names
  // it), and prepare_weight's.
  static Result<std::unique_ptr<Model>> load(const ModelFile& file, Backend& backend,
                                             const std::function<void(int64_t, int64_t)>& progress);

  const ModelConfig& config() const { return config_; }
  // The operations of one step; Backend::forward calls it.
  void forward(Backend& backend, const StepShape& step) const;
  // Bytes of weights that a step with at least one logit row reads.
  int64_t step_weight_bytes() const;
  // Multiply-accumulates of the matrix products for one row, without the head; and of the head for one logit
  // row.
  int64_t row_macs() const;
  int64_t head_macs() const;

 private:
  struct Layer {
    AttentionWeights attention;
    Weight attention_output;  // [H, Q]
    MlpWeights mlp;
  };
  Model() = default;

  ModelConfig config_;
  Weight embedding_;  // [vocab, H]
  std::vector<Layer> layers_;
  Weight norm_;  // [H]
  Weight head_;  // [vocab, H]; the embedding itself when tied
};

}  // namespace hussar
