// A seeded simulation of a million scheduler steps: random arrivals, lengths, shared prefixes, salts, stops
// and cancellations over tiny pools, with a shadow of the KV pool beside it, and every promise of scheduler.h
// checked in every step by code that shares nothing with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/fake_kv.h"
#include "engine/scheduler.h"

namespace hussar {
namespace {

// Sanitizers look at memory and threads, not at the scheduler's logic, and take some ten times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kSimulatedSteps = 50000;
#else
constexpr int64_t kSimulatedSteps = 1000000;
#endif
constexpr int32_t kVocab = 8;
const ByteTable token_bytes = {"a", "b", "ab", "", "c", "ba", "\xc3", "\xa9"};

// What the simulation knows about a request, from what it asked and what it was told.
struct Known {
  Request request;
  std::vector<std::string> stop_strings;
  std::vector<TokenId> tokens;    // prompt and answer
  std::vector<uint64_t> entries;  // what each position must store
  std::string bytes;              // of the answer, after the first tokens_min tokens
  int32_t generated = 0;
  bool admitted = false;
  bool finished = false;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        limits_(make_limits()),
        pool_(between(1, 40), between(1, 6), one_in(2) ? 1 : ~uint64_t{0}),
        roles_(limits_.cache_generated ? FakeRoles::kAgree : FakeRoles::kDiffer),
        kv_(pool_.all(), pool_.block_tokens(), roles_),
        scheduler_(limits_, pool_, token_bytes) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      arrive();
      turn();
      if (::testing::Test::HasFailure()) return;
    }
    for (int step = 0; !live_.empty() && step < 100000; ++step) {
      turn();
      if (::testing::Test::HasFailure()) return;
    }
    check_end();
  }

  int64_t steps() const { return scheduler_.counts().steps; }
  int64_t hit_tokens() const { return scheduler_.counts().prefix_hit_tokens; }
  int64_t surplus_tokens() const { return scheduler_.counts().surplus_tokens; }
  int64_t drafts() const { return scheduler_.counts().drafted_tokens; }
  int64_t drafts_accepted() const { return scheduler_.counts().drafts_accepted; }
  int64_t finished(FinishReason reason) const {
    return scheduler_.counts().finished[static_cast<size_t>(reason)];
  }

 private:
  int32_t between(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(random_() % static_cast<uint64_t>(high - low + 1));
  }
  bool one_in(int32_t n) { return random_() % static_cast<uint64_t>(n) == 0; }

  SchedulerLimits make_limits() {
    SchedulerLimits limits;
    limits.context_max = between(2, 90);
    limits.running_max = between(1, 8);
    limits.queue_max = between(1, 12);
    limits.step_tokens_max = limits.running_max + between(0, 30);
    limits.prefix_cache = !one_in(6);
    limits.cache_generated = one_in(2);
    limits.draft_tokens_max = one_in(2) ? between(1, 6) : 0;
    limits.logit_rows_max = limits.running_max + between(0, 6);
    return limits;
  }

  std::vector<TokenId> make_prompt() {
    std::vector<TokenId> prompt;
    if (!histories_.empty() && !one_in(3)) {
      const std::vector<TokenId>& history = histories_[random_() % histories_.size()];
      prompt.assign(history.begin(), history.begin() + between(0, static_cast<int32_t>(history.size())));
    }
    const int32_t more = one_in(4) ? between(1, 60) : between(1, 8);
    for (int32_t i = 0; i < more; ++i) prompt.push_back(between(0, kVocab - 1));
    return prompt;
  }

  void arrive() {
    while (one_in(3)) {
      Known known;
      Request& request = known.request;
      request.prompt = make_prompt();
      request.tokens_max = between(1, one_in(4) ? 40 : 6);
      request.tokens_min = one_in(3) ? between(0, request.tokens_max) : 0;
      if (one_in(2)) request.stop_ids.push_back(between(0, kVocab - 1));
      if (one_in(3)) {
        const int32_t count = between(1, 3);
        for (int32_t i = 0; i < count; ++i) {
          std::string text;
          while (text.empty() || one_in(2)) text += "abc"[between(0, 2)];
          known.stop_strings.push_back(text);
        }
        request.stops = *StopAutomaton::compile(known.stop_strings, {});
      }
      if (one_in(4)) request.cache_salt.assign(1, one_in(2) ? 'x' : 'y');
      submit(std::move(known));
    }
  }

