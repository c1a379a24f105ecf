// What is forecast is what happens, where answers use up their limits and steps cost what was learned.
#include "engine/forecast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/scheduler_world.h"

namespace hussar {
namespace {

TEST(Forecast, AgreesWithTheSchedulerOnRandomLoads) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto between = [&](int low, int high) {
      return low + static_cast<int>(random() % static_cast<uint64_t>(high - low + 1));
    };
    SchedulerLimits limits;
    limits.context_max = 512;
    limits.running_max = between(1, 8);
    limits.step_tokens_max = limits.running_max + between(0, 100);
    limits.prefix_cache = false;
    constexpr int32_t kBlockTokens = 16;
    const int32_t blocks = between(25, 120);
    SchedulerWorld world(limits, {}, blocks, kBlockTokens);
    StepCost cost;
    const auto seconds = [&](int32_t prompt_rows, int32_t generated_rows) {
      return std::chrono::duration<double>(world.cost(prompt_rows, generated_rows)).count();
    };
    for (int i = 0; i < 1500; ++i) {
      const int32_t rows = 1 + i % 50;
      cost.observe(0, rows, seconds(0, rows));
      cost.observe(rows, 0, seconds(rows, 0));
      cost.observe(rows, 3, seconds(rows, 3));
    }
    std::vector<ForecastJob> jobs;
    for (int i = between(1, 40); i > 0; --i) {
      const int32_t prompt = between(1, 200), tokens_max = between(1, 150);
      Request request;
      request.prompt.assign(static_cast<size_t>(prompt), 2);
      request.tokens_max = tokens_max;
      const auto accepted = world.submit(request);
      ASSERT_TRUE(accepted.ok()) << accepted.error().message;
      jobs.push_back({prompt, tokens_max, Scheduler::blocks_needed(prompt, tokens_max, kBlockTokens)});
    }
    std::vector<double> ends;
    Forecast forecast;
    forecast.run({limits.running_max, limits.step_tokens_max, 0, blocks}, cost, {}, jobs, &ends);
    const TimePoint began = world.now();
    while (world.turn()) {
    }
    ASSERT_EQ(ends.size(), jobs.size());
    for (const auto& [id, known] : world.requests()) {
      const double took = std::chrono::duration<double>(known.ended - began).count();
      EXPECT_NEAR(ends[id - 1], took, 1e-6 * took) << "request " << id;
    }
  }
}

TEST(Forecast, WhatNeverFitsNeverEnds) {
  StepCost cost;
  cost.observe(10, 0, 0.01);
  cost.observe(0, 1, 0.01);
  const std::vector<ForecastJob> jobs = {{10, 10, 2}, {10, 10, 9}, {10, 10, 1}};
  std::vector<double> ends;
  Forecast().run({4, 64, 0, 8}, cost, {}, jobs, &ends);
  EXPECT_TRUE(std::isfinite(ends[0]));
  EXPECT_TRUE(std::isinf(ends[1]));
  EXPECT_TRUE(std::isinf(ends[2])) << "nothing overtakes";
}

TEST(Forecast, AJobThatHasNothingLeftEndsAtOnce) {
  StepCost cost;
  cost.observe(10, 0, 0.01);
  cost.observe(0, 1, 0.01);
  const std::vector<ForecastJob> running = {{0, 0, 3}}, waiting = {{0, 1, 3}};
  std::vector<double> ends;
  Forecast().run({1, 64, 0, 0}, cost, running, waiting, &ends);
  EXPECT_EQ(ends[0], 0);
  EXPECT_NEAR(ends[1], 0.01, 1e-9);
}

}  // namespace
}  // namespace hussar
