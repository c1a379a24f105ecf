#include "engine/step_cost.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

double truth(int32_t prompt_rows, int32_t generated_rows) {
  return 0.005 + 0.0001 * prompt_rows + 0.0003 * generated_rows;
}

TEST(StepCost, KnowsNothingBeforeBothKindsWereSeen) {
  StepCost cost;
  EXPECT_FALSE(cost.known());
  cost.observe(0, 4, 0.01);
  cost.observe(0, 4, 0);  // a clock that stood still
  EXPECT_FALSE(cost.known());
  EXPECT_EQ(cost.seconds(100, 4), 0);
  cost.observe(100, 0, 0.02);
  EXPECT_TRUE(cost.known());
}

TEST(StepCost, LearnsStraightLinesExactly) {
  StepCost cost;
  for (int round = 0; round < 800; ++round) {
    cost.observe(0, 1 + round % 7, truth(0, 1 + round % 7));
    cost.observe(20 + 30 * (round % 5), 0, truth(20 + 30 * (round % 5), 0));
    cost.observe(40, 3, truth(40, 3));
  }
  for (const auto& [prompt_rows, generated_rows] : {std::pair{0, 20}, {500, 0}, {200, 12}, {1, 1}}) {
    EXPECT_NEAR(cost.seconds(prompt_rows, generated_rows), truth(prompt_rows, generated_rows), 1e-9);
  }
  EXPECT_NEAR(cost.prompt_row_seconds(), 0.0001, 1e-9);
}

TEST(StepCost, WhereAllStepsWereAlikeItErrsOnTheSafeSide) {
  StepCost cost;
  for (int round = 0; round < 40; ++round) {
    cost.observe(0, 8, truth(0, 8));
    cost.observe(64, 0, truth(64, 0));
  }
  for (const int32_t rows : {1, 4, 8, 16, 64}) {
    EXPECT_GE(cost.seconds(0, rows), truth(0, rows) - 1e-9);
    EXPECT_LE(cost.seconds(0, rows), truth(0, 8) * std::max(1, rows / 8) + 1e-9);
    EXPECT_GE(cost.seconds(rows * 8, 0), truth(rows * 8, 0) - 1e-9);
  }
}

TEST(StepCost, RemembersASlopeWhenAllStepsOfLateWereAlike) {
  StepCost cost;
  for (int round = 0; round < 40; ++round) {
    cost.observe(0, 1 + round % 8, truth(0, 1 + round % 8));
    cost.observe(64, 0, truth(64, 0));
  }
  for (int round = 0; round < 3000; ++round) cost.observe(0, 8, truth(0, 8));
  EXPECT_NEAR(cost.seconds(0, 2), truth(0, 2), 1e-6);
}

TEST(StepCost, NoticesASlowerMachineAndSurvivesAnOutlier) {
  StepCost cost;
  for (int round = 0; round < 60; ++round) {
    cost.observe(0, 1 + round % 8, truth(0, 1 + round % 8));
    cost.observe(64, 0, truth(64, 0));
  }
  cost.observe(0, 4, 30);  // the machine slept
  EXPECT_LE(cost.seconds(0, 4), 2 * truth(0, 4));
  for (int round = 0; round < 400; ++round) cost.observe(0, 1 + round % 8, 2 * truth(0, 1 + round % 8));
  EXPECT_NEAR(cost.seconds(0, 4), 2 * truth(0, 4), 0.05 * truth(0, 4));
}

TEST(StepCost, PromptRowsStayWithinABound) {
  StepCost cost;
  EXPECT_EQ(cost.prompt_rows_within(0.02, 4, 500), 500) << "nothing is known yet";
  for (int round = 0; round < 800; ++round) {
    cost.observe(0, 1 + round % 7, truth(0, 1 + round % 7));
    cost.observe(20 + 30 * (round % 5), 0, truth(20 + 30 * (round % 5), 0));
    cost.observe(40, 3, truth(40, 3));
  }
  EXPECT_EQ(cost.prompt_rows_within(0.02, 4, 500), 128) << "138 rows fit, whole groups of 32 of them";
  EXPECT_EQ(cost.prompt_rows_within(0.02, 4, 100), 100) << "no more than there is room for";
  EXPECT_EQ(cost.prompt_rows_within(0.005, 4, 500), 32) << "prompts go on where the answers take all of it";
  EXPECT_EQ(cost.prompt_rows_within(0.005, 4, 10), 10);
  EXPECT_EQ(cost.prompt_rows_within(0.02, 0, 500), 500) << "nobody waits";
  EXPECT_EQ(cost.prompt_rows_within(0, 4, 500), 500) << "no bound";
}

TEST(StepCost, TheMoreEstimatesAreOffTheFewerPromptRowsFit) {
  StepCost steady, noisy;
  for (int round = 0; round < 800; ++round) {
    const double noise = round % 2 == 0 ? 1.2 : 0.8;
    for (StepCost* cost : {&steady, &noisy}) {
      const double factor = cost == &noisy ? noise : 1;
      cost->observe(0, 1 + round % 7, factor * truth(0, 1 + round % 7));
      cost->observe(20 + 30 * (round % 5), 0, factor * truth(20 + 30 * (round % 5), 0));
      cost->observe(40, 3, factor * truth(40, 3));
    }
  }
  EXPECT_LT(noisy.prompt_rows_within(0.03, 4, 500), steady.prompt_rows_within(0.03, 4, 500));
  EXPECT_GT(noisy.prompt_rows_within(0.03, 4, 500), StepCost::kPromptRowsMin);
}

}  // namespace
}  // namespace hussar
