// Promises to requests with deadlines, in a world where time passes as the steps cost.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/scheduler_world.h"

namespace hussar {
namespace {

using std::chrono::milliseconds;

SchedulerLimits limits() {
  SchedulerLimits limits;
  limits.context_max = 512;
  limits.running_max = 8;
  limits.queue_max = 64;
  limits.step_tokens_max = 64;
  return limits;
}

Request make_request(int32_t prompt, int32_t tokens_max, TokenId mark) {
  Request request;
  request.prompt.assign(static_cast<size_t>(prompt), mark % 1000 + 2);
  request.prompt[0] = mark;
  request.tokens_max = tokens_max;
  return request;
}

// Lets the scheduler see steps of several sizes and come to rest.
void warm_up(SchedulerWorld* world) {
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 1 + round % 8; ++i) {
      ASSERT_TRUE(world->submit(make_request(10 + 7 * i, 12, 5000 + round * 8 + i)).ok());
    }
    while (world->turn()) {
    }
  }
}

TEST(SchedulerDeadline, AnInfeasibleOneIsRefusedWithWhatWouldBeFeasible) {
  SchedulerWorld world(limits(), {}, 200, 16);
  warm_up(&world);
  // Two steps of the prompt and 19 of the answer.
  const auto alone =
      2 * milliseconds(5) + 100 * std::chrono::microseconds(100) + 19 * std::chrono::microseconds(5200);
  const int64_t alone_ms = std::chrono::ceil<milliseconds>(alone).count();
  Request request = make_request(100, 20, 1);
  request.deadline = world.now() + alone - milliseconds(5);
  const auto refused = world.submit(request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalid) << "not even an idle server can";
  EXPECT_EQ(refused.error().field, "deadline_ms");
  EXPECT_EQ(refused.error().wait_ms, alone_ms);
  EXPECT_EQ(world.scheduler().counts().deadline_refused, 1);

  request.deadline = world.now() + milliseconds(refused.error().wait_ms);
  const auto accepted = world.submit(request);
  ASSERT_TRUE(accepted.ok()) << accepted.error().message;
  while (world.turn()) {
  }
  EXPECT_EQ(world.requests().at(*accepted).finish, FinishReason::kLength);
  EXPECT_LE(world.requests().at(*accepted).ended, request.deadline);
}

TEST(SchedulerDeadline, TheQueueAheadCounts) {
  SchedulerWorld world(limits(), {}, 200, 16);
  warm_up(&world);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(world.submit(make_request(60, 40, 100 + i)).ok());
  Request request = make_request(20, 10, 1);
  request.deadline = world.now() + milliseconds(300);
  const auto refused = world.submit(request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kDeadline) << refused.error().message;
  request.deadline = world.now() + milliseconds(refused.error().wait_ms);
  EXPECT_TRUE(world.submit(request).ok()) << "what the refusal offers is accepted";
}

TEST(SchedulerDeadline, NothingIsRefusedBeforeStepsWereMeasured) {
  SchedulerWorld world(limits(), {}, 200, 16);
  Request request = make_request(100, 20, 1);
  request.deadline = world.now() + milliseconds(1);
  ASSERT_TRUE(world.submit(request).ok());
  world.turn();
  world.turn();
  EXPECT_EQ(world.requests().at(1).finish, FinishReason::kDeadline);
}

TEST(SchedulerDeadline, AnExpiredOneFreesItsBlocksInTheNextPlan) {
  SchedulerWorld world(limits(), {}, 200, 16);
  Request request = make_request(100, 400, 1);
  request.deadline = world.now() + milliseconds(100);
  ASSERT_TRUE(world.submit(request).ok());
  Request waits = make_request(10, 10, 2);
  waits.deadline = world.now() + milliseconds(1);
  world.turn([&] { ASSERT_TRUE(world.submit(waits).ok()); });
  while (world.now() < request.deadline) {
    ASSERT_TRUE(world.turn());
    EXPECT_GT(world.pool().used() + world.pool().pledged(), 0);
  }
  EXPECT_FALSE(world.turn());
  EXPECT_EQ(world.pool().used() + world.pool().pledged(), 0);
  EXPECT_EQ(world.requests().at(1).finish, FinishReason::kDeadline);
  EXPECT_GT(world.requests().at(1).generated, 0);
  EXPECT_EQ(world.requests().at(2).finish, FinishReason::kDeadline) << "one that waits ends as well";
}

