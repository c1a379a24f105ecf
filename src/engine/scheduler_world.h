// Test support: a scheduler on a device whose steps cost exactly base + prompt rows + generated rows, with a
// clock of its own.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "engine/scheduler.h"

namespace hussar {

class SchedulerWorld {
 public:
  using Duration = std::chrono::nanoseconds;
  struct Costs {
    Duration base{5'000'000}, prompt_row{100'000}, generated_row{200'000};
    int noise_percent = 0;  // steps take up to so much more or less
  };
  struct Known {
    Request request;
    TimePoint sent, first_token, ended;
    int32_t generated = 0;
    int32_t stops_after = 0;  // tokens, before tokens_max; 0: never
    std::optional<FinishReason> finish;
  };

  SchedulerWorld(const SchedulerLimits& limits, const Costs& costs, int32_t blocks, int32_t block_tokens)
      : costs_(costs), pool_(blocks, block_tokens), scheduler_(limits, pool_, token_bytes_) {}

  TimePoint now() const { return now_; }
  Scheduler& scheduler() { return scheduler_; }
  BlockPool& pool() { return pool_; }
  std::map<RequestId, Known>& requests() { return requests_; }
  Duration cost(int32_t prompt_rows, int32_t generated_rows) const {
    return costs_.base + costs_.prompt_row * prompt_rows + costs_.generated_row * generated_rows;
  }
  void wait_until(TimePoint time) { now_ = std::max(now_, time); }

  // `stops_after` tokens its answer ends by itself; 0: at its limit.
  Result<RequestId> submit(Request request, int32_t stops_after = 0) {
    const RequestId id = ++last_id_;
    if (Result<void> accepted = scheduler_.submit(id, request, now_); !accepted.ok()) return accepted.error();
    request.stop_ids = {kStop};
    Known& known = requests_[id];
    known.request = std::move(request);
    known.sent = now_;
    known.stops_after = stops_after;
    return id;
  }
  void cancel(RequestId id) {
    scheduler_.cancel(id, now_, &events_);
    take_events();
  }

  // One turn of the engine; `while_running` runs in the middle of the step. False when nothing could run.
  bool turn(const std::function<void()>& while_running = {}) {
    scheduler_.expire(now_, &events_);
    take_events();
    scheduler_.plan(now_, &plan_);
    scheduler_.check_integrity();
    if (plan_.parts.empty()) {
      EXPECT_EQ(scheduler_.counts().waiting, 0) << "nothing runs although something waits";
      return false;
    }
    int32_t generated_rows = 0;
    std::vector<SampledToken> sampled;
    for (const StepPart& part : plan_.parts) {
      generated_rows += part.role == RowRole::kGenerated ? part.rows : 0;
      if (part.logit_rows == 0) continue;
      const Known& known = requests_.at(scheduler_.sequence(part.slot).id);
      SampledToken& token = sampled.emplace_back();
      token.token = known.stops_after > 0 && known.generated + 1 >= known.stops_after ? kStop : kText;
    }
    const int noise = costs_.noise_percent;
    const int percent =
        noise == 0 ? 100 : 100 - noise + static_cast<int>(random_() % (2 * static_cast<unsigned>(noise) + 1));
    const Duration whole = cost(plan_.rows - generated_rows, generated_rows) * percent / 100;
    now_ += whole / 2;
    if (while_running) while_running();
    now_ += whole - whole / 2;
    scheduler_.commit(plan_, sampled, now_, &events_);
    take_events();
    scheduler_.check_integrity();
    return true;
  }
  const StepPlan& last_plan() const { return plan_; }

 private:
  static constexpr TokenId kText = 0, kStop = 1;

  void take_events() {
    for (const TokenEvent& event : events_) {
      Known& known = requests_.at(event.request);
      ASSERT_FALSE(known.finish.has_value()) << "an event after the last one";
      known.generated += event.token >= 0 ? 1 : 0;
      if (event.token >= 0 && known.generated == 1) known.first_token = event.time;
      if (!event.finish) continue;
      known.finish = event.finish;
      known.ended = event.time;
    }
    events_.clear();
  }

  const Costs costs_;
  const ByteTable token_bytes_ = {"a", ""};
  BlockPool pool_;
  Scheduler scheduler_;
  std::mt19937_64 random_{1};
  StepPlan plan_;
  std::vector<TokenEvent> events_;
  std::map<RequestId, Known> requests_;
  RequestId last_id_ = 0;
  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
};

}  // namespace hussar
