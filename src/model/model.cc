#include "model/model.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "model/tensor_names.h"

namespace hussar {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text.append(", ");
    text.append(std::to_string(shape[i]));
  }
  return text.append("]");
}

// What a matrix of plain numbers is kept as; nothing for those of blocks, or where it is that type already.
std::optional<DType> kept_type(WeightChoice choice, DType stored, TensorRole role) {
  if (dtype_info(stored).block_elements > 1) return std::nullopt;
  switch (choice) {
    case WeightChoice::kAsStored:
      return std::nullopt;
    case WeightChoice::kBF16:
      return stored == DType::kBF16 ? std::nullopt : std::optional(DType::kBF16);
    case WeightChoice::kW8:
      return DType::kQ8_0;
    case WeightChoice::kW4:
      return role == TensorRole::kEmbedding || role == TensorRole::kHead ? DType::kQ8_0 : DType::kQ4_1;
  }
  CHECK_NOTE(false, "no such choice");
}

// Hands tensors of a file to a backend one by one and remembers which ones found a place.
class Binder {
 public:
  Binder(const ModelFile& file, const ModelConfig& config, Backend& backend, WeightChoice choice,
         const std::function<void(int64_t, int64_t)>& progress)
      : file_(file), config_(config), backend_(backend), choice_(choice), progress_(progress) {
    for (const StoredTensor& tensor : file.tensors()) all_bytes_ += static_cast<int64_t>(tensor.bytes.size());
  }

  const ModelConfig& config() const { return config_; }
  bool has(TensorRole role, int32_t layer) const {
    return file_.find_tensor(name_of(role, layer)) != nullptr;
  }

  // y[rows] = W x[cols], or an embedding table.
  Result<Weight> matrix(TensorRole role, int64_t rows, int64_t cols, WeightUse use, int32_t layer = 0) {
    return bind(role, layer, {rows, cols}, use);
  }
  Result<Weight> vector(TensorRole role, int64_t size, int32_t layer = 0) {
    return bind(role, layer, {size}, WeightUse::kVector);
  }

  // A tensor without a place means a computation that this model does not do: its answers would be wrong
  // without a word.
  Result<void> refuse_unbound() {
    std::sort(bound_.begin(), bound_.end());
    for (const StoredTensor& tensor : file_.tensors()) {
      if (is_beside_the_model(file_.format(), tensor.name)) continue;
      // Some programs write a tied head a second time.
      if (config_.tied_head && tensor.name == name_of(TensorRole::kHead, 0)) continue;
      if (std::binary_search(bound_.begin(), bound_.end(), &tensor)) continue;
      return Error{ErrorCode::kUnsupported,
                   file_.path() + ": tensor '" + tensor.name + "' has no place in this architecture",
                   tensor.name};
    }
    return {};
  }

 private:
  std::string name_of(TensorRole role, int32_t layer) const {
    return tensor_name(file_.format(), role, layer);
  }
  // Hugging Face keeps the rotated pairs of llama's queries and keys as halves, GGUF as neighbours.
  bool has_halves(TensorRole role) const {
    return file_.format() == ModelFormat::kSafetensors &&
           config_.shape.rope.style == RopeStyle::kInterleaved &&
           (role == TensorRole::kQuery || role == TensorRole::kKey);
  }

  Result<Weight> bind(TensorRole role, int32_t layer, const std::vector<int64_t>& shape, WeightUse use) {
    const std::string name = name_of(role, layer);
    const StoredTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) {
      return Error{ErrorCode::kInvalid, file_.path() + ": tensor '" + name + "' is missing", name};
    }
    if (tensor->shape != shape) {
      return Error{ErrorCode::kInvalid,
                   file_.path() + ": tensor '" + name + "' has the shape " + shape_text(tensor->shape) +
                       ", not " + shape_text(shape),
                   name};
    }
    TensorView view{tensor->name, tensor->dtype, shape.size() == 1 ? 1 : shape.front(), shape.back(),
                    tensor->bytes};
    if (use != WeightUse::kVector) view.kept_as = kept_type(choice_, tensor->dtype, role);
    if (has_halves(role)) view.interleaved_head_dim = config_.shape.head_dim;
    Result<Weight> weight = backend_.prepare_weight(view, use);
    if (!weight.ok()) {
      Error error = weight.error();
      error.message = file_.path() + ": " + error.message;
      return error;
    }
    bound_.push_back(tensor);
    file_.release(*tensor);
    done_bytes_ += static_cast<int64_t>(tensor->bytes.size());
    if (progress_) progress_(done_bytes_, all_bytes_);
    return weight;
  }

  const ModelFile& file_;
  const ModelConfig& config_;
  Backend& backend_;
  const WeightChoice choice_;
  const std::function<void(int64_t, int64_t)>& progress_;
  std::vector<const StoredTensor*> bound_;
  int64_t done_bytes_ = 0;
  int64_t all_bytes_ = 0;
};

