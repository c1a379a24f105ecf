#include "model/model.h"

#include <gtest/gtest.h>

#include <map>

#include "weights/testing_gguf.h"

namespace hussar {
namespace {

using testing::ByteWriter;
using testing::GgufBuilder;

constexpr uint32_t kTypeF32 = 0, kTypeQ80 = 8;

// Records what it is asked to do; computes nothing.
class RecordingBackend final : public Backend {
 public:
  struct Prepared {
    DType dtype;
    int64_t rows, cols;
    WeightUse use;
  };
  std::vector<std::string> names;            // by weight id
  std::map<std::string, Prepared> prepared;  // by tensor name
  std::vector<std::string> calls;
  std::string refused;  // prepare_weight fails for this tensor

  const DeviceInfo& info() const override { return info_; }
  Result<Weight> prepare_weight(const TensorView& tensor, WeightUse use) override {
    const std::string name(tensor.name);
    if (name == refused) return Error{ErrorCode::kUnsupported, "tensor '" + name + "': no such kernel", name};
    prepared[name] = {tensor.dtype, tensor.rows, tensor.cols, use};
    names.push_back(name);
    Weight weight;
    weight.id = static_cast<int32_t>(names.size()) - 1;
    weight.rows = tensor.rows;
    weight.cols = tensor.cols;
    weight.bytes = static_cast<int64_t>(tensor.bytes.size());
    return weight;
  }
  int64_t reserve_bytes(const ModelShape&, const KvOptions&, const StepLimits&) const override { return 0; }
  Result<void> reserve(const ModelShape&, const KvOptions&, const StepLimits&) override { return {}; }
  DevicePeaks measure_peaks(int64_t) override { return {}; }
  void begin_sequence(int32_t, std::span<const TokenId>) override {}
  void end_sequence(int32_t) override {}
  void forward(const Batch&, const Forward&) override {}
  void sample(std::span<const SampleRow>) override {}
  Result<StepOutput> finish_step() override { return StepOutput{}; }

  void embed(const Weight& table, Activation x) override { record("embed", {table}, {x}); }
  void norm_qkv_rope_store(Activation x, const AttentionWeights& w, int32_t layer, Activation q) override {
    record("qkv" + std::to_string(layer), {w.norm, w.wq, w.wk, w.wv, w.bq, w.bk, w.bv}, {x, q});
  }
  void paged_attention(Activation q, int32_t layer, Activation out) override {
    record("attention" + std::to_string(layer), {}, {q, out});
  }
  void linear_residual(Activation in, const Weight& w, Activation x) override {
    record("residual", {w}, {in, x});
  }
  void norm_gated_mlp(const MlpWeights& w, Activation x) override {
    record("mlp", {w.norm, w.gate, w.up, w.down}, {x});
  }
  void logits(Activation x, const Weight& norm, const Weight& head) override {
    record("logits", {norm, head}, {x});
  }
  Result<void> read_activation(Activation, std::span<float>) override { return {}; }
  Result<void> read_logits(int32_t, std::span<float>) override { return {}; }

 private:
  void record(std::string call, const std::vector<Weight>& weights,
              const std::vector<Activation>& activations) {
    for (const Weight& w : weights)
      call += w.exists() ? " " + names[static_cast<size_t>(w.id)] : std::string(" -");
    for (const Activation a : activations) call += " " + std::to_string(static_cast<int>(a));
    calls.push_back(std::move(call));
  }
  DeviceInfo info_;
};

// A model file of two layers that a test spoils in one place. H = 32, 4 heads of 8, 2 KV heads, F = 64,
// vocabulary 10.
struct FileSpec {
  std::string architecture = "llama";
  std::map<std::string, uint32_t> ints = {{"context_length", 128},     {"block_count", 2},
                                          {"embedding_length", 32},    {"feed_forward_length", 64},
                                          {"attention.head_count", 4}, {"attention.head_count_kv", 2}};
  std::map<std::string, float> floats = {{"attention.layer_norm_rms_epsilon", 1e-5f},
                                         {"rope.freq_base", 500000.0f}};
  std::map<std::string, std::string> strings;
  std::map<std::string, std::vector<uint64_t>> tensors = {{"token_embd.weight", {32, 10}},
                                                          {"output_norm.weight", {32}}};
  std::map<std::string, std::vector<float>> float_tensors;
  std::vector<std::string> tokens;

