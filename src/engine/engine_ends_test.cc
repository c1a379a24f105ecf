// Whatever happens to accepted requests, each ends exactly once: threads that submit with and without
// deadlines and grammars, alone and as choices of one prompt, cancel at random, and an engine that is shut
// down or whose device fails in the middle.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "engine/engine_loop.h"
#include "engine/fake_backend.h"
#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

// Counts the last events of each request, and the events after them.
class Ends {
 public:
  EventSink sink(int index) {
    return [this, index](std::span<const TokenEvent> events) {
      std::lock_guard lock(mutex_);
      for (const TokenEvent& event : events) {
        if (last_[index] > 0) ++after_last_;
        if (!event.finish) continue;
        ++last_[index];
        ++reasons_[static_cast<size_t>(*event.finish)];
      }
    };
  }
  void check(const std::vector<int>& accepted) {
    std::lock_guard lock(mutex_);
    EXPECT_EQ(after_last_, 0) << "events after the last one";
    EXPECT_EQ(last_.size(), accepted.size());
    for (const int index : accepted) EXPECT_EQ(last_[index], 1) << "request " << index;
  }
  int count(FinishReason reason) {
    std::lock_guard lock(mutex_);
    return reasons_[static_cast<size_t>(reason)];
  }

 private:
  std::mutex mutex_;
  std::map<int, int> last_;
  int reasons_[6] = {};
  int after_last_ = 0;
};

std::shared_ptr<const CompiledGrammar> grammar_of(GrammarKind kind, const std::string& text) {
  auto grammar = CompiledGrammar::compile({kind, text, {}}, testing_vocabulary());
  CHECK_NOTE(grammar.ok(), text.c_str());
  return *grammar;
}

// The last but one reads what it has written in ever more ways, until that is too many; the answers of the
// last one are checked, and drawn anew where they fail.
const std::vector<std::shared_ptr<const CompiledGrammar>>& some_grammars() {
  static const std::vector<std::shared_ptr<const CompiledGrammar>> grammars{
      nullptr,
      nullptr,
      grammar_of(GrammarKind::kRegex, "[a-z]{3,9}(, [0-9]{2})*"),
      grammar_of(GrammarKind::kJsonObject, ""),
      grammar_of(GrammarKind::kEbnf, "root ::= root root root | [a-z]"),
      grammar_of(GrammarKind::kJsonSchema,
                 R"({"type":"array","items":{"type":"integer","minimum":1,"maximum":4},"minItems":3,)"
                 R"("maxItems":5,"uniqueItems":true})")};
  return grammars;
}

enum class End { kShutdown, kFault };

void run(uint64_t seed, End end, std::map<FinishReason, int>* reasons) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  FakeBackend::Options device;
  device.vocab_size = 300;  // more logits than tokens
  device.fault_step = end == End::kFault ? 120 : -1;
  EngineOptions options;
  options.context_max = 128;
  options.kv_blocks = device.blocks;
  options.running_max = 6;
  options.queue_max = 20;
  options.step_tokens_max = 24;
  options.mask_wait_us_max = 20;  // many masks are late
  options.mask_states_max = 5000;
  EngineParts parts;
  parts.backend = std::make_unique<FakeBackend>(device);
  parts.forward = [](Backend&, const StepShape&) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  };
  parts.vocab_size = device.vocab_size;
  const std::unique_ptr<Engine> engine = start_engine_loop(options, std::move(parts));
  Ends ends;
  std::mutex mutex;
  std::vector<int> accepted;
  std::atomic<int> next{0};
  std::atomic<bool> stop{false};
  const auto work = [&](uint64_t thread_seed) {
    std::mt19937_64 random(thread_seed);
    const auto between = [&](int low, int high) {
      return low + static_cast<int>(random() % static_cast<uint64_t>(high - low + 1));
    };
    std::vector<RequestId> mine;
    while (!stop) {
      Request request;
      request.prompt.assign(static_cast<size_t>(between(1, 60)), static_cast<TokenId>(between(0, 63)));
      request.tokens_max = between(1, 60);
      request.priority = between(-3, 3);
      request.tenant = between(0, 2);
      request.tenant_share = 0.5;
      if (between(0, 2) == 0) request.deadline = Clock::now() + std::chrono::microseconds(between(0, 9000));
      request.grammar = some_grammars()[random() % some_grammars().size()];
      if (request.grammar) {
        request.stop_ids = {kTestEnd};
        request.tokens_max = between(request.grammar->tokens_min(), 60);
        request.attempts_max = 3;
        request.retry_tokens_max = 100;
      }
      std::vector<RequestId> choices;  // of one prompt: all or none
      for (int left = between(0, 2); left >= 0; --left) {
        request.seed = random();
        const int index = next++;
        const auto id = engine->submit(request, ends.sink(index));
        if (!id.ok()) {
          for (const RequestId choice : choices) engine->cancel(choice);
          std::this_thread::sleep_for(std::chrono::microseconds(200));
          break;
        }
        choices.push_back(*id);
        std::lock_guard lock(mutex);
        accepted.push_back(index);
      }
      mine.insert(mine.end(), choices.begin(), choices.end());
      if (!mine.empty() && between(0, 3) == 0) {
        engine->cancel(mine[random() % mine.size()]);  // waiting, running, or ended long ago
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 3; ++i) threads.emplace_back(work, seed * 10 + i);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  engine->shutdown();  // while the others go on
  stop = true;
  for (std::thread& thread : threads) thread.join();
  ends.check(accepted);
  const EngineCounters counters = engine->counters();
  // A device that has failed keeps the step that it never finished.
  EXPECT_EQ(end == End::kShutdown ? counters.blocks_used : 0, 0);
  EXPECT_EQ(counters.running + counters.waiting, 0);
  EXPECT_EQ(counters.requests_accepted, static_cast<int64_t>(accepted.size()));
  EXPECT_EQ(counters.requests_accepted + counters.requests_refused, next);
  for (int reason = 0; reason < 6; ++reason) {
    const auto value = static_cast<FinishReason>(reason);
    EXPECT_EQ(counters.finished[reason], ends.count(value));
    (*reasons)[value] += ends.count(value);
  }
}

TEST(EngineEnds, EveryAcceptedRequestEndsExactlyOnce) {
  std::map<FinishReason, int> reasons;
  for (uint64_t seed = 1; seed <= 8; ++seed) run(seed, End::kShutdown, &reasons);
  for (uint64_t seed = 11; seed <= 14; ++seed) run(seed, End::kFault, &reasons);
  for (const FinishReason reason : {FinishReason::kStop, FinishReason::kLength, FinishReason::kCancelled,
                                    FinishReason::kDeadline, FinishReason::kShutdown, FinishReason::kError}) {
    EXPECT_GT(reasons[reason], 0) << "none ended with reason " << static_cast<int>(reason);
  }
}

}  // namespace
}  // namespace hussar
