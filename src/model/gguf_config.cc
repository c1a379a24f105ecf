#include <cstring>
#include <limits>
#include <string_view>

#include "model/config.h"
#include "model/rope_scaling.h"

namespace hussar {
namespace {

// What a frequency may be divided by; Llama 3 uses 1 to 32.
constexpr float kFrequencyDivisorMin = 1e-6f;
constexpr float kFrequencyDivisorMax = 1e6f;

// Reads the keys of one architecture: "llama.block_count" for "block_count".
class ConfigReader {
 public:
  ConfigReader(const ModelFile& file, std::string architecture)
      : file_(file), architecture_(std::move(architecture)) {}

  Result<void> read_shape(ModelShape* shape) const;
  // A stretched context may be longer than what the file calls its context's length.
  Result<void> read_rope(int32_t* context_trained, ModelShape* shape) const;
  Result<int32_t> read_context() const { return read_int("context_length", 1, kContextMax); }
  // Keys whose every value but the neutral one means a computation that is not built here.
  Result<void> refuse_what_is_not_built(int32_t context_trained) const;

 private:
  std::string key_of(std::string_view part) const { return architecture_ + "." + std::string(part); }
  bool has(std::string_view part) const { return file_.find(key_of(part)) != nullptr; }
  Error bad(ErrorCode code, const std::string& key, const std::string& what) const {
    return Error{code, file_.path() + ": " + key + " " + what, key};
  }

  Result<int32_t> read_int(std::string_view part, int64_t min, int64_t max) const;
  Result<int32_t> read_int_or(std::string_view part, int64_t min, int64_t max, int32_t value_if_absent) const;
  // Finite and in (0, max].
  Result<double> read_positive(std::string_view part, double max) const;
  // In [min, max]; `value_if_absent` where the key is not there.
  Result<double> read_number_or(std::string_view part, double min, double max, double value_if_absent) const;
  Result<std::string> read_scaling_type() const;
  Result<double> read_linear_scale() const;
  Result<void> read_yarn(int32_t* context_trained, RopeParams* rope) const;
  Result<void> read_frequency_divisors(RopeParams* rope) const;
  Result<void> require_neutral(std::string_view part, double neutral) const;

