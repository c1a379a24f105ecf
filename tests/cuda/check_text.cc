// Greedy text of a whole model, device against the CPU with every weight as a 32-bit number.
#include <algorithm>
#include <optional>
#include <span>

#include "checks.h"
#include "cli/model_text.h"
#include "cli/random_model.h"
#include "kernels/cpu/dequantize.h"
#include "model/model.h"
#include "text/tokenizer.h"

namespace hussar::checks {
namespace {

constexpr int32_t kTokens = 32;
constexpr int32_t kContext = 256;
// The reference's choice and the device's may differ where the reference finds them this close: their
// probabilities are within a twentieth of each other.
constexpr float kNearTie = 0.05f;

constexpr const char* kPrompts[] = {
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n",
    "Water boils at a temperature of",
    "The three laws of motion say that",
    "Dear Sir or Madam,\n\nI am writing to",
    "List five animals that live in Africa:\n1.",
    "Photosynthesis is the process by which",
    "SELECT name, age FROM users WHERE",
    "In 1969, the first people landed on",
    "A recipe for pancakes needs flour, eggs,",
    "The opposite of hot is",
    "Q: What is 12 times 12?\nA:",
    "import numpy as np\n\n# Create an array\n",
    "The stock market fell today because",
    "Light travels faster than sound, which is why",
    "<|im_start|>user\nHello! Who are you?<|im_end|>\n<|im_start|>assistant\n",
    "Roses are red, violets are blue,",
    "The most important thing about writing is",
    "To be, or not to be, that is",
};

// A CPU backend that is given every matrix as 32-bit numbers, whatever the file keeps.
class Expanding final : public Backend {
 public:
  explicit Expanding(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}
  Backend& inner() { return *inner_; }
  const DeviceInfo& info() const override { return inner_->info(); }
  Result<Weight> prepare_weight(const TensorView& tensor, WeightUse use) override {
    std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.cols));
    cpu::dequantize(tensor.dtype, tensor.bytes.data(), tensor.rows * tensor.cols, values.data());
    TensorView view = tensor;
    view.dtype = DType::kF32;
    view.bytes = std::as_bytes(std::span(values));
    return inner_->prepare_weight(view, use);
  }
  int64_t reserve_bytes(const ModelShape& shape, const KvOptions& kv,
                        const StepLimits& limits) const override {
    return inner_->reserve_bytes(shape, kv, limits);
  }
  Result<void> reserve(const ModelShape& shape, const KvOptions& kv, const StepLimits& limits) override {
    return inner_->reserve(shape, kv, limits);
  }
  DevicePeaks measure_peaks(int64_t bytes) override { return inner_->measure_peaks(bytes); }
  void begin_sequence(int32_t slot, std::span<const TokenId> prompt) override {
    inner_->begin_sequence(slot, prompt);
  }
  void end_sequence(int32_t slot) override { inner_->end_sequence(slot); }
  void forward(const Batch& batch, const Forward& forward) override { inner_->forward(batch, forward); }
  void sample(std::span<const SampleRow> rows) override { inner_->sample(rows); }
  Result<StepOutput> finish_step() override { return inner_->finish_step(); }
  void embed(const Weight&, Activation) override {}
  void norm_qkv_rope_store(Activation, const AttentionWeights&, int32_t, Activation) override {}
  void paged_attention(Activation, int32_t, Activation) override {}
  void linear_residual(Activation, const Weight&, Activation) override {}
  void norm_gated_mlp(const MlpWeights&, Activation) override {}
  void logits(Activation, const Weight&, const Weight&) override {}
  Result<void> read_activation(Activation a, std::span<float> out) override {
    return inner_->read_activation(a, out);
  }
  Result<void> read_logits(int32_t row, std::span<float> out) override {
    return inner_->read_logits(row, out);
  }

 private:
  const std::unique_ptr<Backend> inner_;
};

std::vector<std::vector<TokenId>> prompts_of(const Scope& scope, const ModelFile& file, int32_t vocab) {
  std::vector<std::vector<TokenId>> prompts;
  if (!scope.model.empty()) {
    const Tokenizer tokenizer = value_or_fail(Tokenizer::create(value_or_fail(read_model_vocabulary(file))));
    for (const char* text : kPrompts) prompts.push_back(tokenizer.encode(text, {}, Tokenizer::Bos::kAdd));
    return prompts;
  }
  std::mt19937 generator(11);
  for (int32_t i = 0; i < 20; i++) {
    std::vector<TokenId>& prompt = prompts.emplace_back(static_cast<size_t>(5 + i));
    for (TokenId& token : prompt) token = static_cast<TokenId>(generator() % static_cast<uint32_t>(vocab));
  }
  return prompts;
}

class Texts {
 public:
  Texts(Backend& backend, const Model& model) : backend_(backend), model_(model) {
    for (int32_t i = 0; i < kContext / 32; i++) blocks_.push_back(kContext / 32 - 1 - i);
    const StepLimits limits{
        .rows_max = kContext, .parts_max = 1, .logit_rows_max = kContext, .context_max = kContext};
    ok_or_fail(backend.reserve(model.config().shape, {backend.info().kv_type, kContext / 32}, limits));
  }
  Backend::Forward operations() const {
    return [this](Backend& inner, const StepShape& step) { model_.forward(inner, step); };
  }