  explicit FileSpec(const std::string& arch = "llama") : architecture(arch) {
    for (const std::string layer : {"blk.0.", "blk.1."}) {
      tensors[layer + "attn_norm.weight"] = {32};
      tensors[layer + "attn_q.weight"] = {32, 32};
      tensors[layer + "attn_k.weight"] = {32, 16};
      tensors[layer + "attn_v.weight"] = {32, 16};
      tensors[layer + "attn_output.weight"] = {32, 32};
      tensors[layer + "ffn_norm.weight"] = {32};
      tensors[layer + "ffn_gate.weight"] = {32, 64};
      tensors[layer + "ffn_up.weight"] = {32, 64};
      tensors[layer + "ffn_down.weight"] = {64, 32};
      if (arch == "qwen2") add_bias(layer);
    }
  }
  void add_bias(const std::string& layer) {
    tensors[layer + "attn_q.bias"] = {32};
    tensors[layer + "attn_k.bias"] = {16};
    tensors[layer + "attn_v.bias"] = {16};
  }

  std::vector<std::byte> build() const {
    GgufBuilder file;
    file.key_string("general.architecture", architecture);
    for (const auto& [key, value] : ints) file.key_uint32(key_of(key), value);
    for (const auto& [key, value] : floats) file.key_float32(key_of(key), value);
    for (const auto& [key, value] : strings) file.key_string(key_of(key), value);
    if (!tokens.empty()) {
      ByteWriter list;
      list.put<uint32_t>(8).put<uint64_t>(tokens.size());
      for (const std::string& token : tokens) list.text(token);
      file.key_raw("tokenizer.ggml.tokens", 9, list);
    }
    for (const auto& [name, dimensions] : tensors) {
      const bool matrix = dimensions.size() > 1;
      uint64_t elements = 1;
      for (const uint64_t size : dimensions) elements *= size;
      const uint64_t bytes = matrix ? elements / 32 * 34 : elements * 4;
      file.tensor(name, dimensions, matrix ? kTypeQ80 : kTypeF32, std::vector<std::byte>(bytes));
    }
    for (const auto& [name, values] : float_tensors) {
      ByteWriter data;
      for (const float value : values) data.put<float>(value);
      file.tensor(name, {values.size()}, kTypeF32, data.bytes());
    }
    return file.build();
  }

