// The engine over the real CPU backend with a small random model: the promise that an answer depends on its
// request alone, bit for bit, whatever runs beside it, however its prompt is cut, wherever its prefix comes
// from and however many threads compute it.
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/engine_loop.h"

namespace hussar {
namespace {

constexpr uint32_t kSeed = 20240611;

ModelShape tiny_shape() {
  ModelShape shape;
  shape.layers = 2;
  shape.hidden = 64;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.head_dim = 32;
  shape.mlp_width = 96;
  shape.vocab_size = 200;
  shape.rope.dims = 32;
  return shape;
}

// Weights of a llama of tiny_shape(), the same on every backend.
class TinyWeights {
 public:
  explicit TinyWeights(Backend& backend) : backend_(backend), random_(kSeed) {
    const ModelShape shape = tiny_shape();
    const int64_t hidden = shape.hidden, q = shape.heads * shape.head_dim,
                  kv = shape.kv_heads * shape.head_dim;
    embedding_ = matrix(shape.vocab_size, hidden, WeightUse::kLinearAndEmbedding);
    for (int32_t i = 0; i < shape.layers; ++i) {
      Layer& layer = layers_.emplace_back();
      layer.attention.norm = vector(hidden);
      layer.attention.wq = matrix(q, hidden, WeightUse::kLinear);
      layer.attention.wk = matrix(kv, hidden, WeightUse::kLinear);
      layer.attention.wv = matrix(kv, hidden, WeightUse::kLinear);
      layer.output = matrix(hidden, q, WeightUse::kLinear);
      layer.mlp.norm = vector(hidden);
      layer.mlp.gate = matrix(shape.mlp_width, hidden, WeightUse::kLinear);
      layer.mlp.up = matrix(shape.mlp_width, hidden, WeightUse::kLinear);
      layer.mlp.down = matrix(hidden, shape.mlp_width, WeightUse::kLinear);
    }
    norm_ = vector(hidden);
  }

  void forward(Backend& backend, const StepShape& step) const {
    backend.embed(embedding_, Activation::kHidden);
    for (size_t i = 0; i < layers_.size(); ++i) {
      const int32_t layer = static_cast<int32_t>(i);
      backend.norm_qkv_rope_store(Activation::kHidden, layers_[i].attention, layer, Activation::kQuery);
      backend.paged_attention(Activation::kQuery, layer, Activation::kAttended);
      backend.linear_residual(Activation::kAttended, layers_[i].output, Activation::kHidden);
      backend.norm_gated_mlp(layers_[i].mlp, Activation::kHidden);
    }
    if (step.logit_rows > 0) backend.logits(Activation::kHidden, norm_, embedding_);
  }

 private:
  struct Layer {
    AttentionWeights attention;
    Weight output;
    MlpWeights mlp;
  };

  // Q8_0: blocks of a half-precision scale and 32 signed bytes.
  Weight matrix(int64_t rows, int64_t cols, WeightUse use) {
    const DTypeInfo& type = dtype_info(DType::kQ8_0);
    std::vector<std::byte> bytes(static_cast<size_t>(rows * cols / type.block_elements * type.block_bytes));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_());
    constexpr uint16_t kScale = 0x1800;  // 2^-9: weights of about 0.14
    for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(type.block_bytes)) {
      std::memcpy(bytes.data() + at, &kScale, sizeof(kScale));
    }
    return backend_.prepare_weight({"matrix", DType::kQ8_0, rows, cols, bytes}, use).value();
  }
  Weight vector(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = 0.5f + static_cast<float>(random_() % 1000) * 1e-3f;
    return backend_
        .prepare_weight({"vector", DType::kF32, 1, count, std::as_bytes(std::span(values))},
                        WeightUse::kVector)
        .value();
  }

  Backend& backend_;
  std::mt19937 random_;
  Weight embedding_, norm_;
  std::vector<Layer> layers_;
};

struct Setting {
  std::string isa;
  int32_t threads = 1;
  int32_t step_tokens_max = 512;
  int32_t running_max = 16;
  bool prefix_cache = false;
  int32_t draft_tokens_max = 0;
  DraftMode draft_mode = DraftMode::kAlways;
};

