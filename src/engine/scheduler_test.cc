#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace hussar {
namespace {

// A scheduler with its pool, whose sampled tokens are always `next`.
struct Bench {
  explicit Bench(const SchedulerLimits& limits, int32_t blocks = 64)
      : pool(blocks, 4), scheduler(limits, pool, token_bytes) {}

  RequestId submit(std::vector<TokenId> prompt, int32_t tokens_max) {
    Request request;
    request.prompt = std::move(prompt);
    request.tokens_max = tokens_max;
    return submit(std::move(request));
  }
  RequestId submit(Request request) {
    EXPECT_TRUE(scheduler.submit(++last_id, std::move(request)).ok());
    return last_id;
  }
  const StepPlan& step() {
    scheduler.plan(TimePoint{}, &plan);
    commit();
    return plan;
  }
  void commit() {
    std::vector<SampledToken> sampled(static_cast<size_t>(plan.logit_rows));
    for (SampledToken& token : sampled) token.token = next;
    events.clear();
    if (!plan.parts.empty()) scheduler.commit(plan, sampled, TimePoint{}, &events);
    scheduler.check_integrity();
  }
  int32_t rows_of(RequestId id) {
    for (const StepPart& part : plan.parts) {
      if (scheduler.sequence(part.slot).id == id) return part.rows;
    }
    return 0;
  }

  ByteTable token_bytes = {"a", "b", "xy"};
  BlockPool pool;
  Scheduler scheduler;
  StepPlan plan;
  std::vector<TokenEvent> events;
  RequestId last_id = 0;
  TokenId next = 0;
};

SchedulerLimits limits(int32_t step_tokens_max) {
  SchedulerLimits limits;
  limits.context_max = 256;
  limits.running_max = 4;
  limits.step_tokens_max = step_tokens_max;
  return limits;
}

std::vector<TokenId> prompt(int32_t tokens, TokenId token) {
  return std::vector<TokenId>(static_cast<size_t>(tokens), token);
}

TEST(Scheduler, AShortPromptDoesNotWaitForALongOne) {
  Bench bench(limits(20));
  const RequestId long_one = bench.submit(prompt(100, 1), 2);
  bench.scheduler.plan(TimePoint{}, &bench.plan);
  EXPECT_EQ(bench.rows_of(long_one), 20);
  bench.commit();
  const RequestId middle = bench.submit(prompt(50, 2), 2);
  const RequestId short_one = bench.submit(prompt(7, 3), 2);
  bench.scheduler.plan(TimePoint{}, &bench.plan);
  EXPECT_EQ(bench.rows_of(long_one), 10);
  EXPECT_EQ(bench.rows_of(middle), 3);
  EXPECT_EQ(bench.rows_of(short_one), 7);
  bench.commit();
  ASSERT_EQ(bench.events.size(), 1u);
  EXPECT_EQ(bench.events[0].request, short_one);
}

TEST(Scheduler, PromptsThatBeginAlikeComputeTheirPrefixOnce) {
  Bench bench(limits(40));
  std::vector<RequestId> ids;
  for (TokenId own = 2; own < 6; ++own) {
    std::vector<TokenId> tokens = prompt(32, 1);
    tokens.push_back(own);
    ids.push_back(bench.submit(std::move(tokens), 1));
  }
  bench.scheduler.plan(TimePoint{}, &bench.plan);
  EXPECT_EQ(bench.rows_of(ids[0]), 33);
  EXPECT_EQ(bench.plan.parts.size(), 1u);
  bench.commit();
  bench.step();
  ASSERT_EQ(bench.events.size(), 3u);
  for (const TokenEvent& event : bench.events) EXPECT_EQ(event.cached_prompt_tokens, 32);
  EXPECT_EQ(bench.scheduler.counts().rows, 33 + 3);
}

TEST(Scheduler, OneThatSitsOutMissesTheStepAndNothingElse) {
  Bench bench(limits(20));
  const RequestId late = bench.submit(prompt(3, 1), 4), other = bench.submit(prompt(3, 2), 4);
  bench.step();
  const int32_t slot = bench.plan.parts[0].slot;
  ASSERT_EQ(bench.scheduler.sequence(slot).id, late);
  bench.scheduler.set_turn(slot, Scheduler::Turn::kSitsOut);
  bench.step();
  EXPECT_EQ(bench.plan.parts.size(), 1u);
  ASSERT_EQ(bench.events.size(), 1u);
  EXPECT_EQ(bench.events[0].request, other);
  bench.scheduler.set_turn(slot, Scheduler::Turn::kTakesPart);
  bench.step();
  EXPECT_EQ(bench.plan.parts.size(), 2u);
  EXPECT_EQ(bench.scheduler.sequence(slot).generated_tokens, 2);
}

TEST(Scheduler, AFailedOneEndsAloneAndItsSlotIsFree) {
  Bench bench(limits(20));
  const RequestId bad = bench.submit(prompt(3, 1), 4), other = bench.submit(prompt(3, 2), 4);
  bench.step();
  const int32_t slot = bench.plan.parts[0].slot;
  std::vector<TokenEvent> events;
  bench.scheduler.fail(slot, "no way on", TimePoint{}, &events);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].request, bad);
  EXPECT_EQ(events[0].finish, FinishReason::kError);
  EXPECT_EQ(events[0].error, "no way on");
  EXPECT_FALSE(bench.scheduler.is_running(slot));
  bench.step();
  EXPECT_EQ(bench.plan.ended, std::vector<int32_t>{slot});
  ASSERT_EQ(bench.events.size(), 1u);
  EXPECT_EQ(bench.events[0].request, other);
}

