// Runs a model over token ids on the CPU backend and writes what it computes, so that a Python test can
// compare it with an independent forward pass.
//
//   dump_logits --model m.gguf --tokens ids.txt --logits out.f32 [--hidden out.f32] [--isa avx2] [--threads
//   2]
//               [--chunk 64] [--generated-from 100]
//
// Raw little-endian float32: logits [T, vocab]; hidden states [layers + 1, T, hidden], the embedding first.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/flags.h"
#include "kernels/backend.h"
#include "model/model.h"
#include "weights/model_file.h"

namespace {

using hussar::Activation;
using hussar::Backend;
using hussar::Weight;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "dump_logits: %s\n", message.c_str());
  std::exit(2);
}

template <typename T>
T value_or_fail(hussar::Result<T> result) {
  if (!result.ok()) fail(result.error().message);
  return std::move(result).value();
}

void ok_or_fail(const hussar::Result<void>& result) {
  if (!result.ok()) fail(result.error().message);
}

// Hands every operation on, and reads the hidden states after the embedding and after each layer.
class HiddenTap final : public Backend {
 public:
  // [layers + 1, tokens, hidden]
  HiddenTap(Backend& inner, const hussar::ModelShape& shape, size_t tokens)
      : inner_(inner),
        hidden_(static_cast<size_t>(shape.hidden)),
        tokens_(tokens),
        states_((static_cast<size_t>(shape.layers) + 1) * tokens * hidden_) {}

  const std::vector<float>& states() const { return states_; }
  // The step's rows are tokens first_token .. first_token + rows - 1.
  void begin_step(size_t first_token, size_t rows) {
    first_token_ = first_token;
    rows_ = rows;
    states_seen_ = 0;
  }

  const hussar::DeviceInfo& info() const override { return inner_.info(); }
  hussar::Result<Weight> prepare_weight(const hussar::TensorView& tensor, hussar::WeightUse use) override {
    return inner_.prepare_weight(tensor, use);
  }
  int64_t reserve_bytes(const hussar::ModelShape& shape, const hussar::KvOptions& kv,
                        const hussar::StepLimits& limits) const override {
    return inner_.reserve_bytes(shape, kv, limits);
  }
  hussar::Result<void> reserve(const hussar::ModelShape& shape, const hussar::KvOptions& kv,
                               const hussar::StepLimits& limits) override {
    return inner_.reserve(shape, kv, limits);
  }
  hussar::DevicePeaks measure_peaks(int64_t bytes) override { return inner_.measure_peaks(bytes); }
  void begin_sequence(int32_t slot, std::span<const hussar::TokenId> prompt) override {
    inner_.begin_sequence(slot, prompt);
  }
  void end_sequence(int32_t slot) override { inner_.end_sequence(slot); }
  void forward(const hussar::Batch& batch, const Forward& forward) override {
    inner_.forward(batch, forward);
  }
  void sample(std::span<const hussar::SampleRow> rows) override { inner_.sample(rows); }
  hussar::Result<hussar::StepOutput> finish_step() override { return inner_.finish_step(); }

  void embed(const Weight& table, Activation x) override {
    inner_.embed(table, x);
    take();
  }
  void norm_qkv_rope_store(Activation x, const hussar::AttentionWeights& w, int32_t layer,
                           Activation q) override {
    inner_.norm_qkv_rope_store(x, w, layer, q);
  }
  void paged_attention(Activation q, int32_t layer, Activation out) override {
    inner_.paged_attention(q, layer, out);
  }
  void linear_residual(Activation in, const Weight& w, Activation x) override {
    inner_.linear_residual(in, w, x);
  }
  void norm_gated_mlp(const hussar::MlpWeights& w, Activation x) override {
    inner_.norm_gated_mlp(w, x);
    take();
  }
  void logits(Activation x, const Weight& norm, const Weight& head) override { inner_.logits(x, norm, head); }
  hussar::Result<void> read_activation(Activation a, std::span<float> out) override {
    return inner_.read_activation(a, out);
  }
  hussar::Result<void> read_logits(int32_t row, std::span<float> out) override {
    return inner_.read_logits(row, out);
  }

 private:
  void take() {
    float* begin = states_.data() + (states_seen_ * tokens_ + first_token_) * hidden_;
    ok_or_fail(inner_.read_activation(Activation::kHidden, {begin, rows_ * hidden_}));
    ++states_seen_;
  }

  Backend& inner_;
  const size_t hidden_;
  const size_t tokens_;
  std::vector<float> states_;
  size_t first_token_ = 0;
  size_t rows_ = 0;
  size_t states_seen_ = 0;
};

struct Options {
  std::string model, tokens, logits, hidden;
  std::string isa = "auto";
  std::string kv_type = "f16";
  std::string weights = "auto";
  int64_t threads = 1;
  int64_t chunk = 64;
  int64_t generated_from = -1;
};

