#include "bench/limit_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "bench/random.h"

namespace hussar {
namespace {

struct Found {
  std::vector<ProbePlan> probes;
  std::optional<double> met, not_met;
};

// A server that bears everything up to `capacity`.
Found search(const LimitOptions& options, double capacity) {
  LimitSearch search(options);
  Found run;
  while (const auto probe = search.next()) {
    run.probes.push_back(*probe);
    EXPECT_LE(probe->level, options.max);
    EXPECT_GE(probe->level, options.min);
    const bool bears = probe->level <= capacity;
    search.finish(*probe, bears ? Verdict::kMet : Verdict::kMissed, bears);
    EXPECT_LE(run.probes.size(), 60u);
  }
  run.met = search.met();
  run.not_met = search.not_met();
  return run;
}

TEST(LimitSearchTest, FindsTheCapacityWithinItsResolution) {
  for (const double capacity : {0.02, 0.7, 1.0, 3.3, 47.0, 999.0, 8191.0}) {
    const LimitOptions options;
    const Found run = search(options, capacity);
    ASSERT_TRUE(run.met.has_value()) << capacity;
    EXPECT_LE(*run.met, capacity);
    EXPECT_GE(*run.met * (1 + options.resolution), capacity) << *run.met;
    EXPECT_GT(*run.not_met, capacity);
    EXPECT_LE(run.probes.size(), 22u) << capacity;
  }
}

TEST(LimitSearchTest, FindsWholeNumbersOfUsersExactly) {
  for (const double capacity : {1.0, 2.0, 3.0, 5.0, 16.0, 17.0}) {
    const Found run = search({.min = 1, .max = 1024, .resolution = 0.001, .whole_numbers = true}, capacity);
    ASSERT_TRUE(run.met.has_value());
    EXPECT_EQ(*run.met, capacity);
    EXPECT_EQ(*run.not_met, capacity + 1);
    for (const ProbePlan& probe : run.probes) EXPECT_EQ(probe.level, static_cast<int64_t>(probe.level));
  }
}

TEST(LimitSearchTest, EndsWhereEvenTheLeastIsTooMuch) {
  const Found run = search({.min = 0.1}, 0.05);
  EXPECT_FALSE(run.met.has_value());
  ASSERT_TRUE(run.not_met.has_value());
  EXPECT_LT(*run.not_met, 0.2);
  EXPECT_FALSE(search({.min = 1, .whole_numbers = true}, 0).met.has_value());
}

TEST(LimitSearchTest, TheMostIsShownByAFullProbe) {
  LimitSearch limits({.max = 8});
  std::vector<double> levels;
  while (const auto probe = limits.next()) {
    levels.push_back(probe->level);
    limits.finish(*probe, Verdict::kMet, true);
  }
  EXPECT_EQ(levels, (std::vector<double>{1, 2, 4, 8, 8}));
  EXPECT_EQ(limits.met(), 8);
  EXPECT_FALSE(limits.not_met().has_value());
  EXPECT_TRUE(limits.at_most_probed());
}

TEST(LimitSearchTest, WhatAScoutBelievedMustBeShown) {
  // Scouts see nothing wrong up to 20, full probes are undecided above 3.
  LimitSearch limits({.resolution = 0.1});
  int probes = 0;
  while (const auto probe = limits.next()) {
    ++probes;
    const bool scout = probe->kind == ProbeKind::kScout;
    const bool good = probe->level <= (scout ? 20 : 3);
    limits.finish(*probe, good && !scout ? Verdict::kMet : Verdict::kUndecided, good);
  }
  ASSERT_TRUE(limits.met().has_value());
  EXPECT_LE(*limits.met(), 3);
  EXPECT_GE(*limits.met() * 1.1, 3);
  EXPECT_LE(probes, 40);
}

TEST(LimitSearchTest, AScoutThatIsUndecidedAndDoesNotKeepIsTooMuch) {
  LimitSearch limits({.start = 4});
  limits.finish(*limits.next(), Verdict::kUndecided, false);
  EXPECT_EQ(limits.not_met(), 4);
  EXPECT_EQ(limits.next()->level, 2);
}

// A server whose answers are random: what is found was shown, so the true share at it keeps the objective in
// nearly all runs.
TEST(LimitSearchTest, AgainstARandomServerWhatIsFoundHolds) {
  const uint64_t seed = 31;
  Random random(seed);
  const SloSpec slo = SloSpec::parse("ttft_p90=100ms").value();
  const double alpha = 0.05;
  const auto over_probability = [](double level) { return 0.02 * level; };  // 0.1 at level 5
  const int runs = 200;
  int too_high = 0;
  for (int i = 0; i < runs; ++i) {
    LimitSearch limits({.start = 1, .max = 64, .resolution = 0.1});
    while (const auto probe = limits.next()) {
      SloJudge judge(slo, {.confidence = 1 - alpha});
      const int64_t samples_max = probe->kind == ProbeKind::kScout ? 100 : 5000;
      for (int64_t k = 0; k < samples_max && judge.verdict() == Verdict::kUndecided; ++k) {
        RequestRecord record;
        record.index = k;
        record.outcome = Outcome::kOk;
        record.scheduled_ns = 0;
        record.first_token_ns = random.uniform() < over_probability(probe->level) ? 200'000'000 : 1'000'000;
        judge.add(record);
      }
      limits.finish(*probe, judge.verdict(), judge.keeps());
    }
    ASSERT_TRUE(limits.met().has_value()) << "seed " << seed;
    EXPECT_GE(*limits.met(), 1.5) << "seed " << seed;
    too_high += *limits.met() > 5;
  }
  // Each search may show up to a few levels above the limit; each is wrong with at most alpha.
  const double wrong = 3 * alpha;
  EXPECT_LE(too_high, runs * wrong + 5 * std::sqrt(runs * wrong)) << "seed " << seed;
}

}  // namespace
}  // namespace hussar
