#include "cli/random_model.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace hussar {
namespace {

struct Shape {
  const char *name, *architecture;
  int64_t layers, hidden, heads, kv_heads, head_dim, mlp_width, vocab, context;
  float rope_base, epsilon;
};

constexpr Shape kShapes[] = {
    {"qwen2.5-0.5b", "qwen2", 24, 896, 14, 2, 64, 4864, 151936, 32768, 1e6f, 1e-6f},
    {"qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 1e6f, 1e-6f},
    {"smollm2-135m", "llama", 30, 576, 9, 3, 64, 1536, 49152, 8192, 1e5f, 1e-5f},
};

// What GGUF calls its types.
constexpr uint32_t kMetaUint32 = 4, kMetaFloat32 = 6, kMetaString = 8, kTensorF32 = 0, kTensorBF16 = 30;
constexpr int64_t kAlignment = 32;

class GgufWriter {
 public:
  explicit GgufWriter(const Shape& shape) : prefix_(std::string(shape.architecture) + ".") {}

  void text(const std::string& key, const std::string& value) {
    string(&meta_, key);
    number(&meta_, kMetaString);
    string(&meta_, value);
    ++metas_;
  }
  void integer(const std::string& part, int64_t value) {
    string(&meta_, prefix_ + part);
    number(&meta_, kMetaUint32);
    number(&meta_, static_cast<uint32_t>(value));
    ++metas_;
  }
  void real(const std::string& part, float value) {
    string(&meta_, prefix_ + part);
    number(&meta_, kMetaFloat32);
    number(&meta_, value);
    ++metas_;
  }
  void vector(const std::string& name, int64_t size) { tensor(name, kTensorF32, size, 1, size * 4); }
  void matrix(const std::string& name, int64_t rows, int64_t cols) {
    tensor(name, kTensorBF16, cols, rows, rows * cols * 2);
  }

  std::vector<std::byte> build() {
    std::vector<std::byte> head;
    append(&head, "GGUF", 4);
    number(&head, uint32_t{3});
    number(&head, static_cast<uint64_t>(tensors_.size()));
    number(&head, metas_);
    append(&head, meta_.data(), meta_.size());
    append(&head, infos_.data(), infos_.size());
    head.resize((head.size() + kAlignment - 1) / kAlignment * kAlignment);
    const size_t data = head.size();
    head.resize(data + static_cast<size_t>(data_bytes_));
    for (const Tensor& tensor : tensors_) fill(tensor, head.data() + data + tensor.offset);
    return head;
  }

 private:
  struct Tensor {
    uint32_t type;
    int64_t offset, bytes;
  };

  static void append(std::vector<std::byte>* to, const void* data, size_t size) {
    const size_t at = to->size();
    to->resize(at + size);
    std::memcpy(to->data() + at, data, size);
  }
  template <typename T>
  static void number(std::vector<std::byte>* to, T value) {
    append(to, &value, sizeof(value));
  }
  static void string(std::vector<std::byte>* to, const std::string& text) {
    number(to, static_cast<uint64_t>(text.size()));
    append(to, text.data(), text.size());
  }
  void tensor(const std::string& name, uint32_t type, int64_t cols, int64_t rows, int64_t bytes) {
    string(&infos_, name);
    number(&infos_, uint32_t{type == kTensorF32 ? 1u : 2u});
    number(&infos_, static_cast<uint64_t>(cols));
    if (type != kTensorF32) number(&infos_, static_cast<uint64_t>(rows));
    number(&infos_, type);
    number(&infos_, static_cast<uint64_t>(data_bytes_));
    tensors_.push_back({type, data_bytes_, bytes});
    data_bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  // Vectors are ones. Elements of matrices have any sign and fraction, and magnitudes of 2^-8 to 2^-4: as
  // small as those of a trained model, and as costly to multiply.
  void fill(const Tensor& tensor, std::byte* to) {
    if (tensor.type == kTensorF32) {
      const std::vector<float> ones(static_cast<size_t>(tensor.bytes / 4), 1.0f);
      std::memcpy(to, ones.data(), static_cast<size_t>(tensor.bytes));
      return;
    }
    constexpr uint64_t kSigns = 0x807f807f807f807f;      // and fractions
    constexpr uint64_t kExponents = 0x0180018001800180;  // the lowest two bits of each
    constexpr uint64_t kSmallest = 0x3b803b803b803b80;   // 2^-8
    for (int64_t at = 0; at + 8 <= tensor.bytes; at += 8) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      const uint64_t four = ((state_ & kSigns) | kSmallest) + (state_ & kExponents);
      std::memcpy(to + at, &four, sizeof(four));
    }
  }

  const std::string prefix_;
  std::vector<std::byte> meta_, infos_;
  uint64_t metas_ = 0;
  std::vector<Tensor> tensors_;
  int64_t data_bytes_ = 0;
  uint64_t state_ = 0x9E3779B97F4A7C15u;
};

void write_layer(GgufWriter* writer, const Shape& s, int64_t layer) {
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  const int64_t q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
  const std::string_view architecture = s.architecture;
  writer->vector(prefix + "attn_norm.weight", s.hidden);
  writer->matrix(prefix + "attn_q.weight", q, s.hidden);
  writer->matrix(prefix + "attn_k.weight", kv, s.hidden);
  writer->matrix(prefix + "attn_v.weight", kv, s.hidden);
  if (architecture == "qwen2") {
    writer->vector(prefix + "attn_q.bias", q);
    writer->vector(prefix + "attn_k.bias", kv);
    writer->vector(prefix + "attn_v.bias", kv);
  }
  if (architecture == "qwen3") {
    writer->vector(prefix + "attn_q_norm.weight", s.head_dim);
    writer->vector(prefix + "attn_k_norm.weight", s.head_dim);
  }
  writer->matrix(prefix + "attn_output.weight", s.hidden, q);
  writer->vector(prefix + "ffn_norm.weight", s.hidden);
  writer->matrix(prefix + "ffn_gate.weight", s.mlp_width, s.hidden);
  writer->matrix(prefix + "ffn_up.weight", s.mlp_width, s.hidden);
  writer->matrix(prefix + "ffn_down.weight", s.hidden, s.mlp_width);
}

}  // namespace

std::vector<std::string> random_model_names() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

Result<RandomModel> make_random_model(std::string_view name) {
  const Shape* shape = std::ranges::find_if(kShapes, [&](const Shape& s) { return name == s.name; });
  CHECK(shape != std::end(kShapes));
  const Shape& s = *shape;
  GgufWriter writer(s);
  writer.text("general.architecture", s.architecture);
  writer.text("general.name", std::string(s.name) + " with random weights");
  writer.integer("block_count", s.layers);
  writer.integer("context_length", s.context);
  writer.integer("embedding_length", s.hidden);
  writer.integer("attention.head_count", s.heads);
  writer.integer("attention.head_count_kv", s.kv_heads);
  writer.integer("attention.key_length", s.head_dim);
  writer.integer("attention.value_length", s.head_dim);
  writer.integer("feed_forward_length", s.mlp_width);
  writer.real("attention.layer_norm_rms_epsilon", s.epsilon);
  writer.real("rope.freq_base", s.rope_base);
  writer.matrix("token_embd.weight", s.vocab, s.hidden);
  for (int64_t layer = 0; layer < s.layers; ++layer) write_layer(&writer, s, layer);
  writer.vector("output_norm.weight", s.hidden);
  std::vector<std::byte> bytes = writer.build();
  const std::span<const std::byte> view(bytes);
  ASSIGN_OR_RETURN(ModelFile file, ModelFile::parse_gguf(view, std::string(s.name)));
  return RandomModel{std::move(bytes), std::move(file)};
}

}  // namespace hussar