Options parse_options(int argc, char** argv) {
  Options o;
  hussar::FlagTable flags("dump_logits", "Writes the logits of every position of a text.",
                          "dump_logits --model m.gguf --tokens ids.txt --logits out.f32");
  flags.add_string("--model", &o.model, "FILE", "model file or folder", hussar::FlagTable::kRequired);
  flags.add_string("--tokens", &o.tokens, "FILE", "token ids, separated by white space",
                   hussar::FlagTable::kRequired);
  flags.add_string("--logits", &o.logits, "FILE", "where [T, vocab] floats go", hussar::FlagTable::kRequired);
  flags.add_string("--hidden", &o.hidden, "FILE", "where [layers + 1, T, hidden] floats go");
  flags.add_choice("--isa", &o.isa, {"auto", "reference", "reference-tiles", "avx2", "avx512", "amx"},
                   "kernels to use");
  flags.add_choice("--kv-type", &o.kv_type, {"f16", "bf16"}, "type of keys and values");
  flags.add_choice("--weights", &o.weights, {"auto", "bf16", "w8", "w4"}, "what plain numbers are kept as");
  flags.add_int("--threads", &o.threads, 1, 1024, "threads");
  flags.add_int("--chunk", &o.chunk, 1, 4096, "prompt rows of one step");
  flags.add_int("--generated-from", &o.generated_from, -1, 1 << 20,
                "from this position on, one row a step in the role of a generated token; -1: none");
  const auto outcome = value_or_fail(flags.parse(std::vector<std::string>(argv + 1, argv + argc)));
  if (outcome == hussar::FlagTable::Outcome::kHelpShown) std::exit(0);
  return o;
}

hussar::WeightChoice weights_of(const Options& o) {
  using hussar::WeightChoice;
  if (o.weights == "bf16") return WeightChoice::kBF16;
  if (o.weights == "w8") return WeightChoice::kW8;
  return o.weights == "w4" ? WeightChoice::kW4 : WeightChoice::kAsStored;
}

std::vector<hussar::TokenId> read_tokens(const std::string& path, int32_t vocab_size) {
  std::ifstream file(path);
  std::vector<hussar::TokenId> tokens;
  hussar::TokenId token = 0;
  while (file >> token) {
    if (token < 0 || token >= vocab_size) fail("token id " + std::to_string(token) + " is out of range");
    tokens.push_back(token);
  }
  if (tokens.empty() || !file.eof()) fail(path + ": no list of token ids");
  return tokens;
}

void write_floats(const std::string& path, const std::vector<float>& values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
  if (!file.flush()) fail("cannot write " + path);
}

// Runs all tokens as one sequence; the logits of every position, [T, vocab].
std::vector<float> run(const Options& o, const hussar::Model& model, Backend& backend, HiddenTap* tap,
                       const std::vector<hussar::TokenId>& tokens) {
  const auto count = static_cast<int64_t>(tokens.size());
  const auto vocab = static_cast<size_t>(model.config().shape.vocab_size);
  std::vector<float> logits(tokens.size() * vocab);
  const int32_t block_tokens = backend.info().kv_block_tokens;
  // Blocks out of order, as a pool in use hands them out.
  std::vector<int32_t> blocks(static_cast<size_t>((count + block_tokens - 1) / block_tokens));
  std::iota(blocks.rbegin(), blocks.rend(), 0);

  const hussar::KvOptions kv{o.kv_type == "f16" ? hussar::KvType::kF16 : hussar::KvType::kBF16,
                             static_cast<int32_t>(blocks.size())};
  hussar::StepLimits limits;
  limits.rows_max = limits.logit_rows_max = static_cast<int32_t>(o.chunk);
  limits.parts_max = 1;
  limits.context_max = static_cast<int32_t>(count);
  ok_or_fail(backend.reserve(model.config().shape, kv, limits));

  const int64_t prompt = o.generated_from < 0 ? count : std::min(o.generated_from, count);
  backend.begin_sequence(0, std::span(tokens).first(static_cast<size_t>(prompt)));
  for (int64_t first = 0; first < count;) {
    const bool generated = first >= prompt;
    const auto rows = static_cast<int32_t>(generated ? 1 : std::min(o.chunk, prompt - first));
    const auto role = generated ? hussar::RowRole::kGenerated : hussar::RowRole::kPrompt;
    const hussar::BatchPart part{0, static_cast<int32_t>(first), rows, rows, role, blocks};
    const auto first_row = static_cast<size_t>(first);
    if (tap != nullptr) tap->begin_step(first_row, static_cast<size_t>(rows));
    backend.forward({std::span(tokens).subspan(first_row, static_cast<size_t>(rows)), {&part, 1}},
                    [&](Backend& inner, const hussar::StepShape& step) {
                      model.forward(tap == nullptr ? inner : *tap, step);
                    });
    backend.sample({});
    value_or_fail(backend.finish_step());
    for (int32_t row = 0; row < rows; ++row) {
      float* begin = logits.data() + (first_row + static_cast<size_t>(row)) * vocab;
      ok_or_fail(backend.read_logits(row, {begin, vocab}));
    }
    first += rows;
  }
  backend.end_sequence(0);
  return logits;
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = parse_options(argc, argv);
  const hussar::ModelFile file = value_or_fail(hussar::ModelFile::open(o.model));
  const auto backend = value_or_fail(hussar::make_cpu_backend({static_cast<int32_t>(o.threads), o.isa}));
  const auto model = value_or_fail(hussar::Model::load(file, *backend, weights_of(o), nullptr));
  const hussar::ModelShape& shape = model->config().shape;
  const std::vector<hussar::TokenId> tokens = read_tokens(o.tokens, shape.vocab_size);

  std::unique_ptr<HiddenTap> tap;
  if (!o.hidden.empty()) tap = std::make_unique<HiddenTap>(*backend, shape, tokens.size());
  write_floats(o.logits, run(o, *model, *backend, tap.get(), tokens));
  if (tap != nullptr) write_floats(o.hidden, tap->states());
  std::printf("isa=%s threads=%d tokens=%zu vocab=%d hidden=%d layers=%d\n", backend->info().isa.c_str(),
              backend->info().threads, tokens.size(), shape.vocab_size, shape.hidden, shape.layers);
  return 0;
}