 private:
  // "general.name" stays, "block_count" becomes "llama.block_count".
  std::string key_of(const std::string& key) const {
    const bool whole = key.starts_with("general.") || key.starts_with("split.");
    return whole ? key : architecture + "." + key;
  }
};

struct Loaded {
  std::vector<std::byte> bytes;
  Result<ModelFile> file;
  explicit Loaded(const FileSpec& spec)
      : bytes(spec.build()), file(ModelFile::parse_gguf(bytes, "dir/t.gguf")) {}
};

ModelConfig config_of(const FileSpec& spec) {
  const Loaded loaded(spec);
  EXPECT_TRUE(loaded.file.ok()) << loaded.file.error().message;
  const Result<ModelConfig> config = read_model_config(*loaded.file);
  EXPECT_TRUE(config.ok()) << config.error().message;
  return config.ok() ? *config : ModelConfig{};
}

// The error of read_model_config, or of load where the configuration is right.
Error error_of(const FileSpec& spec) {
  const Loaded loaded(spec);
  EXPECT_TRUE(loaded.file.ok()) << loaded.file.error().message;
  const Result<ModelConfig> config = read_model_config(*loaded.file);
  if (!config.ok()) return config.error();
  RecordingBackend backend;
  const auto model = Model::load(*loaded.file, backend, WeightChoice::kAsStored, nullptr);
  EXPECT_FALSE(model.ok()) << "was accepted";
  return model.ok() ? Error{} : model.error();
}

void expect_error(const FileSpec& spec, ErrorCode code, const std::string& part) {
  const Error error = error_of(spec);
  EXPECT_EQ(static_cast<int>(error.code), static_cast<int>(code)) << error.message;
  EXPECT_NE(error.message.find(part), std::string::npos)
      << "message: " << error.message << "\nwanted part: " << part;
  EXPECT_TRUE(error.message.starts_with("dir/t.gguf: ")) << error.message;
}

TEST(ModelConfig, ReadsLlama) {
  const ModelConfig config = config_of(FileSpec());
  EXPECT_EQ(config.architecture, "llama");
  EXPECT_EQ(config.name, "t.gguf");
  EXPECT_EQ(config.context_trained, 128);
  EXPECT_EQ(config.shape.layers, 2);
  EXPECT_EQ(config.shape.hidden, 32);
  EXPECT_EQ(config.shape.heads, 4);
  EXPECT_EQ(config.shape.kv_heads, 2);
  EXPECT_EQ(config.shape.head_dim, 8);
  EXPECT_EQ(config.shape.mlp_width, 64);
  EXPECT_EQ(config.shape.vocab_size, 10);
  EXPECT_FLOAT_EQ(config.shape.norm_epsilon, 1e-5f);
  EXPECT_EQ(config.shape.rope.style, RopeStyle::kInterleaved);
  EXPECT_EQ(config.shape.rope.dims, 8);
  EXPECT_EQ(config.shape.rope.base, 500000.0);
  EXPECT_EQ(config.shape.rope.linear_scale, 1.0);
  EXPECT_TRUE(config.shape.rope.frequency_divisors.empty());
}

TEST(ModelConfig, ReadsQwen2AndDefaults) {
  FileSpec spec("qwen2");
  spec.strings["general.name"] = "A name";
  spec.ints.erase("attention.head_count_kv");
  spec.floats.erase("rope.freq_base");
  const ModelConfig config = config_of(spec);
  EXPECT_EQ(config.name, "A name");
  EXPECT_EQ(config.shape.kv_heads, 4);
  EXPECT_EQ(config.shape.rope.style, RopeStyle::kHalves);
  EXPECT_EQ(config.shape.rope.base, 10000.0);
}

TEST(ModelConfig, ReadsHeadAndRopeSizes) {
  FileSpec spec;
  spec.ints["attention.key_length"] = 24;
  spec.ints["rope.dimension_count"] = 16;
  const ModelConfig config = config_of(spec);
  EXPECT_EQ(config.shape.head_dim, 24);
  EXPECT_EQ(config.shape.rope.dims, 16);
}

TEST(ModelConfig, ReadsRopeScaling) {
  FileSpec linear;
  linear.strings["rope.scaling.type"] = "linear";
  linear.floats["rope.scaling.factor"] = 4.0f;
  EXPECT_EQ(config_of(linear).shape.rope.linear_scale, 4.0);
  FileSpec none = linear;
  none.strings["rope.scaling.type"] = "none";
  EXPECT_EQ(config_of(none).shape.rope.linear_scale, 1.0);
  FileSpec without_type;
  without_type.floats["rope.scaling.factor"] = 2.0f;
  EXPECT_EQ(config_of(without_type).shape.rope.linear_scale, 2.0);
  FileSpec old_name;
  old_name.floats["rope.scale_linear"] = 8.0f;
  EXPECT_EQ(config_of(old_name).shape.rope.linear_scale, 8.0);
  FileSpec divisors;
  divisors.float_tensors["rope_freqs.weight"] = {1, 1, 4, 32};
  EXPECT_EQ(config_of(divisors).shape.rope.frequency_divisors, (std::vector<float>{1, 1, 4, 32}));
}

TEST(ModelConfig, RefusesWhatItCannotComputeByName) {
  FileSpec other("gemma3");
  expect_error(other, ErrorCode::kUnsupported,
               "architecture 'gemma3' is not supported; llama, qwen2 and qwen3 are");
  FileSpec longrope;
  longrope.strings["rope.scaling.type"] = "longrope";
  expect_error(longrope, ErrorCode::kUnsupported, "llama.rope.scaling.type is 'longrope'");
  FileSpec experts;
  experts.ints["expert_count"] = 8;
  expect_error(experts, ErrorCode::kUnsupported, "llama.expert_count is 8");
  FileSpec window;
  window.ints["attention.sliding_window"] = 64;
  expect_error(window, ErrorCode::kUnsupported, "llama.attention.sliding_window is 64");
  window.ints["attention.sliding_window"] = 128;
  EXPECT_EQ(config_of(window).shape.layers, 2);
  FileSpec values;
  values.ints["attention.value_length"] = 4;
  expect_error(values, ErrorCode::kUnsupported, "llama.attention.value_length is 4");
  FileSpec split;
  split.ints["split.count"] = 3;
  expect_error(split, ErrorCode::kUnsupported, "split over 3 files");
}

TEST(ModelConfig, RefusesNumbersOutOfRange) {
  struct Case {
    const char* key;
    uint32_t value;
    const char* part;
  };
  const Case cases[] = {
      {"block_count", 0, "llama.block_count is 0, not from 1 to 1024"},
      {"block_count", 1025, "llama.block_count is 1025"},
      {"embedding_length", 0, "llama.embedding_length is 0"},
      {"embedding_length", 65537, "llama.embedding_length is 65537"},
      {"embedding_length", 34, "llama.attention.head_count is 4, which does not divide"},
      {"attention.head_count", 0, "llama.attention.head_count is 0"},
      {"attention.head_count", 4294967295u, "llama.attention.head_count is 4294967295"},
      {"attention.head_count_kv", 0, "llama.attention.head_count_kv is 0, not from 1 to 4"},
      {"attention.head_count_kv", 3, "llama.attention.head_count_kv is 3, which does not divide the 4 heads"},
      {"attention.head_count_kv", 5, "llama.attention.head_count_kv is 5"},
      {"attention.key_length", 0, "llama.attention.key_length is 0"},
      {"feed_forward_length", 0, "llama.feed_forward_length is 0"},
      {"feed_forward_length", 1 << 21, "llama.feed_forward_length is 2097152"},
      {"context_length", 0, "llama.context_length is 0"},
      {"rope.dimension_count", 7, "llama.rope.dimension_count is 7; rotated elements come in pairs"},
      {"rope.dimension_count", 10, "llama.rope.dimension_count is 10, not from 2 to 8"},
  };
  for (const Case& wrong : cases) {
    FileSpec spec;
    spec.ints[wrong.key] = wrong.value;
    expect_error(spec, ErrorCode::kInvalid, wrong.part);
  }
  for (const float value : {0.0f, -1.0f, 2.0f, std::numeric_limits<float>::quiet_NaN()}) {
    FileSpec spec;
    spec.floats["attention.layer_norm_rms_epsilon"] = value;
    expect_error(spec, ErrorCode::kInvalid, "llama.attention.layer_norm_rms_epsilon is");
  }
  for (const float value : {0.0f, -10000.0f, std::numeric_limits<float>::infinity()}) {
    FileSpec spec;
    spec.floats["rope.freq_base"] = value;
    expect_error(spec, ErrorCode::kInvalid, "llama.rope.freq_base is");
  }
  FileSpec wide_heads;
  wide_heads.ints["embedding_length"] = 65536;
  expect_error(wide_heads, ErrorCode::kInvalid, "makes heads of 16384 elements");
}

TEST(ModelConfig, RefusesMissingKeys) {
  for (const char* key :
       {"block_count", "embedding_length", "attention.head_count", "feed_forward_length", "context_length"}) {
    FileSpec spec;
    spec.ints.erase(key);
    expect_error(spec, ErrorCode::kInvalid, "'llama." + std::string(key) + "' is missing");
  }
  FileSpec epsilon;
  epsilon.floats.erase("attention.layer_norm_rms_epsilon");
  expect_error(epsilon, ErrorCode::kInvalid, "'llama.attention.layer_norm_rms_epsilon' is missing");
}

TEST(ModelConfig, RefusesBadRopeFrequencies) {
  FileSpec count;
  count.float_tensors["rope_freqs.weight"] = {1, 1, 1};
  expect_error(count, ErrorCode::kInvalid, "'rope_freqs.weight' is not 4 numbers of type F32");
  for (const float value : {0.0f, -1.0f, 1e30f, std::numeric_limits<float>::quiet_NaN()}) {
    FileSpec spec;
    spec.float_tensors["rope_freqs.weight"] = {1, value, 1, 1};
    expect_error(spec, ErrorCode::kInvalid, "'rope_freqs.weight' has a number that is not from 1e-6 to 1e6");
  }
}

TEST(ModelConfig, RefusesAVocabularyThatDoesNotFitTheEmbedding) {
  FileSpec spec;
  spec.tokens = {"a", "b"};
  expect_error(spec, ErrorCode::kInvalid, "has rows (10)");
  spec.tokens = std::vector<std::string>(10, "a");
  EXPECT_EQ(config_of(spec).shape.vocab_size, 10);
}

TEST(Model, BindsAndRunsATiedLlama) {
  const Loaded loaded{FileSpec()};
  ASSERT_TRUE(loaded.file.ok());
  RecordingBackend backend;
  int64_t done = 0, all = 0;
  const auto model = Model::load(*loaded.file, backend, WeightChoice::kAsStored, [&](int64_t d, int64_t a) {
    EXPECT_GT(d, done);
    done = d;
    all = a;
  });
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(done, all);
  EXPECT_GT(all, 0);

  const auto& embedding = backend.prepared.at("token_embd.weight");
  EXPECT_EQ(embedding.use, WeightUse::kLinearAndEmbedding);
  EXPECT_EQ(embedding.rows, 10);
  EXPECT_EQ(embedding.cols, 32);
  EXPECT_EQ(backend.prepared.at("blk.1.ffn_down.weight").use, WeightUse::kLinear);
  EXPECT_EQ(backend.prepared.at("blk.1.ffn_down.weight").rows, 32);
  EXPECT_EQ(backend.prepared.at("blk.1.ffn_down.weight").cols, 64);
  EXPECT_EQ(backend.prepared.at("output_norm.weight").use, WeightUse::kVector);
  EXPECT_EQ(backend.prepared.at("output_norm.weight").rows, 1);

  (*model)->forward(backend, StepShape{3, 1, 1});
  // Activations: 0 hidden, 1 query, 2 attended.
  const std::vector<std::string> wanted = {
      "embed token_embd.weight 0",
      "qkv0 blk.0.attn_norm.weight blk.0.attn_q.weight blk.0.attn_k.weight blk.0.attn_v.weight - - - 0 1",
      "attention0 1 2",
      "residual blk.0.attn_output.weight 2 0",
      "mlp blk.0.ffn_norm.weight blk.0.ffn_gate.weight blk.0.ffn_up.weight blk.0.ffn_down.weight 0",
      "qkv1 blk.1.attn_norm.weight blk.1.attn_q.weight blk.1.attn_k.weight blk.1.attn_v.weight - - - 0 1",
      "attention1 1 2",
      "residual blk.1.attn_output.weight 2 0",
      "mlp blk.1.ffn_norm.weight blk.1.ffn_gate.weight blk.1.ffn_up.weight blk.1.ffn_down.weight 0",
      "logits output_norm.weight token_embd.weight 0",
  };
  EXPECT_EQ(backend.calls, wanted);

  backend.calls.clear();
  (*model)->forward(backend, StepShape{3, 1, 0});
  EXPECT_EQ(backend.calls.size(), wanted.size() - 1) << "a step without logit rows leaves the head out";
}

TEST(Model, BindsAQwen2WithBiasesAndASeparateHead) {
  FileSpec spec("qwen2");
  spec.tensors["output.weight"] = {32, 10};
  const Loaded loaded(spec);
  ASSERT_TRUE(loaded.file.ok());
  RecordingBackend backend;
  const auto model = Model::load(*loaded.file, backend, WeightChoice::kAsStored, nullptr);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(backend.prepared.at("token_embd.weight").use, WeightUse::kEmbedding);
  EXPECT_EQ(backend.prepared.at("output.weight").use, WeightUse::kLinear);
  EXPECT_EQ(backend.prepared.at("blk.0.attn_k.bias").use, WeightUse::kVector);
  (*model)->forward(backend, StepShape{1, 1, 1});
  EXPECT_EQ(backend.calls[1],
            "qkv0 blk.0.attn_norm.weight blk.0.attn_q.weight blk.0.attn_k.weight blk.0.attn_v.weight "
            "blk.0.attn_q.bias blk.0.attn_k.bias blk.0.attn_v.bias 0 1");
  EXPECT_EQ(backend.calls.back(), "logits output_norm.weight output.weight 0");
}

TEST(Model, CountsBytesAndMultiplications) {
  const Loaded tied{FileSpec()};
  FileSpec spec;
  spec.tensors["output.weight"] = {32, 10};
  const Loaded separate(spec);
  RecordingBackend backend;
  const auto a = Model::load(*tied.file, backend, WeightChoice::kAsStored, nullptr);
  const auto b = Model::load(*separate.file, backend, WeightChoice::kAsStored, nullptr);
  ASSERT_TRUE(a.ok() && b.ok());
  // Per layer: Wq and Wo 32 x 32, Wk and Wv 16 x 32, three of 64 x 32.
  EXPECT_EQ((*a)->row_macs(), 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32));
  EXPECT_EQ((*a)->head_macs(), 10 * 32);
  // Q8_0 takes 34 bytes for 32 elements; two norms a layer and one at the end are F32. A table that is only
  // looked up does not count.
  const int64_t bytes = 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32) / 32 * 34 + 5 * 32 * 4 + 10 * 34;
  EXPECT_EQ((*a)->step_weight_bytes(), bytes);
  EXPECT_EQ((*b)->step_weight_bytes(), bytes);
}