// Null where the machine lacks the ISA.
std::unique_ptr<Engine> start(const Setting& setting) {
  Result<std::unique_ptr<Backend>> backend =
      make_cpu_backend({.threads = setting.threads, .isa = setting.isa});
  if (!backend.ok()) return nullptr;
  EngineOptions options;
  options.context_max = 512;
  options.kv_blocks = 100;
  options.running_max = setting.running_max;
  options.step_tokens_max = setting.step_tokens_max;
  options.prefix_cache = setting.prefix_cache;
  options.draft_tokens_max = setting.draft_tokens_max;
  options.draft_mode = setting.draft_mode;
  const auto weights = std::make_shared<const TinyWeights>(**backend);
  const KvOptions kv{options.kv_type, options.kv_blocks};
  EXPECT_TRUE((*backend)->reserve(tiny_shape(), kv, step_limits(options)).ok());
  EngineParts parts;
  parts.backend = std::move(*backend);
  parts.forward = [weights](Backend& device, const StepShape& step) { weights->forward(device, step); };
  parts.vocab_size = tiny_shape().vocab_size;
  return start_engine_loop(options, std::move(parts));
}

struct Answer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;  // of the sampled token and of the three likeliest
  int32_t cached_prompt_tokens = 0;
  bool operator==(const Answer& other) const { return tokens == other.tokens && logprobs == other.logprobs; }
};

// All answers to `requests`, which are submitted at once.
std::vector<Answer> ask(Engine& engine, const std::vector<Request>& requests) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Answer> answers(requests.size());
  size_t left = requests.size();
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto sink = [&, i](std::span<const TokenEvent> events) {
      std::lock_guard lock(mutex);
      for (const TokenEvent& event : events) {
        answers[i].tokens.push_back(event.token);
        answers[i].logprobs.push_back(event.logprob);
        for (const TokenLogprob& top : event.top) answers[i].logprobs.push_back(top.logprob);
        if (!event.finish) continue;
        EXPECT_EQ(event.finish, FinishReason::kLength);
        answers[i].cached_prompt_tokens = event.cached_prompt_tokens;
        --left;
      }
      changed.notify_all();
    };
    EXPECT_TRUE(engine.submit(requests[i], sink).ok());
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return left == 0; });
  return answers;
}

std::vector<Request> make_requests() {
  std::mt19937 random(kSeed + 1);
  std::vector<TokenId> shared(100);
  for (TokenId& token : shared) token = static_cast<TokenId>(random() % 200);
  std::vector<Request> requests(16);
  for (Request& request : requests) {
    if (random() % 2 == 0)
      request.prompt.assign(shared.begin(), shared.begin() + static_cast<ptrdiff_t>(random() % 100));
    const size_t own = 1 + random() % 40;
    for (size_t i = 0; i < own; ++i) request.prompt.push_back(static_cast<TokenId>(random() % 200));
    request.tokens_max = 5 + static_cast<int32_t>(random() % 12);
    request.seed = random();
    request.logprobs_top = 3;
    if (random() % 3 == 0) request.sample.temperature = 0.0f;
    if (random() % 3 == 0) request.sample.top_p = 0.9f;
    if (random() % 3 == 0) request.sample.repetition_penalty = 1.2f;
  }
  return requests;
}

class EngineOnCpu : public ::testing::TestWithParam<const char*> {};