TEST(SchedulerDeadline, AMoreUrgentFloodWaitsForAPromise) {
  SchedulerWorld world(limits(), {}, 200, 16);
  warm_up(&world);
  Request promised = make_request(60, 60, 1);
  const auto alone = world.cost(60, 0) + 59 * world.cost(0, 1);
  promised.deadline = world.now() + alone + milliseconds(30);
  promised.priority = 1000;
  const auto id = world.submit(promised);
  ASSERT_TRUE(id.ok()) << id.error().message;
  for (int i = 0; i < 40; ++i) {
    Request flood = make_request(60, 60, 100 + i);
    flood.priority = -1000;
    ASSERT_TRUE(world.submit(flood).ok());
  }
  while (world.turn()) {
  }
  EXPECT_EQ(world.requests().at(*id).finish, FinishReason::kLength);
  EXPECT_EQ(world.requests().size(), world.scheduler().counts().finished[1]) << "nobody is held for ever";
}

// Random loads of every kind; what was accepted with a deadline ends before it.
struct Outcome {
  int promised = 0, refused = 0, late = 0, cancelled = 0;
};

Outcome simulate(uint64_t seed, int noise_percent) {
  std::mt19937_64 random(seed);
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<uint64_t>(high - low + 1));
  };
  SchedulerLimits limit = limits();
  limit.running_max = between(1, 8);
  limit.step_tokens_max = limit.running_max + between(8, 100);
  limit.priority_ageing_ms = between(1, 2000);
  SchedulerWorld::Costs costs;
  costs.noise_percent = noise_percent;
  costs.base = std::chrono::microseconds(between(100, 10'000));
  costs.prompt_row = std::chrono::microseconds(between(10, 300));
  // A generated row reads its whole context for itself and never costs less than a prompt's: rows that fall
  // away make no step longer by making room for others.
  costs.generated_row = costs.prompt_row + std::chrono::microseconds(between(0, 1000));
  SchedulerWorld world(limit, costs, between(60, 200), 16);
  warm_up(&world);
  Outcome outcome;
  TokenId mark = 10'000;
  const auto arrive = [&] {
    Request request = make_request(between(1, 200), between(1, 80), ++mark);
    request.priority = between(-20, 20);
    request.tenant = between(1, 3);
    request.tenant_share = 1.0 / 3;
    if (between(0, 2) == 0) request.deadline = world.now() + milliseconds(between(20, 6000));
    const auto accepted = world.submit(request, between(0, 2) == 0 ? between(1, 40) : 0);
    if (accepted.ok()) {
      outcome.promised += request.has_deadline() ? 1 : 0;
    } else {
      outcome.refused += request.has_deadline() ? 1 : 0;
    }
  };
  for (int step = 0; step < 1500; ++step) {
    if (between(0, 4) == 0) {
      for (int i = between(1, 4); i > 0; --i) arrive();
    }
    const bool ran = world.turn([&] {
      if (between(0, 5) == 0) arrive();
      if (between(0, 15) == 0) world.cancel(1 + random() % world.requests().rbegin()->first);
    });
    if (!ran) world.wait_until(world.now() + milliseconds(between(1, 200)));
  }
  while (world.turn()) {
  }
  for (const auto& [id, known] : world.requests()) {
    EXPECT_TRUE(known.finish.has_value()) << "request " << id << " never ended";
    outcome.late += known.finish == FinishReason::kDeadline ? 1 : 0;
    outcome.cancelled += known.finish == FinishReason::kCancelled ? 1 : 0;
    if (known.request.has_deadline() && known.finish == FinishReason::kLength) {
      EXPECT_LE(known.ended, known.request.deadline) << "request " << id;
    }
  }
  EXPECT_EQ(world.pool().used() + world.pool().pledged(), 0);
  return outcome;
}

TEST(SchedulerDeadline, WhatWasPromisedIsKeptUnderRandomLoads) {
  Outcome all;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Outcome one = simulate(seed, 0);
    EXPECT_EQ(one.late, 0) << "of " << one.promised << " promises";
    all.promised += one.promised;
    all.refused += one.refused;
    all.late += one.late;
    all.cancelled += one.cancelled;
  }
  // Both answers were common, and something disturbed the plans.
  EXPECT_GT(all.promised, 2000);
  EXPECT_GT(all.refused, 2000);
  EXPECT_GT(all.cancelled, 500);
  std::printf("%d promised, %d refused, %d late, %d cancelled\n", all.promised, all.refused, all.late,
              all.cancelled);
}