  void submit(Known known) {
    const RequestId id = next_id_++;
    const int64_t positions = static_cast<int64_t>(known.request.prompt.size()) + known.request.tokens_max;
    const bool fits = positions <= limits_.context_max &&
                      positions <= static_cast<int64_t>(pool_.all()) * pool_.block_tokens();
    const bool full = waiting_.size() >= static_cast<size_t>(limits_.queue_max);
    const Result<void> result = scheduler_.submit(id, known.request);
    ASSERT_EQ(result.ok(), fits && !full);
    if (!result.ok()) {
      ASSERT_EQ(result.error().code, fits ? ErrorCode::kFull : ErrorCode::kTooLarge);
      return;
    }
    ++accepted_;
    known.tokens = known.request.prompt;
    uint64_t before = std::hash<std::string>{}(known.request.cache_salt);
    for (TokenId token : known.tokens) {
      known.entries.push_back(before = fake_entry(before, token, RowRole::kPrompt, roles_));
    }
    live_.emplace(id, std::move(known));
    waiting_.push_back(id);
  }

  void cancel_some() {
    if (one_in(12) && next_id_ > 1) {
      // Any id of the last few: waiting, running, or ended long ago.
      const RequestId id = next_id_ - 1 - random_() % std::min<uint64_t>(next_id_ - 1, 24);
      const bool live = live_.contains(id);
      const size_t before = events_.size();
      scheduler_.cancel(id, TimePoint{}, &events_);
      ASSERT_EQ(events_.size(), before + (live ? 1 : 0));
    }
    take_events(nullptr);
    if (one_in(5000)) {
      const size_t before = events_.size(), count = live_.size();
      scheduler_.end_all(FinishReason::kShutdown, "", TimePoint{}, &events_);
      ASSERT_EQ(events_.size(), before + count);
    }
    take_events(nullptr);
  }

  void turn() {
    cancel_some();
    scheduler_.plan(now_, &plan_);
    check_plan();
    if (::testing::Test::HasFailure()) return;
    forward();
    scheduler_.check_integrity();
    if (!plan_.parts.empty()) {
      const std::vector<SampledToken> sampled = sample();
      if (one_in(2)) {
        arrive();
        cancel_some();  // while the plan is under way
        scheduler_.check_integrity();
      }
      expect_tokens(sampled);
      now_ += std::chrono::milliseconds(10 + plan_.rows);  // drafts pay
      scheduler_.commit(plan_, sampled, now_, &events_);
      check_tokens();
      take_events(&sampled);
      scheduler_.check_integrity();
    }
  }

  void check_plan() {
    for (int32_t slot : plan_.ended) ASSERT_EQ(begun_.erase(slot), 1u);
    for (int32_t slot : plan_.started) {
      ASSERT_TRUE(begun_.insert(slot).second);
      const RequestId id = scheduler_.sequence(slot).id;
      ASSERT_FALSE(waiting_.empty());
      ASSERT_EQ(id, waiting_.front()) << "admitted out of turn";
      waiting_.pop_front();
      live_.at(id).admitted = true;
      running_.push_back(id);
    }
    ASSERT_LE(running_.size(), static_cast<size_t>(limits_.running_max));
    ASSERT_EQ(plan_.parts.empty(), live_.empty()) << "nothing runs although something could";

    int32_t rows = 0, logit_rows = 0, drafted = 0;
    bool prompts_begun = false, all_complete = true;
    std::map<RequestId, const StepPart*> parts;
    for (const StepPart& part : plan_.parts) {
      const Scheduler::SequenceView view = scheduler_.sequence(part.slot);
      const Known& known = live_.at(view.id);
      ASSERT_TRUE(begun_.contains(part.slot));
      ASSERT_TRUE(parts.emplace(view.id, &part).second) << "two parts of one sequence";
      ASSERT_TRUE(std::ranges::equal(view.tokens, known.tokens));
      ASSERT_GE(part.rows, 1);
      const int32_t end = part.first_position + part.rows, size = static_cast<int32_t>(known.tokens.size());
      if (known.generated > 0) {
        ASSERT_FALSE(prompts_begun) << "a generated row after a prompt";
        ASSERT_EQ(part.role, RowRole::kGenerated);
        ASSERT_EQ(part.first_position, size - 1);
        ASSERT_EQ(part.logit_rows, part.rows);
        ASSERT_LE(part.rows - 1, limits_.draft_tokens_max);
        ASSERT_LE(known.generated + part.rows, known.request.tokens_max) << "drafts past the limit";
        drafted += part.rows - 1;
      } else {
        ASSERT_LE(end, size);
        ASSERT_EQ(part.logit_rows, end == size ? 1 : 0);
        prompts_begun = true;
        ASSERT_EQ(part.role, RowRole::kPrompt);
        all_complete &= part.logit_rows == 1;
      }
      rows += part.rows;
      logit_rows += part.logit_rows;
    }
    ASSERT_EQ(rows, plan_.rows);
    ASSERT_EQ(logit_rows, plan_.logit_rows);
    ASSERT_EQ(drafted, static_cast<int32_t>(plan_.drafts.size()));
    ASSERT_TRUE(drafted == 0 || (!prompts_begun && logit_rows <= limits_.logit_rows_max));
    ASSERT_LE(rows, limits_.step_tokens_max);
    check_shares(parts, all_complete);
  }