TEST(Scheduler, EqualPromptsAreComputedOnceBehindAnotherPromptAndInSmallChunks) {
  for (const int32_t budget : {5, 11, 40, 200}) {
    Bench bench(limits(budget), 256);
    bench.submit(prompt(60, 9), 1);  // the oldest prompt is none of the equal ones
    for (int i = 0; i < 3; ++i) bench.submit(prompt(34, 1), 2);
    for (int step = 0; step < 200 && bench.scheduler.counts().finished[1] < 4; ++step) bench.step();
    const SchedulerCounts counts = bench.scheduler.counts();
    EXPECT_EQ(counts.finished[static_cast<size_t>(FinishReason::kLength)], 4);
    // Blocks hold 4 tokens. The last one of each prompt is its own: 2 tokens. One token each is generated
    // behind the first.
    EXPECT_EQ(counts.rows, 60 + 34 + 2 * 2 + 3) << "with " << budget << " rows a step";
    EXPECT_EQ(counts.prefix_hit_tokens, 2 * 32);
  }
}

TEST(Scheduler, WithoutAPrefixCacheNothingIsShared) {
  SchedulerLimits without = limits(40);
  without.prefix_cache = false;
  Bench bench(without);
  for (int i = 0; i < 2; ++i) {
    bench.submit(prompt(33, 1), 1);
    bench.step();
    ASSERT_EQ(bench.events.size(), 1u);
    EXPECT_EQ(bench.events[0].cached_prompt_tokens, 0);
  }
  EXPECT_EQ(bench.pool.cached(), 0);
  EXPECT_EQ(bench.scheduler.counts().prefix_queried_tokens, 0);
}

TEST(Scheduler, RefusesWhatCanNeverFitAndWhatDoesNotFitTheQueue) {
  SchedulerLimits small = limits(20);
  small.queue_max = 1;
  Bench bench(small, 4);
  Request request;
  request.prompt = prompt(10, 1);
  request.tokens_max = 7;
  EXPECT_EQ(bench.scheduler.submit(1, request).error().code,
            ErrorCode::kTooLarge);  // 17 positions, 16 in the pool
  request.tokens_max = 247;
  EXPECT_EQ(bench.scheduler.submit(1, request).error().code, ErrorCode::kTooLarge);
  request.tokens_max = 6;
  EXPECT_TRUE(bench.scheduler.submit(1, request).ok());
  EXPECT_EQ(bench.scheduler.submit(2, request).error().code, ErrorCode::kFull);
}