TEST(SchedulerDeadline, WhereStepsTakeMoreAndLessThanExpectedNobodyIsStuck) {
  Outcome all;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Outcome one = simulate(seed, 30);
    all.promised += one.promised;
    all.late += one.late;
  }
  EXPECT_GT(all.promised, 400);
  std::printf("%d promised, %d late with 30 %% of noise\n", all.promised, all.late);
}

// What passes between the last answer's end and the next request is no step's time, however the answer ended.
TEST(SchedulerDeadline, RestIsNotTakenForWork) {
  const ByteTable token_bytes = {"a", ""};
  BlockPool pool(64, 4);
  Scheduler scheduler({}, pool, token_bytes);
  StepPlan plan;
  std::vector<TokenEvent> events;
  TimePoint now = TimePoint{} + std::chrono::hours(1);
  const auto step = [&] {
    scheduler.plan(now, &plan);
    if (plan.parts.empty()) return;
    now += std::chrono::milliseconds(10 * plan.rows);
    std::vector<SampledToken> sampled(static_cast<size_t>(plan.logit_rows));
    for (SampledToken& token : sampled) token.token = 0;
    scheduler.commit(plan, sampled, now, &events);
  };
  for (RequestId id = 1; id <= 8; ++id) {
    Request request;
    request.prompt = {static_cast<TokenId>(id), 2, 3, 4, 5};
    request.tokens_max = 20;
    ASSERT_TRUE(scheduler.submit(id, request, now).ok());
    for (int i = 0; i < 3; ++i) step();
    scheduler.cancel(id, now, &events);  // not by a token of its own
    step();
    now += std::chrono::seconds(60);
  }
  EXPECT_NEAR(scheduler.load(0, 1).prompt_tokens_per_second, 100, 1);
}

// Guesses lengthen the steps that a promise was reckoned with.
TEST(SchedulerDeadline, NothingIsGuessedBesideAPromise) {
  const ByteTable token_bytes = {"a", ""};
  BlockPool pool(64, 4);
  SchedulerLimits limits;
  limits.draft_tokens_max = 4;
  limits.draft_mode = DraftMode::kAlways;
  Scheduler scheduler(limits, pool, token_bytes);
  StepPlan plan;
  std::vector<TokenEvent> events;
  TimePoint now = TimePoint{} + std::chrono::hours(1);
  const auto submit = [&](RequestId id, TimePoint deadline) {
    Request request;
    request.prompt = {0, 0, 0, 0};
    request.tokens_max = 60;
    request.deadline = deadline;
    return scheduler.submit(id, std::move(request), now).ok();
  };
  // All that is guessed in some steps, of answers that repeat one token.
  const auto guessed = [&] {
    const int64_t before = scheduler.counts().drafted_tokens;
    for (int i = 0; i < 3; ++i) {
      scheduler.plan(now, &plan);
      now += std::chrono::milliseconds(10);
      std::vector<SampledToken> sampled(static_cast<size_t>(plan.logit_rows));
      for (SampledToken& token : sampled) token.token = 0;
      scheduler.commit(plan, sampled, now, &events);
    }
    return scheduler.counts().drafted_tokens - before;
  };
  ASSERT_TRUE(submit(1, TimePoint::max()));
  EXPECT_GT(guessed(), 0);
  ASSERT_TRUE(submit(2, now + std::chrono::hours(1)));
  EXPECT_EQ(guessed(), 0);
  scheduler.cancel(2, now, &events);
  EXPECT_GT(guessed(), 0);
}

}  // namespace
}  // namespace hussar