  // Every decoding sequence runs; the oldest prompt gets its half; the budget is used up while any prompt has
  // tokens left.
  void check_shares(const std::map<RequestId, const StepPart*>& parts, bool all_complete) {
    int32_t decoding = 0;
    for (RequestId id : running_) decoding += live_.at(id).generated > 0;
    bool oldest_seen = false;
    for (RequestId id : running_) {
      const auto part = parts.find(id);
      if (live_.at(id).generated > 0) {
        ASSERT_TRUE(part != parts.end()) << "a decoding sequence sat out";
        continue;
      }
      const int32_t budget = limits_.step_tokens_max - decoding;
      if (part == parts.end() && !may_wait(live_.at(id), parts)) all_complete = false;
      if (!std::exchange(oldest_seen, true) && budget > 0) {
        ASSERT_TRUE(part != parts.end());
        ASSERT_TRUE(part->second->rows >= (budget + 1) / 2 || part->second->logit_rows == 1);
      }
    }
    ASSERT_TRUE(plan_.rows == limits_.step_tokens_max || all_complete) << "budget left unused";
  }

  // What a part computes: tokens of its request, then drafts, which `draft` counts.
  std::vector<TokenId> tokens_of(const StepPart& part, const Known& known, size_t* draft) const {
    const size_t first = static_cast<size_t>(part.first_position), drafted = drafted_tokens(part);
    const auto committed = std::span(known.tokens).subspan(first, static_cast<size_t>(part.rows) - drafted);
    std::vector<TokenId> tokens(committed.begin(), committed.end());
    const auto drafts = std::span(plan_.drafts).subspan(*draft, drafted);
    tokens.insert(tokens.end(), drafts.begin(), drafts.end());
    *draft += drafted;
    return tokens;
  }

  // Whether a prompt may sit out because another one works on a block that both begin with.
  bool may_wait(const Known& known, const std::map<RequestId, const StepPart*>& parts) {
    if (!limits_.prefix_cache) return false;
    return std::ranges::any_of(parts, [&](const auto& entry) {
      const Known& other = live_.at(entry.first);
      const StepPart& part = *entry.second;
      if (part.role == RowRole::kGenerated || known.request.cache_salt != other.request.cache_salt)
        return false;
      const auto differ = std::ranges::mismatch(known.tokens, other.tokens);
      const auto alike = static_cast<int32_t>(differ.in1 - known.tokens.begin());
      const int32_t begin = part.first_position / pool_.block_tokens() * pool_.block_tokens();
      return alike >= begin + pool_.block_tokens();
    });
  }

