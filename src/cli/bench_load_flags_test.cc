#include "cli/bench_load_flags.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

struct Planned {
  Result<LoadPlan> plan;
  BenchLoadFlags flags;
};

Planned plan_of(std::vector<std::string> args) {
  args.insert(args.begin(), {"--url", "http://127.0.0.1:1"});
  BenchLoadFlags o;
  FlagTable flags("bench load", "", "");
  add_bench_load_flags(&flags, &o);
  const auto parsed = flags.parse(args);
  if (!parsed.ok()) return {parsed.error(), o};
  auto plan = plan_load(flags, &o);
  return {std::move(plan), o};
}

LoadPlan good(const std::vector<std::string>& args) {
  auto planned = plan_of(args);
  if (!planned.plan.ok()) {
    ADD_FAILURE() << planned.plan.error().message;
    return {};
  }
  return std::move(*planned.plan);
}

void expect_refused(const std::vector<std::string>& args, const std::string& field) {
  const auto planned = plan_of(args);
  ASSERT_FALSE(planned.plan.ok()) << args[0];
  EXPECT_EQ(planned.plan.error().field, field) << planned.plan.error().message;
  EXPECT_EQ(planned.plan.error().message.find('\n'), std::string::npos);
}

TEST(BenchLoadFlagsTest, OneUserForHalfAMinuteUnlessSaidOtherwise) {
  const LoadPlan plan = good({});
  EXPECT_EQ(plan.shape.kind, LoadShape::Kind::kClosed);
  ASSERT_EQ(plan.shape.stages.size(), 1u);
  EXPECT_EQ(plan.shape.stages[0].users, 1);
  EXPECT_EQ(plan.shape.stages[0].seconds, 30);
  EXPECT_EQ(plan.requests_wanted, 0);
  EXPECT_FALSE(plan.arrivals.has_value());
}

TEST(BenchLoadFlagsTest, ARequestCountAloneEndsTheRun) {
  const LoadPlan plan = good({"--users", "4", "--requests", "100", "--warmup-requests", "5"});
  EXPECT_EQ(plan.shape.stages[0].seconds, 0);
  EXPECT_EQ(plan.shape.requests_max, 100);
  EXPECT_EQ(plan.requests_wanted, 105);
  EXPECT_EQ(good({"--requests", "9", "--duration-s", "5"}).shape.stages[0].seconds, 5);
  const LoadPlan open = good({"--rate", "10", "--requests", "7"});
  EXPECT_TRUE(open.shape.open_stage_ends_s.empty());
  EXPECT_EQ(open.requests_wanted, 7);
}

TEST(BenchLoadFlagsTest, ThinkTimesHaveALeastAndAMost) {
  const LoadPlan plan = good({"--users", "2", "--think-s", "1:3", "--ramp-s", "4"});
  EXPECT_EQ(plan.shape.think_s_min, 1);
  EXPECT_EQ(plan.shape.think_s_max, 3);
  EXPECT_EQ(plan.shape.ramp_s, 4);
  EXPECT_EQ(good({"--think-s", "500ms"}).shape.think_s_max, 0.5);
  for (const char* bad : {"3:1", "a", "1:2:3", "-1", ":", "1:"})
    expect_refused({"--think-s", bad}, "--think-s");
}

TEST(BenchLoadFlagsTest, WarmUpBelongsToTheFirstStage) {
  const LoadPlan plan = good({"--stages", "10x30s,20x10s", "--warmup-s", "5"});
  EXPECT_EQ(plan.shape.kind, LoadShape::Kind::kOpen);
  EXPECT_EQ(plan.shape.open_stage_ends_s, (std::vector<double>{35, 45}));
  EXPECT_EQ(plan.shape.warmup_s, 5);
  ASSERT_TRUE(plan.arrivals.has_value());
  EXPECT_EQ(plan.arrivals->kind, ArrivalKind::kPoisson);
  ASSERT_EQ(plan.arrivals->stages.size(), 2u);
  EXPECT_EQ(plan.arrivals->stages[0].seconds, 35);
  ASSERT_EQ(plan.stages.size(), 2u);
  EXPECT_EQ(plan.stages[1].begin_s, 35);
  EXPECT_EQ(plan.stages[1].end_s, 45);
  // 350 + 200 are due on average; six standard deviations more are made ready for.
  EXPECT_GT(plan.requests_wanted, 550 + 5 * 23);
  EXPECT_LT(plan.requests_wanted, 550 + 7 * 24);
  const LoadPlan users = good({"--user-stages", "5x30s,10x1m"});
  ASSERT_EQ(users.shape.stages.size(), 2u);
  EXPECT_EQ(users.shape.stages[1].users, 10);
  EXPECT_EQ(users.shape.stages[1].seconds, 60);
  expect_refused({"--user-stages", "2.5x30s"}, "--user-stages");
  expect_refused({"--stages", "10"}, "--stages");
}

TEST(BenchLoadFlagsTest, GammaArrivalsHaveABurstiness) {
  const LoadPlan plan = good({"--rate", "5", "--arrivals", "gamma", "--burstiness", "0.5"});
  EXPECT_EQ(plan.arrivals->kind, ArrivalKind::kGamma);
  EXPECT_EQ(plan.arrivals->burstiness, 0.5);
}

TEST(BenchLoadFlagsTest, WhatWouldBeIgnoredIsRefused) {
  expect_refused({"--users", "2", "--rate", "3"}, "--rate");
  expect_refused({"--users", "2", "--burstiness", "3"}, "--burstiness");
  expect_refused({"--rate", "2", "--think-s", "3"}, "--think-s");
  expect_refused({"--rate", "2", "--trace-speed", "3"}, "--trace-speed");
  expect_refused({"--trace", "t.csv", "--requests", "3"}, "--requests");
  expect_refused({"--trace", "t.csv", "--dataset", "d.jsonl"}, "--dataset");
  expect_refused({"--stages", "1x1s", "--duration-s", "3"}, "--duration-s");
  expect_refused({"--cancel-after-ms", "5"}, "--cancel-after-ms");
  expect_refused({"--dataset", "d.jsonl", "--input-tokens", "5"}, "--dataset");
  expect_refused({"--stream", "--no-stream"}, "--no-stream");
  expect_refused({"--no-stream", "--slo", "ttft_p99=1s"}, "--slo");
  expect_refused({"--slo", "fast"}, "--slo");
  expect_refused({"--input-tokens", "many"}, "--input-tokens");
  expect_refused({"--output-tokens", "0"}, "--output-tokens");
  expect_refused({"--extra", "[1]"}, "--extra");
  expect_refused({"--extra", "{"}, "--extra");
}

TEST(BenchLoadFlagsTest, ASeedIsDrawnUnlessItIsGiven) {
  EXPECT_EQ(good({"--seed", "7"}).workload.seed, 7u);
  const auto a = plan_of({}), b = plan_of({});
  EXPECT_NE(a.flags.workload.seed, b.flags.workload.seed);
  EXPECT_GE(a.flags.workload.seed, 0);
}

TEST(BenchLoadFlagsTest, TheDescriptionTellsShapesApart) {
  const std::string a = write_json(good({"--users", "2"}).description);
  EXPECT_NE(a, write_json(good({"--users", "3"}).description));
  EXPECT_NE(a, write_json(good({"--rate", "2"}).description));
  EXPECT_EQ(a, write_json(good({"--users", "2", "--seed", "5"}).description));
}

}  // namespace
}  // namespace hussar
