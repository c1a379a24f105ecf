// What the engine costs beside the model: microseconds of a decoding step for planning and committing alone,
// and for the whole turn of the engine thread (commands, plan, flattening, commit, counters, events to the
// sinks) over a device that takes no time.
//
//   scheduler_bench
//
// A line: sequences, microseconds a step of the median run, and of the whole turn. The goal is below 50 us at
// 64 sequences.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/types.h"
#include "engine/block_pool.h"
#include "engine/engine_loop.h"
#include "engine/scheduler.h"

namespace hussar {
namespace {

constexpr int32_t kBlockTokens = 32;
constexpr int32_t kVocab = 50000;
constexpr int32_t kSteps = 2000;
constexpr int32_t kPrompt = 100;

class NullBackend final : public Backend {
 public:
  NullBackend() { info_.kv_block_tokens = kBlockTokens; }
  const DeviceInfo& info() const override { return info_; }
  Result<Weight> prepare_weight(const TensorView&, WeightUse) override { return Weight{}; }
  int64_t reserve_bytes(const ModelShape&, const KvOptions&, const StepLimits&) const override { return 0; }
  Result<void> reserve(const ModelShape&, const KvOptions&, const StepLimits&) override { return {}; }
  DevicePeaks measure_peaks(int64_t) override { return {}; }
  void begin_sequence(int32_t, std::span<const TokenId>) override {}
  void end_sequence(int32_t) override {}
  void forward(const Batch&, const Forward&) override {}
  void sample(std::span<const SampleRow> rows) override {
    sampled_.resize(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) sampled_[i].token = rows[i].position % kVocab;
  }
  Result<StepOutput> finish_step() override { return StepOutput{sampled_}; }
  void embed(const Weight&, Activation) override {}
  void norm_qkv_rope_store(Activation, const AttentionWeights&, int32_t, Activation) override {}
  void paged_attention(Activation, int32_t, Activation) override {}
  void linear_residual(Activation, const Weight&, Activation) override {}
  void norm_gated_mlp(const MlpWeights&, Activation) override {}
  void logits(Activation, const Weight&, const Weight&) override {}
  Result<void> read_activation(Activation, std::span<float>) override { return {}; }
  Result<void> read_logits(int32_t, std::span<float>) override { return {}; }

 private:
  DeviceInfo info_;
  std::vector<SampledToken> sampled_;
};

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double microseconds(TimePoint begin, TimePoint end) {
  return std::chrono::duration<double, std::micro>(end - begin).count();
}

int32_t pool_blocks(int32_t sequences) { return sequences * ((kPrompt + kSteps) / kBlockTokens + 2); }

Request make_request(int32_t index) {
  Request request;
  for (int32_t i = 0; i < kPrompt; ++i) request.prompt.push_back(index * kPrompt + i);
  request.tokens_max = kSteps;
  request.stop_ids = {kVocab - 1, kVocab - 2};
  request.stops = *StopAutomaton::compile({"\n\nUser:", "###"}, {});
  return request;
}

// Planning and committing alone.
double scheduler_run(int32_t sequences, const ByteTable& token_bytes) {
  BlockPool pool(pool_blocks(sequences), kBlockTokens);
  SchedulerLimits limits;
  limits.context_max = 4096;
  limits.running_max = sequences;
  limits.cache_generated = true;
  Scheduler scheduler(limits, pool, token_bytes);
  for (int32_t i = 0; i < sequences; ++i) {
    if (!scheduler.submit(static_cast<RequestId>(i + 1), make_request(i)).ok()) return -1;
  }
  StepPlan plan;
  std::vector<TokenEvent> events;
  std::vector<SampledToken> sampled;
  std::vector<double> times;
  for (TokenId token = 0;; ++token) {
    const TimePoint begin = Clock::now();
    scheduler.plan(begin, &plan);
    const TimePoint planned = Clock::now();
    if (plan.parts.empty()) break;
    sampled.assign(static_cast<size_t>(plan.logit_rows), {});
    for (SampledToken& s : sampled) s.token = token % kVocab;
    const TimePoint ran = Clock::now();
    events.clear();
    scheduler.commit(plan, sampled, ran, &events);
    times.push_back(microseconds(begin, planned) + microseconds(ran, Clock::now()));
  }
  return median(times);
}

// The engine's whole turn.
double engine_run(int32_t sequences, const ByteTable& token_bytes) {
  EngineOptions options;
  options.context_max = 4096;
  options.kv_blocks = pool_blocks(sequences);
  options.running_max = sequences;
  EngineParts parts;
  parts.backend = std::make_unique<NullBackend>();
  parts.forward = [](Backend&, const StepShape&) {};
  parts.vocab_size = kVocab;
  parts.token_bytes = token_bytes;
  std::atomic<int32_t> left{sequences};
  std::vector<double> times;  // between the first sequence's tokens; the engine thread's until all have ended
  TimePoint last;
  const std::unique_ptr<Engine> engine = start_engine_loop(options, std::move(parts));
  for (int32_t i = 0; i < sequences; ++i) {
    const auto sink = [&, i](std::span<const TokenEvent> events) {
      if (i == 0) {
        const TimePoint now = Clock::now();
        times.push_back(microseconds(last, now));
        last = now;
      }
      if (events.back().finish) --left;
    };
    if (!engine->submit(make_request(i), sink).ok()) return -1;
  }
  while (left > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return median(times);
}

int run() {
  ByteTable token_bytes;
  for (int32_t i = 0; i < kVocab; ++i) token_bytes.add(" word" + std::to_string(i % 100));
  std::printf("sequences  plan+commit us/step  engine turn us/step\n");
  for (int32_t sequences : {1, 8, 16, 32, 64, 128}) {
    const double scheduler = scheduler_run(sequences, token_bytes);
    const double turn = engine_run(sequences, token_bytes);
    std::printf("%9d  %19.2f  %19.2f\n", sequences, scheduler, turn);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace hussar

int main() { return hussar::run(); }