  // Stores what the step computes and compares everything that its rows would read.
  void forward() {
    std::set<int32_t> written;
    const int32_t size = pool_.block_tokens();
    size_t draft = 0;
    for (const StepPart& part : plan_.parts) {
      const Scheduler::SequenceView view = scheduler_.sequence(part.slot);
      const Known& known = live_.at(view.id);
      const uint64_t start = std::hash<std::string>{}(known.request.cache_salt);
      const int32_t end = part.first_position + part.rows;
      const std::vector<TokenId> tokens = tokens_of(part, known, &draft);
      for (int32_t position = part.first_position; position < end; ++position) {
        const int32_t block = view.blocks[static_cast<size_t>(position / size)];
        ASSERT_EQ(pool_.references(block), 1) << "a shared block is written";
        ASSERT_FALSE(pool_.published(block)) << "a published block is written";
        ASSERT_TRUE(written.insert(block * size + position % size).second) << "a place is written twice";
        const TokenId token = tokens[static_cast<size_t>(position - part.first_position)];
        kv_.store(view.blocks, position, token, part.role, start);
      }
    }
    for (const StepPart& part : plan_.parts) {
      const Scheduler::SequenceView view = scheduler_.sequence(part.slot);
      const Known& known = live_.at(view.id);
      const int32_t known_end = part.first_position + part.rows - static_cast<int32_t>(drafted_tokens(part));
      for (int32_t position = 0; position < known_end; ++position) {
        ASSERT_EQ(kv_.entry(view.blocks, position), known.entries[static_cast<size_t>(position)])
            << "position " << position << " holds something else";
      }
    }
  }

  std::vector<SampledToken> sample() {
    std::vector<SampledToken> sampled;
    size_t draft = 0;
    for (const StepPart& part : plan_.parts) {
      const Known& known = live_.at(scheduler_.sequence(part.slot).id);
      for (int32_t i = 0; i < part.logit_rows; ++i) {
        SampledToken& token = sampled.emplace_back();
        const bool drafted = i + 1 < part.logit_rows;
        const TokenId guess = drafted ? plan_.drafts[draft++] : 0;
        if (one_in(500)) continue;  // nothing was allowed
        const std::vector<TokenId>& stop_ids = known.request.stop_ids;
        do {
          token.token = drafted && !one_in(3) ? guess : between(0, kVocab - 1);
        } while (known.generated + i < known.request.tokens_min &&
                 std::ranges::find(stop_ids, token.token) != stop_ids.end());
        token.logprob = static_cast<float>(token.token);
      }
    }
    return sampled;
  }

  // Of each part the sampled tokens up to the first that is not what was drafted.
  void expect_tokens(const std::vector<SampledToken>& sampled) {
    expected_.clear();
    size_t row = 0, draft = 0;
    for (const StepPart& part : plan_.parts) {
      const size_t rows = static_cast<size_t>(part.logit_rows);
      std::vector<TokenId>& tokens = expected_[scheduler_.sequence(part.slot).id];
      bool goes_on = true;
      for (size_t i = 0; i < rows && goes_on; ++i) {
        tokens.push_back(sampled[row + i].token);
        goes_on = i + 1 < rows && plan_.drafts[draft + i] == tokens.back();
      }
      row += rows;
      draft += drafted_tokens(part);
    }
  }

  // Each request got these tokens, or fewer because it ended.
  void check_tokens() {
    std::map<RequestId, std::vector<TokenId>> got;
    std::set<RequestId> ended;
    for (const TokenEvent& event : events_) {
      if (event.token >= 0) got[event.request].push_back(event.token);
      if (event.finish) ended.insert(event.request);
    }
    for (const auto& [id, tokens] : expected_) {
      if (!live_.contains(id)) continue;  // it was cancelled while the plan was under way
      ASSERT_LE(got[id].size(), tokens.size());
      ASSERT_TRUE(std::equal(got[id].begin(), got[id].end(), tokens.begin()));
      ASSERT_TRUE(ended.contains(id) || got[id].size() == tokens.size()) << "a token was lost";
    }
  }

  // `sampled` is null for events that no commit has made.
  void take_events(const std::vector<SampledToken>* sampled) {
    for (const TokenEvent& event : events_) {
      const auto live = live_.find(event.request);
      ASSERT_TRUE(live != live_.end()) << "an event after the last one, or of nobody";
      Known& known = live->second;
      std::optional<FinishReason> expected;
      if (event.token >= 0) {
        ASSERT_TRUE(sampled != nullptr);
        ASSERT_EQ(event.logprob, static_cast<float>(event.token));
        expected = add_token(known, event.token);
        ASSERT_EQ(event.finish, expected);
        ++generated_;
      } else {
        ASSERT_TRUE(event.finish.has_value());
        ASSERT_EQ(*event.finish == FinishReason::kError, !event.error.empty());
      }
      if (event.finish) finish(live, event);
    }
    events_.clear();
  }