  const ModelFile& file_;
  const std::string architecture_;
};

Result<int32_t> ConfigReader::read_int(std::string_view part, int64_t min, int64_t max) const {
  const std::string key = key_of(part);
  ASSIGN_OR_RETURN(const int64_t value, file_.get_int(key));
  if (value < min || value > max) {
    return bad(
        ErrorCode::kInvalid, key,
        "is " + std::to_string(value) + ", not from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return static_cast<int32_t>(value);
}

Result<int32_t> ConfigReader::read_int_or(std::string_view part, int64_t min, int64_t max,
                                          int32_t value_if_absent) const {
  if (!has(part)) return value_if_absent;
  return read_int(part, min, max);
}

Result<double> ConfigReader::read_positive(std::string_view part, double max) const {
  const std::string key = key_of(part);
  ASSIGN_OR_RETURN(const double value, file_.get_number(key));
  if (!(value > 0.0 && value <= max)) {
    return bad(ErrorCode::kInvalid, key,
               "is " + std::to_string(value) + ", not above 0 and at most " + std::to_string(max));
  }
  return value;
}

Result<void> ConfigReader::read_shape(ModelShape* shape) const {
  ASSIGN_OR_RETURN(shape->layers, read_int("block_count", 1, kLayersMax));
  ASSIGN_OR_RETURN(shape->hidden, read_int("embedding_length", 1, kHiddenMax));
  ASSIGN_OR_RETURN(shape->heads, read_int("attention.head_count", 1, kHeadsMax));
  ASSIGN_OR_RETURN(shape->kv_heads, read_int_or("attention.head_count_kv", 1, shape->heads, shape->heads));
  ASSIGN_OR_RETURN(shape->mlp_width, read_int("feed_forward_length", 1, kMlpWidthMax));
  if (shape->heads % shape->kv_heads != 0) {
    return bad(ErrorCode::kInvalid, key_of("attention.head_count_kv"),
               "is " + std::to_string(shape->kv_heads) + ", which does not divide the " +
                   std::to_string(shape->heads) + " heads");
  }
  if (!has("attention.key_length") && shape->hidden % shape->heads != 0) {
    return bad(ErrorCode::kInvalid, key_of("attention.head_count"),
               "is " + std::to_string(shape->heads) + ", which does not divide the embedding's length of " +
                   std::to_string(shape->hidden));
  }
  ASSIGN_OR_RETURN(shape->head_dim,
                   read_int_or("attention.key_length", 1, kHeadDimMax, shape->hidden / shape->heads));
  if (shape->head_dim > kHeadDimMax) {
    return bad(ErrorCode::kInvalid, key_of("attention.head_count"),
               "makes heads of " + std::to_string(shape->head_dim) + " elements, more than " +
                   std::to_string(kHeadDimMax));
  }
  ASSIGN_OR_RETURN(const int32_t value_dim,
                   read_int_or("attention.value_length", 1, kHeadDimMax, shape->head_dim));
  if (value_dim != shape->head_dim) {
    return bad(ErrorCode::kUnsupported, key_of("attention.value_length"),
               "is " + std::to_string(value_dim) + " and the keys' length is " +
                   std::to_string(shape->head_dim) + "; only equal lengths are supported");
  }
  ASSIGN_OR_RETURN(const double epsilon, read_positive("attention.layer_norm_rms_epsilon", 1.0));
  shape->norm_epsilon = static_cast<float>(epsilon);
  return {};
}

Result<double> ConfigReader::read_number_or(std::string_view part, double min, double max,
                                            double value_if_absent) const {
  if (!has(part)) return value_if_absent;
  const std::string key = key_of(part);
  ASSIGN_OR_RETURN(const double value, file_.get_number(key));
  if (value >= min && value <= max) return value;
  return bad(
      ErrorCode::kInvalid, key,
      "is " + std::to_string(value) + ", not from " + std::to_string(min) + " to " + std::to_string(max));
}

Result<std::string> ConfigReader::read_scaling_type() const {
  const std::string key = key_of("rope.scaling.type");
  // A factor without a type is linear.
  if (file_.find(key) == nullptr) return std::string("linear");
  ASSIGN_OR_RETURN(const std::string type, file_.get_string(key));
  if (type == "none" || type == "linear" || type == "yarn") return type;
  return bad(ErrorCode::kUnsupported, key, "is '" + type + "'; only none, linear and yarn are supported");
}

Result<double> ConfigReader::read_linear_scale() const {
  // "rope.scale_linear" is the older name.
  for (const std::string_view part : {"rope.scaling.factor", "rope.scale_linear"}) {
    if (!has(part)) continue;
    ASSIGN_OR_RETURN(const double factor, file_.get_number(key_of(part)));
    if (factor == 0.0) continue;  // written for "none"
    return read_positive(part, kRopeScaleMax);
  }
  return 1.0;
}

Result<void> ConfigReader::read_yarn(int32_t* context_trained, RopeParams* rope) const {
  YarnScaling yarn;
  ASSIGN_OR_RETURN(yarn.factor, read_number_or("rope.scaling.factor", 1.0, kRopeScaleMax, 1.0));
  ASSIGN_OR_RETURN(yarn.context_original,
                   read_int_or("rope.scaling.original_context_length", 1, kContextMax, *context_trained));
  ASSIGN_OR_RETURN(yarn.beta_fast, read_number_or("rope.scaling.yarn_beta_fast", 1e-3, 1e6, yarn.beta_fast));
  ASSIGN_OR_RETURN(yarn.beta_slow, read_number_or("rope.scaling.yarn_beta_slow", 1e-3, 1e6, yarn.beta_slow));
  ASSIGN_OR_RETURN(const double scale, read_number_or("rope.scaling.attn_factor", 1e-3, 1e3, 1.0));
  RETURN_IF_ERROR(require_neutral("rope.scaling.yarn_ext_factor", 1));
  RETURN_IF_ERROR(require_neutral("rope.scaling.yarn_attn_factor", 1));
  yarn.attention_factor = scale * yarn_attention_factor(yarn.factor);
  apply_yarn_scaling(yarn, rope);
  *context_trained = stretched_context(*context_trained, yarn);
  return {};
}

Result<void> ConfigReader::read_frequency_divisors(RopeParams* rope) const {
  const StoredTensor* tensor = file_.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) return {};
  const std::string where = "tensor 'rope_freqs.weight'";
  const int64_t count = rope->dims / 2;
  if (tensor->dtype != DType::kF32 || tensor->shape != std::vector<int64_t>{count}) {
    return bad(ErrorCode::kInvalid, where, "is not " + std::to_string(count) + " numbers of type F32");
  }
  rope->frequency_divisors.resize(static_cast<size_t>(count));
  std::memcpy(rope->frequency_divisors.data(), tensor->bytes.data(), tensor->bytes.size());
  for (const float divisor : rope->frequency_divisors) {
    if (!(divisor >= kFrequencyDivisorMin && divisor <= kFrequencyDivisorMax)) {
      return bad(ErrorCode::kInvalid, where, "has a number that is not from 1e-6 to 1e6");
    }
  }
  return {};
}

Result<void> ConfigReader::read_rope(int32_t* context_trained, ModelShape* shape) const {
  RopeParams& rope = shape->rope;
  rope.style = architecture_ == "llama" ? RopeStyle::kInterleaved : RopeStyle::kHalves;
  ASSIGN_OR_RETURN(rope.dims, read_int_or("rope.dimension_count", 2, shape->head_dim, shape->head_dim));
  if (rope.dims % 2 != 0) {
    return bad(ErrorCode::kInvalid, key_of("rope.dimension_count"),
               "is " + std::to_string(rope.dims) + "; rotated elements come in pairs");
  }
  if (has("rope.freq_base")) {
    ASSIGN_OR_RETURN(rope.base, read_positive("rope.freq_base", kRopeBaseMax));
  }
  ASSIGN_OR_RETURN(const std::string type, read_scaling_type());
  if (type == "yarn") return read_yarn(context_trained, &rope);
  RETURN_IF_ERROR(require_neutral("rope.scaling.attn_factor", 1));
  if (type == "linear") {
    ASSIGN_OR_RETURN(rope.linear_scale, read_linear_scale());
  }
  return read_frequency_divisors(&rope);
}

Result<void> ConfigReader::require_neutral(std::string_view part, double neutral) const {
  const std::string key = key_of(part);
  if (file_.find(key) == nullptr) return {};
  ASSIGN_OR_RETURN(const double value, file_.get_number(key));
  if (value == neutral) return {};
  return bad(ErrorCode::kUnsupported, key, "is " + std::to_string(value) + ", which is not supported");
}

Result<void> ConfigReader::refuse_what_is_not_built(int32_t context_trained) const {
  RETURN_IF_ERROR(require_neutral("expert_count", 0));
  RETURN_IF_ERROR(require_neutral("attention.clamp_kqv", 0));
  RETURN_IF_ERROR(require_neutral("attention.max_alibi_bias", 0));
  RETURN_IF_ERROR(require_neutral("attention.scale", 0));
  RETURN_IF_ERROR(require_neutral("logit_scale", 0));
  RETURN_IF_ERROR(require_neutral("residual_scale", 0));
  RETURN_IF_ERROR(require_neutral("embedding_scale", 0));
  if (const MetaValue* causal = file_.find(key_of("attention.causal"))) {
    const bool* value = std::get_if<bool>(causal);
    if (value == nullptr || !*value) {
      return bad(ErrorCode::kUnsupported, key_of("attention.causal"),
                 "is not true; only causal models are supported");
    }
  }
  // A window as wide as the context changes nothing.
  ASSIGN_OR_RETURN(const int32_t window,
                   read_int_or("attention.sliding_window", 0, std::numeric_limits<int32_t>::max(), 0));
  if (window > 0 && window < context_trained) {
    return bad(
        ErrorCode::kUnsupported, key_of("attention.sliding_window"),
        "is " + std::to_string(window) + ", shorter than the context; sliding windows are not supported");
  }
  return {};
}

Result<int32_t> read_vocab_size(const ModelFile& file) {
  const StoredTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    return Error{ErrorCode::kInvalid, file.path() + ": tensor 'token_embd.weight' is missing or no matrix",
                 "token_embd.weight"};
  }
  const int64_t rows = embedding->shape[0];
  if (rows > kVocabMax) {
    return Error{ErrorCode::kInvalid,
                 file.path() + ": the vocabulary has " + std::to_string(rows) + " tokens, more than " +
                     std::to_string(kVocabMax),
                 "token_embd.weight"};
  }
  // A token that the model can produce and the tokenizer can't spell would be met only when an answer breaks.
  if (const MetaValue* tokens = file.find("tokenizer.ggml.tokens")) {
    const auto* list = std::get_if<std::vector<std::string>>(tokens);
    if (list == nullptr || static_cast<int64_t>(list->size()) != rows) {
      return Error{ErrorCode::kInvalid,
                   file.path() +
                       ": tokenizer.ggml.tokens is not a list of as many texts as tensor "
                       "'token_embd.weight' has rows (" +
                       std::to_string(rows) + ")",
                   "tokenizer.ggml.tokens"};
    }
  }
  return static_cast<int32_t>(rows);
}

std::string display_name(const ModelFile& file) {
  const Result<std::string> name = file.get_string("general.name");
  if (name.ok() && !name->empty()) return *name;
  const std::string& path = file.path();
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Result<ModelConfig> read_gguf_config(const ModelFile& file) {
  ModelConfig config;
  ASSIGN_OR_RETURN(config.architecture, file.get_string("general.architecture"));
  if (config.architecture != "llama" && config.architecture != "qwen2" && config.architecture != "qwen3") {
    return Error{ErrorCode::kUnsupported,
                 file.path() + ": the architecture '" + config.architecture +
                     "' is not supported; llama, qwen2 and qwen3 are",
                 "general.architecture"};
  }
  const Result<int64_t> parts = file.get_int("split.count");
  if (parts.ok() && *parts > 1) {
    return Error{
        ErrorCode::kUnsupported,
        file.path() + ": the model is split over " + std::to_string(*parts) + " files; merge them into one",
        "split.count"};
  }
  config.name = display_name(file);
  config.tied_head = file.find_tensor("output.weight") == nullptr;
  const ConfigReader reader(file, config.architecture);
  ASSIGN_OR_RETURN(config.context_trained, reader.read_context());
  RETURN_IF_ERROR(reader.refuse_what_is_not_built(config.context_trained));
  RETURN_IF_ERROR(reader.read_shape(&config.shape));
  RETURN_IF_ERROR(reader.read_rope(&config.context_trained, &config.shape));
  ASSIGN_OR_RETURN(config.shape.vocab_size, read_vocab_size(file));
  return config;
}

Result<ModelConfig> read_model_config(const ModelFile& file) {
  return file.format() == ModelFormat::kGguf ? read_gguf_config(file) : read_hf_config(file);
}

}  // namespace hussar
