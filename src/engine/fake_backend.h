// Test support: a backend whose next token is a hash of the whole context as read through the block table, so
// that a wrong table, a stale cache or a mixed-up row changes the answer; and the same answer computed
// without any of that.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <vector>

#include "base/check.h"
#include "engine/fake_kv.h"
#include "engine/request.h"
#include "kernels/backend.h"

namespace hussar {

// Lets a test hold the engine thread in the middle of a step.
class StepGate {
 public:
  void close() { set(false); }
  void open() { set(true); }
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  // Waits until `count` steps have come to the gate.
  void wait_for_arrivals(int64_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

 private:
  void set(bool open) {
    std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int64_t arrived_ = 0;
};

// The first allowed token from a pseudo-random place on.
inline TokenId fake_pick(uint64_t attended, uint64_t seed, int32_t position, std::span<const TokenBias> bias,
                         const uint32_t* allow_mask, int32_t vocab_size) {
  const uint64_t hash = fake_mix(fake_mix(attended, seed), static_cast<uint64_t>(position));
  std::set<TokenId> forbidden;
  for (const TokenBias& entry : bias) {
    if (std::isinf(entry.bias)) forbidden.insert(entry.token);
  }
  for (int32_t i = 0; i < vocab_size; ++i) {
    const TokenId token =
        static_cast<TokenId>((hash + static_cast<uint64_t>(i)) % static_cast<uint64_t>(vocab_size));
    const bool allowed = allow_mask == nullptr || (allow_mask[token / 32] >> (token % 32) & 1) != 0;
    if (allowed && !forbidden.contains(token)) return token;
  }
  return -1;
}

inline float fake_logprob(uint64_t attended) { return -static_cast<float>(attended % 1000) / 64.0f; }

class FakeBackend final : public Backend {
 public:
  struct Options {
    int32_t vocab_size = 64;
    int32_t blocks = 64;
    int32_t block_tokens = 4;
    FakeRoles roles = FakeRoles::kAgree;
    int64_t fault_step = -1;   // the step that fails, from 1
    StepGate* gate = nullptr;  // outlives the backend
    int32_t steps_in_flight_max = 1;
    std::atomic<int64_t>* launched_ahead =
        nullptr;  // counts steps behind one under way; outlives the backend
  };

  explicit FakeBackend(const Options& options)
      : options_(options), kv_(options.blocks, options.block_tokens, options.roles) {
    info_.device = "fake";
    info_.kv_block_tokens = options.block_tokens;
    info_.takes_back = options.steps_in_flight_max == 1;
    info_.steps_in_flight_max = options.steps_in_flight_max;
    info_.roles_agree = options.roles == FakeRoles::kAgree;
  }

  const DeviceInfo& info() const override { return info_; }
  Result<Weight> prepare_weight(const TensorView&, WeightUse) override { return Weight{}; }
  int64_t reserve_bytes(const ModelShape&, const KvOptions&, const StepLimits&) const override { return 0; }
  Result<void> reserve(const ModelShape&, const KvOptions&, const StepLimits&) override { return {}; }
  DevicePeaks measure_peaks(int64_t) override { return {}; }

  void begin_sequence(int32_t slot, std::span<const TokenId> prompt) override {
    CHECK(!prompt.empty());
    CHECK(slots_.insert(slot).second);
  }
  void end_sequence(int32_t slot) override { CHECK(slots_.erase(slot) == 1); }

  void forward(const Batch& batch, const Forward& forward) override {
    CHECK(static_cast<int32_t>(under_way_.size()) < options_.steps_in_flight_max);
    std::vector<TokenId> tokens;
    for (const TokenId token : batch.tokens) {
      CHECK(token >= 0 || !under_way_.empty());
      tokens.push_back(token >= 0 ? token
                                  : std::max(0, under_way_.back().rows[static_cast<size_t>(~token)].token));
    }
    if (options_.launched_ahead != nullptr && !under_way_.empty()) ++*options_.launched_ahead;
    under_way_.emplace_back();
    attended_.clear();
    StepShape shape{.rows = static_cast<int32_t>(batch.tokens.size()),
                    .parts = static_cast<int32_t>(batch.parts.size())};
    size_t row = 0;
    for (const BatchPart& part : batch.parts) {
      CHECK(slots_.contains(part.slot));
      for (int32_t i = 0; i < part.rows; ++i) {
        kv_.store(part.blocks, part.first_position + i, tokens[row++], part.role);
      }
    }
    CHECK(row == batch.tokens.size());
    for (const BatchPart& part : batch.parts) {
      shape.logit_rows += part.logit_rows;
      for (int32_t i = part.rows - part.logit_rows; i < part.rows; ++i)
        attended_.push_back(kv_.attend(part.blocks, part.first_position + i));
    }
    forward(*this, shape);
  }

  void sample(std::span<const SampleRow> rows) override {
    // Behind its finish_step() a step is sampled anew.
    if (under_way_.empty()) under_way_.emplace_back();
    std::vector<SampledToken>& sampled = under_way_.back().rows;
    std::vector<TokenLogprob>& top = under_way_.back().top;
    sampled.clear();
    top.assign(rows.size() * 4, {});
    for (const SampleRow& row : rows) {
      const uint64_t attended = attended_[static_cast<size_t>(row.logit_row)];
      SampledToken& token = sampled.emplace_back();
      token.token =
          fake_pick(attended, row.seed, row.position, row.bias, row.allow_mask, options_.vocab_size);
      if (row.logprobs_top < 0) continue;
      token.logprob = fake_logprob(attended);
      const size_t first = (sampled.size() - 1) * 4,
                   count = static_cast<size_t>(std::min(row.logprobs_top, 4));
      for (size_t i = 0; i < count; ++i)
        top[first + i] = {token.token, token.logprob - static_cast<float>(i)};
      token.top = std::span(top).subspan(first, count);
    }
  }

  void take_back(std::span<const int32_t> rows) override {
    for (const int32_t row : rows) CHECK(static_cast<size_t>(row) < finished_.rows.size());
    taken_back_ += static_cast<int64_t>(rows.size());
  }
  int64_t taken_back() const { return taken_back_; }

  Result<StepOutput> finish_step() override {
    ++steps_;
    if (options_.gate != nullptr) options_.gate->pass();
    if (steps_ == options_.fault_step) return Error{ErrorCode::kDeviceFault, "the fake device broke", ""};
    CHECK(!under_way_.empty());
    finished_ = std::move(under_way_.front());
    under_way_.pop_front();
    return StepOutput{finished_.rows};
  }

  void embed(const Weight&, Activation) override {}
  void norm_qkv_rope_store(Activation, const AttentionWeights&, int32_t, Activation) override {}
  void paged_attention(Activation, int32_t, Activation) override {}
  void linear_residual(Activation, const Weight&, Activation) override {}
  void norm_gated_mlp(const MlpWeights&, Activation) override {}
  void logits(Activation, const Weight&, const Weight&) override {}
  Result<void> read_activation(Activation, std::span<float>) override { return {}; }
  Result<void> read_logits(int32_t, std::span<float>) override { return {}; }

 private:
  const Options options_;
  DeviceInfo info_;
  FakeKv kv_;
  std::set<int32_t> slots_;
  std::vector<uint64_t> attended_;
  struct Sampled {
    std::vector<SampledToken> rows;
    std::vector<TokenLogprob> top;
  };
  std::deque<Sampled> under_way_;
  Sampled finished_;
  int64_t steps_ = 0, taken_back_ = 0;
};

struct FakeAnswer {
  std::vector<TokenId> tokens;
  std::vector<float> logprobs;
  FinishReason finish = FinishReason::kLength;
};

// What FakeBackend must answer to the request, from the request alone (stop strings and grammars are left
// out).
inline FakeAnswer fake_answer(const Request& request, const FakeBackend::Options& options) {
  FakeAnswer answer;
  uint64_t entry = 0, attended = 0;
  const auto read = [&](TokenId token, RowRole role) {
    entry = fake_entry(entry, token, role, options.roles);
    attended = fake_mix(attended, entry);
  };
  for (TokenId token : request.prompt) read(token, RowRole::kPrompt);
  int32_t position = static_cast<int32_t>(request.prompt.size());
  while (static_cast<int32_t>(answer.tokens.size()) < request.tokens_max) {
    std::vector<TokenBias> bias = request.bias;
    if (static_cast<int32_t>(answer.tokens.size()) < request.tokens_min) {
      for (TokenId id : request.stop_ids) bias.push_back({id, -INFINITY});
    }
    const TokenId token = fake_pick(attended, request.seed, position++, bias, nullptr, options.vocab_size);
    answer.tokens.push_back(token);
    answer.logprobs.push_back(fake_logprob(attended));
    if (std::ranges::find(request.stop_ids, token) != request.stop_ids.end()) {
      answer.finish = FinishReason::kStop;
      break;
    }
    read(token, RowRole::kGenerated);
  }
  return answer;
}

}  // namespace hussar
