#include "model/model.h"

#include <algorithm>
#include <string_view>

namespace hussar {
namespace {

std::string layer_tensor(int32_t layer, std::string_view part) {
  std::string name = "blk." + std::to_string(layer);
  return name.append(".").append(part);
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text.append(", ");
    text.append(std::to_string(shape[i]));
  }
  return text.append("]");
}

// Hands tensors of a file to a backend one by one and remembers which ones found a place.
class Binder {
 public:
  Binder(const ModelFile& file, Backend& backend, const std::function<void(int64_t, int64_t)>& progress)
      : file_(file), backend_(backend), progress_(progress) {
    for (const StoredTensor& tensor : file.tensors()) all_bytes_ += static_cast<int64_t>(tensor.bytes.size());
  }

  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }

  // y[rows] = W x[cols], or an embedding table.
  Result<Weight> matrix(const std::string& name, int64_t rows, int64_t cols, WeightUse use) {
    return bind(name, {rows, cols}, use);
  }
  Result<Weight> vector(const std::string& name, int64_t size) {
    return bind(name, {size}, WeightUse::kVector);
  }

  // A tensor without a place means a computation that this model does not do: its answers would be wrong
  // without a word.
  Result<void> refuse_unbound() {
    std::sort(bound_.begin(), bound_.end());
    for (const StoredTensor& tensor : file_.tensors()) {
      if (tensor.name == "rope_freqs.weight") continue;  // read with the configuration
      if (std::binary_search(bound_.begin(), bound_.end(), &tensor)) continue;
      return Error{ErrorCode::kUnsupported,
                   file_.path() + ": tensor '" + tensor.name + "' has no place in this architecture",
                   tensor.name};
    }
    return {};
  }

 private:
  Result<Weight> bind(const std::string& name, const std::vector<int64_t>& shape, WeightUse use) {
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
    const int64_t rows = shape.size() == 1 ? 1 : shape.front();
    const TensorView view{tensor->name, tensor->dtype, rows, shape.back(), tensor->bytes};
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
  Backend& backend_;
  const std::function<void(int64_t, int64_t)>& progress_;
  std::vector<const StoredTensor*> bound_;
  int64_t done_bytes_ = 0;
  int64_t all_bytes_ = 0;
};

enum class QkvBias { kRequired, kOptional };

Result<AttentionWeights> bind_attention(Binder* binder, const ModelShape& shape, int32_t layer,
                                        QkvBias bias) {
  const int64_t q_width = int64_t{shape.heads} * shape.head_dim;
  const int64_t kv_width = int64_t{shape.kv_heads} * shape.head_dim;
  const auto linear = [&](std::string_view part, int64_t rows) {
    return binder->matrix(layer_tensor(layer, part), rows, shape.hidden, WeightUse::kLinear);
  };
  AttentionWeights weights;
  ASSIGN_OR_RETURN(weights.norm, binder->vector(layer_tensor(layer, "attn_norm.weight"), shape.hidden));
  ASSIGN_OR_RETURN(weights.wq, linear("attn_q.weight", q_width));
  ASSIGN_OR_RETURN(weights.wk, linear("attn_k.weight", kv_width));
  ASSIGN_OR_RETURN(weights.wv, linear("attn_v.weight", kv_width));
  // A llama file may carry them too; there all three or none.
  if (bias == QkvBias::kRequired || binder->has(layer_tensor(layer, "attn_q.bias"))) {
    ASSIGN_OR_RETURN(weights.bq, binder->vector(layer_tensor(layer, "attn_q.bias"), q_width));
    ASSIGN_OR_RETURN(weights.bk, binder->vector(layer_tensor(layer, "attn_k.bias"), kv_width));
    ASSIGN_OR_RETURN(weights.bv, binder->vector(layer_tensor(layer, "attn_v.bias"), kv_width));
  }
  return weights;
}

Result<MlpWeights> bind_mlp(Binder* binder, const ModelShape& shape, int32_t layer) {
  const auto linear = [&](std::string_view part, int64_t rows, int64_t cols) {
    return binder->matrix(layer_tensor(layer, part), rows, cols, WeightUse::kLinear);
  };
  MlpWeights weights;
  ASSIGN_OR_RETURN(weights.norm, binder->vector(layer_tensor(layer, "ffn_norm.weight"), shape.hidden));
  ASSIGN_OR_RETURN(weights.gate, linear("ffn_gate.weight", shape.mlp_width, shape.hidden));
  ASSIGN_OR_RETURN(weights.up, linear("ffn_up.weight", shape.mlp_width, shape.hidden));
  ASSIGN_OR_RETURN(weights.down, linear("ffn_down.weight", shape.hidden, shape.mlp_width));
  return weights;
}

int64_t macs(const Weight& weight) { return weight.rows * weight.cols; }

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const ModelFile& file, Backend& backend,
                                           const std::function<void(int64_t, int64_t)>& progress) {
  ASSIGN_OR_RETURN(ModelConfig config, read_model_config(file));
  const ModelShape& shape = config.shape;
  const QkvBias bias = config.architecture == "qwen2" ? QkvBias::kRequired : QkvBias::kOptional;

  Binder binder(file, backend, progress);
  std::unique_ptr<Model> model(new Model());
  const bool tied = !binder.has("output.weight");
  ASSIGN_OR_RETURN(model->embedding_,
                   binder.matrix("token_embd.weight", shape.vocab_size, shape.hidden,
                                 tied ? WeightUse::kLinearAndEmbedding : WeightUse::kEmbedding));
  for (int32_t i = 0; i < shape.layers; ++i) {
    Layer layer;
    ASSIGN_OR_RETURN(layer.attention, bind_attention(&binder, shape, i, bias));
    ASSIGN_OR_RETURN(layer.attention_output,
                     binder.matrix(layer_tensor(i, "attn_output.weight"), shape.hidden,
                                   int64_t{shape.heads} * shape.head_dim, WeightUse::kLinear));
    ASSIGN_OR_RETURN(layer.mlp, bind_mlp(&binder, shape, i));
    model->layers_.push_back(layer);
  }
  ASSIGN_OR_RETURN(model->norm_, binder.vector("output_norm.weight", shape.hidden));
  if (tied) {
    model->head_ = model->embedding_;
  } else {
    ASSIGN_OR_RETURN(model->head_,
                     binder.matrix("output.weight", shape.vocab_size, shape.hidden, WeightUse::kLinear));
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
    for (const Weight* weight : {&a.norm, &a.wq, &a.wk, &a.wv, &a.bq, &a.bk, &a.bv, &layer.attention_output,
                                 &m.norm, &m.gate, &m.up, &m.down}) {
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
