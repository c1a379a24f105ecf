// How long running answers wait while prompts are read.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/scheduler_world.h"

namespace hussar {
namespace {

using std::chrono::milliseconds;

Request make_request(int32_t prompt, int32_t tokens_max, TokenId mark) {
  Request request;
  request.prompt.assign(static_cast<size_t>(prompt), 3);
  request.prompt[0] = mark;
  request.tokens_max = tokens_max;
  return request;
}

struct Outcome {
  SchedulerWorld::Duration longest_step{};       // of those that generate beside a prompt
  int32_t most_rows = 0, fewest_rows = 1 << 20;  // of prompts in them, but for a prompt's last ones
  int32_t generated = 0;                         // by the running answer until the prompt was read
};

// An answer runs while a long prompt is read; a step costs 5 ms, 0.1 ms a prompt row and 0.2 ms a generated
// one.
Outcome read_beside_an_answer(double step_seconds_max) {
  SchedulerLimits limits;
  limits.context_max = 4096;
  limits.running_max = 8;
  limits.step_tokens_max = 512;
  limits.step_seconds_max = step_seconds_max;
  SchedulerWorld world(limits, {}, 1000, 16);
  const auto run_until = [&](auto done) {
    while (!done() && world.turn()) {
    }
  };
  // So that costs are known.
  for (int32_t i = 0; i < 10; i++) {
    EXPECT_TRUE(world.submit(make_request(100 + 40 * i, 10, 1000 + i)).ok());
    run_until([] { return false; });
  }
  const RequestId answer = world.submit(make_request(20, 500, 1)).value();
  run_until([&] { return world.requests().at(answer).generated > 3; });
  const RequestId prompt = world.submit(make_request(2000, 2, 2)).value();
  Outcome outcome;
  const int32_t before = world.requests().at(answer).generated;
  run_until([&] {
    if (world.requests().at(prompt).generated > 0) return true;
    const TimePoint begin = world.now();
    EXPECT_TRUE(world.turn());
    outcome.longest_step = std::max<SchedulerWorld::Duration>(outcome.longest_step, world.now() - begin);
    const int32_t rows = world.last_plan().rows - 1;
    outcome.most_rows = std::max(outcome.most_rows, rows);
    if (world.requests().at(prompt).generated == 0) outcome.fewest_rows = std::min(outcome.fewest_rows, rows);
    return false;
  });
  outcome.generated = world.requests().at(answer).generated - before;
  return outcome;
}

TEST(SchedulerItl, WithoutABoundAPromptTakesTheStep) {
  const Outcome outcome = read_beside_an_answer(0);
  EXPECT_EQ(outcome.most_rows, 511);
  EXPECT_GT(outcome.longest_step, milliseconds(50));
}

TEST(SchedulerItl, StepsThatAnswersWaitForEndWithinTheBound) {
  const Outcome outcome = read_beside_an_answer(0.020);
  EXPECT_LE(outcome.longest_step, milliseconds(20));
  EXPECT_EQ(outcome.most_rows, 128) << "as many groups of rows as fit";
  EXPECT_GE(outcome.generated, 2000 / 128);
}

TEST(SchedulerItl, PromptsGoOnWhereNoRowFits) {
  const Outcome outcome = read_beside_an_answer(0.001);
  EXPECT_EQ(outcome.most_rows, StepCost::kPromptRowsMin);
  EXPECT_EQ(outcome.fewest_rows, StepCost::kPromptRowsMin);
}

}  // namespace
}  // namespace hussar