  enum class Steps { kOneByOne, kAhead };  // kAhead: launched before the token of the one before is known
  std::vector<TokenId> generate(const std::vector<TokenId>& prompt, const SampleParams& params, Steps steps) {
    SampleRow row;
    row.position = static_cast<int32_t>(prompt.size());
    row.seed = 7;
    row.params = params;
    const auto go_on = [&](TokenId token) {
      run({token}, row.position++, 1, RowRole::kGenerated);
      backend_.sample({&row, 1});
    };
    std::vector<TokenId> tokens;
    backend_.begin_sequence(0, prompt);
    run(prompt, 0, 1, RowRole::kPrompt);
    backend_.sample({&row, 1});
    for (int32_t left = kTokens - 1;; left--) {
      if (steps == Steps::kAhead && left > 0) go_on(token_sampled_by(0));
      tokens.push_back(value_or_fail(backend_.finish_step()).rows[0].token);
      if (left == 0) break;
      if (steps == Steps::kOneByOne) go_on(tokens.back());
    }
    backend_.end_sequence(0);
    return tokens;
  }

  // Logits of the last `rows` positions.
  std::vector<std::vector<float>> last_logits(const std::vector<TokenId>& tokens, int32_t rows) {
    run(tokens, 0, rows, RowRole::kPrompt);
    value_or_fail(backend_.finish_step());
    std::vector<std::vector<float>> logits;
    for (int32_t i = 0; i < rows; i++) {
      ok_or_fail(backend_.read_logits(
          i, logits.emplace_back(static_cast<size_t>(model_.config().shape.vocab_size))));
    }
    return logits;
  }

 private:
  void run(const std::vector<TokenId>& tokens, int32_t position, int32_t logit_rows, RowRole role) {
    const BatchPart part{0, position, static_cast<int32_t>(tokens.size()), logit_rows, role, blocks_};
    backend_.forward({tokens, {&part, 1}}, operations());
  }

  Backend& backend_;
  const Model& model_;
  std::vector<int32_t> blocks_;
};

}  // namespace

void check_text(const Scope& scope, Report& report) {
  std::optional<RandomModel> random;
  std::optional<ModelFile> opened;
  if (scope.model.empty()) {
    random = value_or_fail(make_random_model("smollm2-135m"));
  } else {
    opened = value_or_fail(ModelFile::open(scope.model));
  }
  const ModelFile& file = random ? random->file : *opened;
  report.begin("greedy text of " + (random ? std::string("random weights") : scope.model));
  const std::unique_ptr<Backend> device = value_or_fail(make_cuda_backend({.ordinal = scope.ordinal}));
  Expanding reference(value_or_fail(make_cpu_backend({})));
  const auto model = value_or_fail(Model::load(file, *device, WeightChoice::kAsStored, nullptr));
  const auto expanded = value_or_fail(Model::load(file, reference, WeightChoice::kAsStored, nullptr));
  Texts on_device(*device, *model), on_cpu(reference.inner(), *expanded);
  ok_or_fail(device->prepare_steps(on_device.operations()));
  int32_t equal = 0, near_ties = 0;
  const auto prompts = prompts_of(scope, file, model->config().shape.vocab_size);
  const SampleParams greedy{.temperature = 0.0f};
  const SampleParams drawn{
      .temperature = 0.8f, .top_p = 0.95f, .repetition_penalty = 1.1f, .presence_penalty = 0.5f};
  using Steps = Texts::Steps;
  for (const std::vector<TokenId>& prompt : prompts) {
    const std::vector<TokenId> answer = on_device.generate(prompt, greedy, Steps::kOneByOne);
    report.expect("a step ahead, the likeliest tokens are the same",
                  on_device.generate(prompt, greedy, Steps::kAhead) == answer);
    report.expect("a step ahead, the drawn tokens are the same",
                  on_device.generate(prompt, drawn, Steps::kAhead) ==
                      on_device.generate(prompt, drawn, Steps::kOneByOne));
    std::vector<TokenId> all = prompt;
    all.insert(all.end(), answer.begin(), answer.end() - 1);
    const auto logits = on_cpu.last_logits(all, kTokens);
    for (int32_t i = 0; i < kTokens; i++) {
      const std::vector<float>& row = logits[static_cast<size_t>(i)];
      const float best = *std::ranges::max_element(row);
      const float chosen = row[static_cast<size_t>(answer[static_cast<size_t>(i)])];
      report.expect_at_most("token " + std::to_string(i) + " of a prompt of " +
                                std::to_string(prompt.size()) + ", below the reference's likeliest",
                            static_cast<double>(best - chosen), static_cast<double>(kNearTie));
      ++(chosen == best ? equal : near_ties);
    }
    if (scope.quick) break;
  }
  std::printf("%d tokens equal to the reference's, %d nearly tied or failed above\n", equal, near_ties);
}

}  // namespace hussar::checks
