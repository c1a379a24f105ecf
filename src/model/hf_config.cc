// config.json of a Hugging Face folder. What a key means and what it defaults to: Hugging Face transformers,
// the configuration classes of llama, qwen2 and qwen3.
#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>

#include "model/config.h"
#include "model/rope_scaling.h"

namespace hussar {
namespace {

// Of "rope_scaling" or "rope_parameters", whatever the type; "finetuned" is a note of who made the file.
constexpr std::array<std::string_view, 15> kRopeKeys = {"rope_type",
                                                        "type",
                                                        "rope_theta",
                                                        "factor",
                                                        "partial_rotary_factor",
                                                        "beta_fast",
                                                        "beta_slow",
                                                        "truncate",
                                                        "mscale",
                                                        "original_max_position_embeddings",
                                                        "finetuned",
                                                        "attention_factor",
                                                        "mscale_all_dim",
                                                        "low_freq_factor",
                                                        "high_freq_factor"};

class HfConfigReader {
 public:
  HfConfigReader(const ModelFile& file, const Json& config) : path_(file.path()), config_(config) {}

  Result<std::string> read_architecture() const;
  Result<void> refuse_what_is_not_built(const std::string& architecture) const;
  Result<void> refuse_sliding_window(int32_t context) const;
  Result<void> read_shape(const std::string& architecture, ModelShape* shape) const;
  Result<void> read_rope(int32_t* context_trained, RopeParams* rope) const;
  Result<int32_t> read_context() const {
    return read_int(config_, "max_position_embeddings", 1, kContextMax);
  }
  Result<bool> read_bool_or(std::string_view key, bool value_if_absent) const {
    return read_bool_or(config_, key, value_if_absent);
  }