TEST_P(EngineOnCpu, TheSameBitsAloneAndAmongFifteenOthers) {
  const std::vector<Request> requests = make_requests();
  const auto alone = start({.isa = GetParam()});
  if (alone == nullptr) GTEST_SKIP() << "this machine lacks " << GetParam();
  std::vector<Answer> expected;
  std::set<TokenId> seen;
  for (const Request& request : requests) {
    expected.push_back(ask(*alone, {request})[0]);
    seen.insert(expected.back().tokens.begin(), expected.back().tokens.end());
  }
  EXPECT_GT(seen.size(), 30u);  // a model that says something else each time

  const Setting settings[] = {
      {.isa = GetParam()},
      {.isa = GetParam(), .step_tokens_max = 37},  // prompts are cut into odd pieces
      {.isa = GetParam(), .threads = 2, .step_tokens_max = 64, .running_max = 5, .prefix_cache = true},
      {.isa = GetParam(), .threads = 3, .step_tokens_max = 17, .prefix_cache = true},
  };
  for (const Setting& setting : settings) {
    SCOPED_TRACE("threads " + std::to_string(setting.threads) + ", step " +
                 std::to_string(setting.step_tokens_max));
    const auto together = start(setting);
    for (int round = 0; round < (setting.prefix_cache ? 2 : 1); ++round) {
      const std::vector<Answer> answers = ask(*together, requests);
      for (size_t i = 0; i < requests.size(); ++i) EXPECT_TRUE(answers[i] == expected[i]) << "request " << i;
    }
    EXPECT_EQ(together->counters().prefix_hit_tokens > 0, setting.prefix_cache);
    EXPECT_EQ(together->counters().blocks_used, 0);
  }
}

// The second turn reads blocks that the first turn's generated rows wrote, where it alone would compute them
// as a prompt's; unless that would give other sums.
TEST_P(EngineOnCpu, AnAnswerServesAsACachedPromptBitForBit) {
  const auto cached = start({.isa = GetParam(), .prefix_cache = true});
  if (cached == nullptr) GTEST_SKIP() << "this machine lacks " << GetParam();
  Request request;
  request.prompt = {1, 2, 3, 4, 5};
  request.tokens_max = 100;
  request.logprobs_top = 3;
  const std::vector<TokenId> first = ask(*cached, {request})[0].tokens;
  request.prompt.insert(request.prompt.end(), first.begin(), first.end());
  const Answer second = ask(*cached, {request})[0];
  // 104 positions were computed: three blocks of 32.
  EXPECT_EQ(second.cached_prompt_tokens, cached->device().roles_agree ? 96 : 0);
  const auto fresh = start({.isa = GetParam()});
  EXPECT_TRUE(second == ask(*fresh, {request})[0]);
}

// Answers that go round in circles, so that much is guessed right, and some of it wrong.
TEST_P(EngineOnCpu, DraftsChangeNoBit) {
  std::vector<Request> requests = make_requests();
  for (size_t i = 0; i < requests.size(); ++i) {
    Request& request = requests[i];
    request.tokens_max = 120;
    request.sample.temperature = i % 2 == 0 ? 0.0f : 0.2f;
    request.sample.repetition_penalty = i % 5 == 0 ? 1.05f : 1.0f;
    request.sample.frequency_penalty = i % 7 == 0 ? 0.1f : 0.0f;
  }
  const auto without = start({.isa = GetParam()});
  if (without == nullptr) GTEST_SKIP() << "this machine lacks " << GetParam();
  std::vector<Answer> expected;
  for (const Request& request : requests) expected.push_back(ask(*without, {request})[0]);
  const Setting settings[] = {
      {.isa = GetParam(), .draft_tokens_max = 7},
      {.isa = GetParam(), .draft_tokens_max = 7, .draft_mode = DraftMode::kWhenFaster},
      {.isa = GetParam(), .threads = 2, .running_max = 3, .prefix_cache = true, .draft_tokens_max = 4},
  };
  for (const Setting& setting : settings) {
    const auto with = start(setting);
    const std::vector<Answer> answers = ask(*with, requests);
    for (size_t i = 0; i < requests.size(); ++i) EXPECT_TRUE(answers[i] == expected[i]) << "request " << i;
    for (size_t i = 0; i < requests.size(); ++i)
      EXPECT_TRUE(ask(*with, {requests[i]})[0] == expected[i]) << "request " << i;
    const EngineCounters counters = with->counters();
    if (setting.draft_mode == DraftMode::kAlways) {
      EXPECT_GT(counters.drafts_accepted, 0);
      EXPECT_LT(counters.drafts_accepted, counters.drafted_tokens);
    }
    EXPECT_EQ(counters.blocks_used, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, EngineOnCpu,
                         ::testing::Values("reference", "reference-tiles", "avx2", "avx512", "amx"));

}  // namespace
}  // namespace hussar