  std::optional<FinishReason> add_token(Known& known, TokenId token) {
    known.tokens.push_back(token);
    known.entries.push_back(fake_entry(known.entries.back(), token, RowRole::kGenerated, roles_));
    ++known.generated;
    if (known.generated > known.request.tokens_min) {
      const std::vector<TokenId>& stop_ids = known.request.stop_ids;
      if (std::ranges::find(stop_ids, token) != stop_ids.end()) return FinishReason::kStop;
      known.bytes += token_bytes[static_cast<size_t>(token)];
      for (const std::string& stop : known.stop_strings) {
        if (known.bytes.find(stop) != std::string::npos) return FinishReason::kStop;
      }
    }
    if (known.generated == known.request.tokens_max) return FinishReason::kLength;
    return std::nullopt;
  }

  void finish(std::map<RequestId, Known>::iterator live, const TokenEvent& event) {
    Known& known = live->second;
    const int32_t prompt_tokens = known.admitted ? static_cast<int32_t>(known.request.prompt.size()) : 0;
    ASSERT_EQ(event.prompt_tokens, prompt_tokens);
    ASSERT_EQ(event.generated_tokens, known.generated);
    ASSERT_LE(event.cached_prompt_tokens, std::max(0, prompt_tokens - 1));
    prompt_tokens_ += prompt_tokens;
    cached_tokens_ += event.cached_prompt_tokens;
    if (histories_.size() == 24) histories_.erase(histories_.begin());
    histories_.push_back(known.tokens);
    std::erase(waiting_, event.request);
    std::erase(running_, event.request);
    live_.erase(live);
    ++finished_;
  }

  void check_end() {
    ASSERT_TRUE(live_.empty()) << "an accepted request never ended";
    scheduler_.plan(now_, &plan_);
    ASSERT_TRUE(plan_.parts.empty());
    for (int32_t slot : plan_.ended) begun_.erase(slot);
    EXPECT_TRUE(begun_.empty());
    EXPECT_EQ(pool_.used(), 0);
    EXPECT_EQ(pool_.pledged(), 0);
    const SchedulerCounts counts = scheduler_.counts();
    int64_t finished = 0;
    for (int64_t count : counts.finished) finished += count;
    EXPECT_EQ(finished, finished_);
    EXPECT_EQ(accepted_, finished_);
    EXPECT_EQ(counts.generated_tokens, generated_);
    EXPECT_EQ(counts.prompt_tokens, prompt_tokens_);
    EXPECT_EQ(counts.prefix_hit_tokens, cached_tokens_);
  }

  std::mt19937_64 random_;
  const SchedulerLimits limits_;
  BlockPool pool_;
  const FakeRoles roles_;
  FakeKv kv_;
  Scheduler scheduler_;
  StepPlan plan_;
  std::vector<TokenEvent> events_;
  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
  std::map<RequestId, std::vector<TokenId>> expected_;  // of the step

  RequestId next_id_ = 1;
  std::map<RequestId, Known> live_;
  std::deque<RequestId> waiting_;
  std::vector<RequestId> running_;  // by age
  std::set<int32_t> begun_;         // slots
  std::vector<std::vector<TokenId>> histories_;
  int64_t accepted_ = 0, finished_ = 0, generated_ = 0, prompt_tokens_ = 0, cached_tokens_ = 0;
};

TEST(SchedulerSimulation, AMillionStepsKeepEveryPromise) {
  int64_t steps = 0, hits = 0, surplus = 0, stopped = 0, errors = 0, drafted = 0, accepted = 0;
  for (uint64_t seed = 1; steps < kSimulatedSteps; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation simulation(seed);
    simulation.run(5000);
    if (HasFailure()) return;
    steps += simulation.steps();
    hits += simulation.hit_tokens();
    surplus += simulation.surplus_tokens();
    drafted += simulation.drafts();
    accepted += simulation.drafts_accepted();
    stopped += simulation.finished(FinishReason::kStop);
    errors += simulation.finished(FinishReason::kError);
  }
  // What the simulation is meant to reach was reached.
  EXPECT_GT(hits, steps / 10);
  EXPECT_GT(surplus, steps / 1000);
  EXPECT_GT(accepted, steps / 100);
  EXPECT_GT(drafted - accepted, steps / 100);
  EXPECT_GT(stopped, steps / 100);
  EXPECT_GT(errors, steps / 10000);
}

}  // namespace
}  // namespace hussar