TEST(Scheduler, ARequestThatDoesNotFitYetHoldsBackThoseBehindIt) {
  Bench bench(limits(20), 8);
  bench.submit(prompt(4, 1), 12);                          // 4 of 8 blocks for 12 steps
  const RequestId large = bench.submit(prompt(20, 2), 8);  // needs 7
  const RequestId small = bench.submit(prompt(2, 3), 2);
  for (int step = 0; step < 12; ++step) {
    bench.step();
    EXPECT_EQ(bench.scheduler.counts().waiting, 2);
  }
  bench.scheduler.plan(TimePoint{}, &bench.plan);
  EXPECT_GT(bench.rows_of(large), 0);
  EXPECT_GT(bench.rows_of(small), 0);
  bench.commit();
}

TEST(Scheduler, ACancelledPlanKeepsItsBlocksUntilItIsCommitted) {
  Bench bench(limits(20));
  const RequestId id = bench.submit(prompt(6, 1), 5);
  bench.scheduler.plan(TimePoint{}, &bench.plan);
  bench.scheduler.cancel(id, TimePoint{}, &bench.events);
  ASSERT_EQ(bench.events.size(), 1u);
  EXPECT_EQ(bench.events[0].finish, FinishReason::kCancelled);
  EXPECT_EQ(bench.pool.used(), 2);
  EXPECT_EQ(bench.scheduler.counts().running, 0);
  bench.commit();
  EXPECT_TRUE(bench.events.empty());
  EXPECT_EQ(bench.pool.used(), 0);
  EXPECT_EQ(bench.scheduler.counts().surplus_tokens, 1);
  EXPECT_EQ(bench.scheduler.counts().generated_tokens, 0);
}

TEST(Scheduler, AStopStringThatBeginsBeforeTokensMinDoesNotEndTheAnswer) {
  Bench bench(limits(20));
  Request request;
  request.prompt = {1};
  request.tokens_max = 20;
  request.tokens_min = 3;
  request.stops = *StopAutomaton::compile({"yx"}, {});
  bench.submit(request);
  bench.next = 2;  // "xy": the answer is xyxyxy...
  for (int step = 0; step < 4; ++step) {
    bench.step();
    EXPECT_FALSE(bench.events[0].finish.has_value());
  }
  bench.step();  // y of the fourth token and x of the fifth
  EXPECT_EQ(bench.events[0].finish, FinishReason::kStop);
  EXPECT_EQ(bench.events[0].stop_token, -1);
  EXPECT_EQ(bench.events[0].generated_tokens, 5);
}

TEST(Scheduler, AStopIdOnTheLastTokenIsAStop) {
  Bench bench(limits(20));
  Request request;
  request.prompt = {1};
  request.tokens_max = 1;
  request.stop_ids = {0};
  bench.submit(request);
  bench.step();
  EXPECT_EQ(bench.events[0].finish, FinishReason::kStop);
  EXPECT_EQ(bench.events[0].stop_token, 0);
}

TEST(Scheduler, SlotsAreReportedWhenTheyEndAndStart) {
  Bench bench(limits(20));
  bench.submit({1}, 1);
  const int32_t slot = bench.step().started.at(0);
  EXPECT_TRUE(bench.plan.ended.empty());
  bench.submit({1}, 1);
  bench.step();
  EXPECT_EQ(bench.plan.ended, std::vector{slot});
  EXPECT_EQ(bench.plan.started, std::vector{slot});
  bench.step();
  EXPECT_EQ(bench.plan.ended, std::vector{slot});
  EXPECT_TRUE(bench.plan.started.empty());
}

}  // namespace
}  // namespace hussar