 private:
  Error bad(ErrorCode code, std::string_view key, const std::string& what) const {
    return Error{code, path_ + "/config.json: '" + std::string(key) + "' " + what, std::string(key)};
  }
  // Null when the key is absent or its value is null.
  static const Json* find(const Json& object, std::string_view key) {
    const Json* value = object.find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  Result<int32_t> read_int(const Json& object, std::string_view key, int64_t min, int64_t max) const;
  Result<int32_t> read_int_or(const Json& object, std::string_view key, int64_t min, int64_t max,
                              int32_t value_if_absent) const;
  Result<double> read_number(const Json& object, std::string_view key, double min, double max) const;
  Result<double> read_number_or(const Json& object, std::string_view key, double min, double max,
                                double value_if_absent) const;
  Result<bool> read_bool_or(const Json& object, std::string_view key, bool value_if_absent) const;
  Result<std::string> read_string(const Json& object, std::string_view key) const;

  Result<void> refuse_partial_rotation(const Json& object) const;
  Result<const Json*> find_rope_object() const;
  Result<void> check_rope_keys(const Json& scaling) const;
  Result<void> read_scaling(const Json& scaling, int32_t* context_trained, RopeParams* rope) const;
  Result<void> read_llama3(const Json& scaling, RopeParams* rope) const;
  Result<void> read_yarn(const Json& scaling, int32_t* context_trained, RopeParams* rope) const;
  Result<double> read_yarn_attention_factor(const Json& scaling, double factor) const;

  const std::string& path_;
  const Json& config_;
};

Result<int32_t> HfConfigReader::read_int(const Json& object, std::string_view key, int64_t min,
                                         int64_t max) const {
  const Json* value = find(object, key);
  if (value == nullptr) return bad(ErrorCode::kInvalid, key, "is missing");
  const int64_t* number = value->as_int();
  if (number == nullptr) return bad(ErrorCode::kInvalid, key, "is not an integer");
  if (*number < min || *number > max) {
    return bad(
        ErrorCode::kInvalid, key,
        "is " + std::to_string(*number) + ", not from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return static_cast<int32_t>(*number);
}

Result<int32_t> HfConfigReader::read_int_or(const Json& object, std::string_view key, int64_t min,
                                            int64_t max, int32_t value_if_absent) const {
  if (find(object, key) == nullptr) return value_if_absent;
  return read_int(object, key, min, max);
}

Result<double> HfConfigReader::read_number(const Json& object, std::string_view key, double min,
                                           double max) const {
  const Json* value = find(object, key);
  if (value == nullptr) return bad(ErrorCode::kInvalid, key, "is missing");
  double number = 0;
  if (!value->as_number(&number)) return bad(ErrorCode::kInvalid, key, "is not a number");
  if (number >= min && number <= max) return number;
  return bad(
      ErrorCode::kInvalid, key,
      "is " + std::to_string(number) + ", not from " + std::to_string(min) + " to " + std::to_string(max));
}

Result<double> HfConfigReader::read_number_or(const Json& object, std::string_view key, double min,
                                              double max, double value_if_absent) const {
  if (find(object, key) == nullptr) return value_if_absent;
  return read_number(object, key, min, max);
}

Result<std::string> HfConfigReader::read_string(const Json& object, std::string_view key) const {
  const Json* value = find(object, key);
  if (value == nullptr) return bad(ErrorCode::kInvalid, key, "is missing");
  if (value->as_string() == nullptr) return bad(ErrorCode::kInvalid, key, "is not a string");
  return *value->as_string();
}

Result<bool> HfConfigReader::read_bool_or(const Json& object, std::string_view key,
                                          bool value_if_absent) const {
  const Json* value = find(object, key);
  if (value == nullptr) return value_if_absent;
  if (value->as_bool() == nullptr) return bad(ErrorCode::kInvalid, key, "is not true or false");
  return *value->as_bool();
}

Result<std::string> HfConfigReader::read_architecture() const {
  ASSIGN_OR_RETURN(std::string type, read_string(config_, "model_type"));
  if (type != "llama" && type != "qwen2" && type != "qwen3") {
    return bad(ErrorCode::kUnsupported, "model_type",
               "is '" + type + "', which is not supported; llama, qwen2 and qwen3 are");
  }
  // A classifier has the same layers and another head.
  const Json* classes = find(config_, "architectures");
  if (classes == nullptr || classes->as_array() == nullptr) return type;
  for (const Json& item : *classes->as_array()) {
    if (item.as_string() != nullptr && item.as_string()->ends_with("ForCausalLM")) return type;
  }
  return bad(ErrorCode::kUnsupported, "architectures", "names no model for text generation (...ForCausalLM)");
}

Result<void> HfConfigReader::refuse_what_is_not_built(const std::string& architecture) const {
  if (const Json* quantised = find(config_, "quantization_config")) {
    const Json* method = quantised->find("quant_method");
    const std::string* name = method == nullptr ? nullptr : method->as_string();
    return bad(ErrorCode::kUnsupported, "quantization_config",
               "is there: weights quantised by " + (name == nullptr ? "another program" : *name) +
                   " are not supported; take the model in BF16 or F16, or a GGUF file of it");
  }
  for (const std::string_view key : {"attention_bias", "mlp_bias"}) {
    ASSIGN_OR_RETURN(const bool value, read_bool_or(key, false));
    // A qwen2's biases are not named by this key.
    if (value && architecture != "qwen2") {
      return bad(ErrorCode::kUnsupported, key, "is true, which is not supported");
    }
  }
  if (find(config_, "hidden_act") != nullptr) {
    ASSIGN_OR_RETURN(const std::string activation, read_string(config_, "hidden_act"));
    if (activation != "silu") {
      return bad(ErrorCode::kUnsupported, "hidden_act", "is '" + activation + "'; only silu is supported");
    }
  }
  return refuse_partial_rotation(config_);
}

Result<void> HfConfigReader::refuse_partial_rotation(const Json& object) const {
  ASSIGN_OR_RETURN(const double rotated, read_number_or(object, "partial_rotary_factor", 0, 1, 1));
  if (rotated == 1.0) return {};
  return bad(ErrorCode::kUnsupported, "partial_rotary_factor", "is not 1, which is not supported");
}

// A window as wide as the context changes nothing, nor does one that no layer uses.
Result<void> HfConfigReader::refuse_sliding_window(int32_t context) const {
  if (const Json* types = find(config_, "layer_types"); types != nullptr) {
    if (types->as_array() == nullptr) return bad(ErrorCode::kInvalid, "layer_types", "is no list");
    for (const Json& type : *types->as_array()) {
      if (type.as_string() != nullptr && *type.as_string() == "full_attention") continue;
      return bad(ErrorCode::kUnsupported, "layer_types", "has layers other than full_attention");
    }
    return {};
  }
  ASSIGN_OR_RETURN(const bool used, read_bool_or("use_sliding_window", false));
  if (!used) return {};
  ASSIGN_OR_RETURN(const int32_t layers, read_int(config_, "num_hidden_layers", 1, kLayersMax));
  ASSIGN_OR_RETURN(const int32_t first, read_int_or(config_, "max_window_layers", 0, kLayersMax, 28));
  ASSIGN_OR_RETURN(const int32_t window, read_int_or(config_, "sliding_window", 1, kContextMax, context));
  if (first >= layers || window >= context) return {};
  return bad(ErrorCode::kUnsupported, "use_sliding_window",
             "is true with a window of " + std::to_string(window) + " tokens, shorter than the context; " +
                 "sliding windows are not supported");
}

Result<void> HfConfigReader::read_shape(const std::string& architecture, ModelShape* shape) const {
  ASSIGN_OR_RETURN(shape->layers, read_int(config_, "num_hidden_layers", 1, kLayersMax));
  ASSIGN_OR_RETURN(shape->hidden, read_int(config_, "hidden_size", 1, kHiddenMax));
  ASSIGN_OR_RETURN(shape->heads, read_int(config_, "num_attention_heads", 1, kHeadsMax));
  ASSIGN_OR_RETURN(shape->mlp_width, read_int(config_, "intermediate_size", 1, kMlpWidthMax));
  ASSIGN_OR_RETURN(shape->vocab_size, read_int(config_, "vocab_size", 1, kVocabMax));
  // The classes differ in what they assume where the key is absent: llama as many as heads, the others 32.
  ASSIGN_OR_RETURN(shape->kv_heads,
                   architecture == "llama"
                       ? read_int_or(config_, "num_key_value_heads", 1, shape->heads, shape->heads)
                       : read_int(config_, "num_key_value_heads", 1, shape->heads));
  if (shape->heads % shape->kv_heads != 0) {
    return bad(ErrorCode::kInvalid, "num_key_value_heads",
               "is " + std::to_string(shape->kv_heads) + ", which does not divide the " +
                   std::to_string(shape->heads) + " heads");
  }
  const bool computed = find(config_, "head_dim") == nullptr;
  if (computed && architecture == "qwen3") {
    shape->head_dim = 128;  // what its class assumes
  } else if (computed) {
    if (shape->hidden % shape->heads != 0) {
      return bad(ErrorCode::kInvalid, "num_attention_heads", "does not divide 'hidden_size'");
    }
    shape->head_dim = shape->hidden / shape->heads;
  } else {
    ASSIGN_OR_RETURN(shape->head_dim, read_int(config_, "head_dim", 1, kHeadDimMax));
  }
  if (shape->head_dim > kHeadDimMax || shape->head_dim % 2 != 0) {
    return bad(ErrorCode::kInvalid, "num_attention_heads",
               "makes heads of " + std::to_string(shape->head_dim) + " elements, not an even number up to " +
                   std::to_string(kHeadDimMax));
  }
  ASSIGN_OR_RETURN(const double epsilon, read_number_or(config_, "rms_norm_eps", 1e-12, 1.0, 1e-6));
  shape->norm_epsilon = static_cast<float>(epsilon);
  shape->rope.dims = shape->head_dim;
  return {};
}

// Older files call it "rope_scaling" and keep the base beside it, newer ones "rope_parameters". Null when
// there is neither.
Result<const Json*> HfConfigReader::find_rope_object() const {
  const Json* found = nullptr;
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    const Json* value = find(config_, key);
    if (value == nullptr) continue;
    const JsonObject* members = value->as_object();
    if (members == nullptr) return bad(ErrorCode::kInvalid, key, "is no object");
    if (members->empty()) continue;
    // Which of the two counts differs from program to program.
    if (found != nullptr) {
      return bad(ErrorCode::kInvalid, "rope_scaling",
                 "and 'rope_parameters' are both there; keep one of them");
    }
    found = value;
  }
  return found;
}

// A key that is not known could turn positions in another way.
Result<void> HfConfigReader::check_rope_keys(const Json& scaling) const {
  for (const auto& [key, value] : *scaling.as_object()) {
    if (value.is_null() || std::find(kRopeKeys.begin(), kRopeKeys.end(), key) != kRopeKeys.end()) continue;
    return bad(ErrorCode::kUnsupported, key, "in the rope's parameters is not supported");
  }
  return refuse_partial_rotation(scaling);
}

Result<void> HfConfigReader::read_rope(int32_t* context_trained, RopeParams* rope) const {
  ASSIGN_OR_RETURN(const Json* parameters, find_rope_object());
  if (parameters != nullptr) RETURN_IF_ERROR(check_rope_keys(*parameters));
  const bool base_inside = parameters != nullptr && find(*parameters, "rope_theta") != nullptr;
  ASSIGN_OR_RETURN(rope->base, read_number_or(base_inside ? *parameters : config_, "rope_theta", 1.0,
                                              kRopeBaseMax, 10000.0));
  if (parameters == nullptr) return {};
  return read_scaling(*parameters, context_trained, rope);
}

Result<void> HfConfigReader::read_scaling(const Json& scaling, int32_t* context_trained,
                                          RopeParams* rope) const {
  const std::string_view key = find(scaling, "rope_type") != nullptr ? "rope_type" : "type";
  if (find(scaling, key) == nullptr && find(scaling, "factor") == nullptr) return {};  // the base alone
  ASSIGN_OR_RETURN(const std::string type, read_string(scaling, key));
  if (type == "default") return {};
  if (type == "llama3") return read_llama3(scaling, rope);
  if (type == "yarn") return read_yarn(scaling, context_trained, rope);
  if (type == "linear") {
    ASSIGN_OR_RETURN(rope->linear_scale, read_number(scaling, "factor", 1.0, kRopeScaleMax));
    return {};
  }
  return bad(ErrorCode::kUnsupported, key,
             "is '" + type + "'; of rope scalings only default, linear, llama3 and yarn are supported");
}

Result<void> HfConfigReader::read_llama3(const Json& scaling, RopeParams* rope) const {
  Llama3Scaling llama3;
  ASSIGN_OR_RETURN(llama3.factor, read_number(scaling, "factor", 1.0, kRopeScaleMax));
  ASSIGN_OR_RETURN(llama3.low_frequency_factor, read_number(scaling, "low_freq_factor", 1e-3, 1e6));
  ASSIGN_OR_RETURN(llama3.high_frequency_factor, read_number(scaling, "high_freq_factor", 1e-3, 1e6));
  ASSIGN_OR_RETURN(llama3.context_original,
                   read_int(scaling, "original_max_position_embeddings", 1, kContextMax));
  if (llama3.high_frequency_factor <= llama3.low_frequency_factor) {
    return bad(ErrorCode::kInvalid, "high_freq_factor", "is not above 'low_freq_factor'");
  }
  apply_llama3_scaling(llama3, rope);
  return {};
}

Result<double> HfConfigReader::read_yarn_attention_factor(const Json& scaling, double factor) const {
  if (find(scaling, "attention_factor") != nullptr) {
    return read_number(scaling, "attention_factor", 1e-3, 1e3);
  }
  ASSIGN_OR_RETURN(const double mscale, read_number_or(scaling, "mscale", 0, 1e3, 0));
  ASSIGN_OR_RETURN(const double mscale_all, read_number_or(scaling, "mscale_all_dim", 0, 1e3, 0));
  if (mscale == 0 || mscale_all == 0) return yarn_attention_factor(factor);
  return yarn_attention_factor(factor, mscale) / yarn_attention_factor(factor, mscale_all);
}

Result<void> HfConfigReader::read_yarn(const Json& scaling, int32_t* context_trained,
                                       RopeParams* rope) const {
  YarnScaling yarn;
  ASSIGN_OR_RETURN(yarn.context_original, read_int_or(scaling, "original_max_position_embeddings", 1,
                                                      kContextMax, *context_trained));
  ASSIGN_OR_RETURN(yarn.factor, read_number(scaling, "factor", 1.0, kRopeScaleMax));
  ASSIGN_OR_RETURN(yarn.beta_fast, read_number_or(scaling, "beta_fast", 1e-3, 1e6, yarn.beta_fast));
  ASSIGN_OR_RETURN(yarn.beta_slow, read_number_or(scaling, "beta_slow", 1e-3, 1e6, yarn.beta_slow));
  ASSIGN_OR_RETURN(yarn.attention_factor, read_yarn_attention_factor(scaling, yarn.factor));
  if (yarn.beta_fast <= yarn.beta_slow) {
    return bad(ErrorCode::kInvalid, "beta_fast", "is not above 'beta_slow'");
  }
  ASSIGN_OR_RETURN(yarn.whole_pairs, read_bool_or(scaling, "truncate", true));
  apply_yarn_scaling(yarn, rope);
  *context_trained = stretched_context(*context_trained, yarn);
  return {};
}

}  // namespace

Result<ModelConfig> read_hf_config(const ModelFile& file) {
  ASSIGN_OR_RETURN(const std::optional<Json> document, file.read_document("config.json"));
  if (!document) {
    return Error{ErrorCode::kNotFound,
                 file.path() + ": there is no config.json beside the weights; name a folder that has one",
                 "config.json"};
  }
  const HfConfigReader reader(file, *document);
  ModelConfig config;
  ASSIGN_OR_RETURN(config.architecture, reader.read_architecture());
  ASSIGN_OR_RETURN(config.context_trained, reader.read_context());
  RETURN_IF_ERROR(reader.refuse_what_is_not_built(config.architecture));
  RETURN_IF_ERROR(reader.refuse_sliding_window(config.context_trained));
  RETURN_IF_ERROR(reader.read_shape(config.architecture, &config.shape));
  // The rows of Wq and Wk are brought into GGUF's order for llama, so that both files give equal sums.
  config.shape.rope.style = config.architecture == "llama" ? RopeStyle::kInterleaved : RopeStyle::kHalves;
  RETURN_IF_ERROR(reader.read_rope(&config.context_trained, &config.shape.rope));
  ASSIGN_OR_RETURN(config.tied_head, reader.read_bool_or("tie_word_embeddings", false));
  const std::filesystem::path folder = std::filesystem::path(file.path()).lexically_normal();
  config.name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  return config;
}

}  // namespace hussar