TEST(Model, NamesMissingAndMisshapenTensors) {
  const FileSpec right("qwen2");
  for (const auto& [name, dimensions] : right.tensors) {
    FileSpec missing = right;
    missing.tensors.erase(name);
    expect_error(missing, ErrorCode::kInvalid, "tensor '" + name + "' is missing");
    if (name == "token_embd.weight") continue;  // its rows are the vocabulary, whatever they are
    FileSpec misshapen = right;
    misshapen.tensors[name].back() += 1;
    expect_error(misshapen, ErrorCode::kInvalid, "tensor '" + name + "' has the shape [");
    FileSpec flat = right;
    flat.tensors[name].insert(flat.tensors[name].begin(), 32);
    expect_error(flat, ErrorCode::kInvalid, "tensor '" + name + "' has the shape [");
  }
  FileSpec narrow = right;
  narrow.tensors["token_embd.weight"] = {64, 10};
  expect_error(narrow, ErrorCode::kInvalid,
               "tensor 'token_embd.weight' has the shape [10, 64], not [10, 32]");
}

TEST(Model, RefusesATensorWithoutAPlace) {
  for (const char* name :
       {"blk.0.attn_q_norm.weight", "blk.0.attn_output.bias", "blk.2.attn_norm.weight", "lora.a"}) {
    FileSpec spec;
    spec.tensors[name] = {32};
    expect_error(spec, ErrorCode::kUnsupported, "tensor '" + std::string(name) + "' has no place");
  }
  FileSpec bias;
  bias.add_bias("blk.0.");
  bias.add_bias("blk.1.");
  const Loaded loaded(bias);
  RecordingBackend backend;
  EXPECT_TRUE(Model::load(*loaded.file, backend, WeightChoice::kAsStored, nullptr).ok())
      << "a llama with biases on q, k and v is one";
}