Result<AttentionWeights> bind_attention(Binder* binder, int32_t layer) {
  const ModelShape& shape = binder->config().shape;
  const int64_t q_width = int64_t{shape.heads} * shape.head_dim;
  const int64_t kv_width = int64_t{shape.kv_heads} * shape.head_dim;
  const auto linear = [&](TensorRole role, int64_t rows) {
    return binder->matrix(role, rows, shape.hidden, WeightUse::kLinear, layer);
  };
  AttentionWeights weights;
  ASSIGN_OR_RETURN(weights.norm, binder->vector(TensorRole::kAttentionNorm, shape.hidden, layer));
  ASSIGN_OR_RETURN(weights.wq, linear(TensorRole::kQuery, q_width));
  ASSIGN_OR_RETURN(weights.wk, linear(TensorRole::kKey, kv_width));
  ASSIGN_OR_RETURN(weights.wv, linear(TensorRole::kValue, kv_width));
  // A llama file may carry them too; there all three or none.
  const std::string& architecture = binder->config().architecture;
  if (architecture == "qwen2" || (architecture == "llama" && binder->has(TensorRole::kQueryBias, layer))) {
    ASSIGN_OR_RETURN(weights.bq, binder->vector(TensorRole::kQueryBias, q_width, layer));
    ASSIGN_OR_RETURN(weights.bk, binder->vector(TensorRole::kKeyBias, kv_width, layer));
    ASSIGN_OR_RETURN(weights.bv, binder->vector(TensorRole::kValueBias, kv_width, layer));
  }
  if (architecture == "qwen3") {
    ASSIGN_OR_RETURN(weights.q_norm, binder->vector(TensorRole::kQueryNorm, shape.head_dim, layer));
    ASSIGN_OR_RETURN(weights.k_norm, binder->vector(TensorRole::kKeyNorm, shape.head_dim, layer));
  }
  return weights;
}

Result<MlpWeights> bind_mlp(Binder* binder, int32_t layer) {
  const ModelShape& shape = binder->config().shape;
  const auto linear = [&](TensorRole role, int64_t rows, int64_t cols) {
    return binder->matrix(role, rows, cols, WeightUse::kLinear, layer);
  };
  MlpWeights weights;
  ASSIGN_OR_RETURN(weights.norm, binder->vector(TensorRole::kMlpNorm, shape.hidden, layer));
  ASSIGN_OR_RETURN(weights.gate, linear(TensorRole::kGate, shape.mlp_width, shape.hidden));
  ASSIGN_OR_RETURN(weights.up, linear(TensorRole::kUp, shape.mlp_width, shape.hidden));
  ASSIGN_OR_RETURN(weights.down, linear(TensorRole::kDown, shape.hidden, shape.mlp_width));
  return weights;
}

int64_t macs(const Weight& weight) { return weight.rows * weight.cols; }

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const ModelFile& file, Backend& backend, WeightChoice weights,
                                           const std::function<void(int64_t, int64_t)>& progress) {
  ASSIGN_OR_RETURN(ModelConfig config, read_model_config(file));
  const ModelShape& shape = config.shape;
  Binder binder(file, config, backend, weights, progress);
  std::unique_ptr<Model> model(new Model());
  ASSIGN_OR_RETURN(model->embedding_,
                   binder.matrix(TensorRole::kEmbedding, shape.vocab_size, shape.hidden,
                                 config.tied_head ? WeightUse::kLinearAndEmbedding : WeightUse::kEmbedding));
  for (int32_t i = 0; i < shape.layers; ++i) {
    Layer layer;
    ASSIGN_OR_RETURN(layer.attention, bind_attention(&binder, i));
    ASSIGN_OR_RETURN(layer.attention_output,
                     binder.matrix(TensorRole::kAttentionOutput, shape.hidden,
                                   int64_t{shape.heads} * shape.head_dim, WeightUse::kLinear, i));
    ASSIGN_OR_RETURN(layer.mlp, bind_mlp(&binder, i));
    model->layers_.push_back(layer);
  }
  ASSIGN_OR_RETURN(model->norm_, binder.vector(TensorRole::kOutputNorm, shape.hidden));
  model->head_ = model->embedding_;
  if (!config.tied_head) {
    ASSIGN_OR_RETURN(model->head_,
                     binder.matrix(TensorRole::kHead, shape.vocab_size, shape.hidden, WeightUse::kLinear));
  }
  RETURN_IF_ERROR(binder.refuse_unbound());
  model->config_ = std::move(config);
  return model;
}

void Model::forward(Backend& backend, const StepShape& step) const {
  backend.embed(embedding_, Activation::kHidden);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const auto index = static_cast<int32_t>(i);
    backend.norm_qkv_rope_store(Activation::kHidden, layer.attention, index, Activation::kQuery);
    backend.paged_attention(Activation::kQuery, index, Activation::kAttended);
    backend.linear_residual(Activation::kAttended, layer.attention_output, Activation::kHidden);
    backend.norm_gated_mlp(layer.mlp, Activation::kHidden);
  }
  if (step.logit_rows > 0) backend.logits(Activation::kHidden, norm_, head_);
}

int64_t Model::step_weight_bytes() const {
  int64_t bytes = norm_.bytes + head_.bytes;
  for (const Layer& layer : layers_) {
    const AttentionWeights& a = layer.attention;
    const MlpWeights& m = layer.mlp;
    for (const Weight* weight : {&a.norm, &a.wq, &a.wk, &a.wv, &a.bq, &a.bk, &a.bv, &a.q_norm, &a.k_norm,
                                 &layer.attention_output, &m.norm, &m.gate, &m.up, &m.down}) {
      bytes += weight->bytes;
    }
  }
  return bytes;
}

int64_t Model::row_macs() const {
  int64_t sum = 0;
  for (const Layer& layer : layers_) {
    const AttentionWeights& a = layer.attention;
    const MlpWeights& m = layer.mlp;
    for (const Weight* weight : {&a.wq, &a.wk, &a.wv, &layer.attention_output, &m.gate, &m.up, &m.down}) {
      sum += macs(*weight);
    }
  }
  return sum;
}

int64_t Model::head_macs() const { return macs(head_); }

}  // namespace hussar
