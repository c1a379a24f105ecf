// A model: its shape, its weights bound to a backend, and the order of operations of one forward pass.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/backend.h"
#include "model/config.h"
#include "weights/model_file.h"

namespace hussar {

// What the matrices of F32, F16 or BF16 are kept as; those that a file keeps quantised stay as they are.
enum class WeightChoice : uint8_t {
  kAsStored,
  kBF16,
  kW8,  // Q8_0
  kW4,  // Q4_1, embedding and head Q8_0
};

class Model {
 public:
  // Hands every tensor to the backend, which repacks (and, by `weights`, quantises) it, and releases the
  // file's pages. `progress(done_bytes, all_bytes)` is called now and then. Errors: kInvalid (a tensor is
  // missing or has a wrong shape; names it), and prepare_weight's.
  static Result<std::unique_ptr<Model>> load(const ModelFile& file, Backend& backend, WeightChoice weights,
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