// Whatever a changed file still says: it is refused, or every weight has the bytes and the shape that the
// configuration asks for.
TEST(Model, SurvivesEveryChangedByteOfTheHead) {
  FileSpec spec("qwen2");
  spec.strings["rope.scaling.type"] = "linear";
  spec.floats["rope.scaling.factor"] = 2.0f;
  spec.float_tensors["rope_freqs.weight"] = {1, 1, 2, 2};
  const std::vector<std::byte> whole = spec.build();
  int accepted = 0;
  for (size_t at = 0; at < std::min<size_t>(whole.size(), 2600); ++at) {
    for (const int value : {0, 1, 2, 4, 31, 32, 33, 64, 127, 128, 255}) {
      std::vector<std::byte> changed = whole;
      changed[at] = static_cast<std::byte>(value);
      const Result<ModelFile> file = ModelFile::parse_gguf(changed, "t.gguf");
      if (!file.ok()) continue;
      RecordingBackend backend;
      const auto model = Model::load(*file, backend, WeightChoice::kAsStored, nullptr);
      if (!model.ok()) continue;
      ++accepted;
      for (const auto& [name, weight] : backend.prepared) {
        const StoredTensor* tensor = file->find_tensor(name);
        const DTypeInfo& info = dtype_info(weight.dtype);
        ASSERT_EQ(weight.rows * (weight.cols / info.block_elements) * info.block_bytes,
                  static_cast<int64_t>(tensor->bytes.size()))
            << name << ", byte " << at << " = " << value;
      }
      const ModelShape& shape = (*model)->config().shape;
      ASSERT_EQ(shape.heads * shape.head_dim, 32);
      ASSERT_EQ(shape.heads % shape.kv_heads, 0);
    }
  }
  EXPECT_GT(accepted, 0) << "some bytes (of a name, of an epsilon) may change";
}

TEST(Model, HandsTheBackendsErrorOn) {
  const Loaded loaded{FileSpec()};
  RecordingBackend backend;
  backend.refused = "blk.1.ffn_up.weight";
  const auto model = Model::load(*loaded.file, backend, WeightChoice::kAsStored, nullptr);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(model.error().message, "dir/t.gguf: tensor 'blk.1.ffn_up.weight': no such kernel");
}

}  // namespace
}  // namespace hussar
