#include "bench/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/random.h"
#include "bench/special_functions.h"

namespace hussar {
namespace {

// The distribution functions and intervals are checked against other derivations in tests/bench; here are the
// corners.

TEST(Quantile, OneSampleIsEveryQuantile) {
  const std::vector<double> one{7};
  for (const double q : {0.0, 0.5, 0.999, 1.0}) EXPECT_EQ(quantile(one, q), 7);
}

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  const std::vector<double> sorted{1, 2, 4, 8};
  EXPECT_EQ(quantile(sorted, 0), 1);
  EXPECT_EQ(quantile(sorted, 1), 8);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.9), 4 + 0.7 * 4);
}

TEST(QuantileInterval, SaysWhenSamplesAreTooFew) {
  std::vector<double> sorted(100);
  for (size_t i = 0; i < sorted.size(); ++i) sorted[i] = static_cast<double>(i);
  const QuantileInterval median = quantile_interval(sorted, 0.5);
  EXPECT_TRUE(median.exact);
  // The 40th and 61st of 100 samples, as printed in tables of the sign test.
  EXPECT_EQ(median.interval.low, 39);
  EXPECT_EQ(median.interval.high, 60);
  const QuantileInterval tail = quantile_interval(sorted, 0.99);
  EXPECT_FALSE(tail.exact);
  EXPECT_EQ(tail.interval.high, 99);
}

TEST(MeanInterval, IsUnknownForOneSample) {
  const std::vector<double> one{7};
  EXPECT_TRUE(std::isnan(mean_interval(one).low));
  const std::vector<double> same{7, 7, 7};
  EXPECT_EQ(mean_interval(same).low, 7);
  EXPECT_EQ(mean_interval(same).high, 7);
}

TEST(BinomialCdf, TakesTheWholeRange) {
  EXPECT_EQ(binomial_cdf(-1, 10, 0.3), 0);
  EXPECT_EQ(binomial_cdf(10, 10, 0.3), 1);
  EXPECT_EQ(binomial_cdf(5, 10, 0), 1);
  EXPECT_EQ(binomial_cdf(5, 10, 1), 0);
  EXPECT_NEAR(binomial_cdf(0, 10, 0.3), std::pow(0.7, 10), 1e-15);
}

TEST(Bootstrap, EqualSamplesDifferByNothing) {
  const std::vector<double> same(50, 3.5);
  for (const Statistic statistic : {Statistic::kMean, Statistic::kP50, Statistic::kP90, Statistic::kP99}) {
    const Interval interval = bootstrap_difference(same, same, statistic, 100, 1);
    EXPECT_EQ(interval.low, 0);
    EXPECT_EQ(interval.high, 0);
  }
}

TEST(Bootstrap, IgnoresTheOrderOfSamples) {
  std::vector<double> a, b;
  Random random(5);
  for (int i = 0; i < 200; ++i) a.push_back(random.exponential());
  b = a;
  std::reverse(b.begin(), b.end());
  const std::vector<double> other{1, 2, 3};
  const Interval first = bootstrap_difference(a, other, Statistic::kP90, 200, 9);
  const Interval second = bootstrap_difference(b, other, Statistic::kP90, 200, 9);
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(first.high, second.high);
}

// Gaps of one request are alike: taken as independent, they would promise far too much.
TEST(Bootstrap, GroupsOfEqualValuesCountAsOneSampleEach) {
  std::vector<double> values, singles;
  std::vector<int64_t> sizes;
  for (int group = 0; group < 30; ++group) {
    singles.push_back(group);
    sizes.push_back(100);
    values.insert(values.end(), 100, group);
  }
  const std::vector<double> zero{0};
  const std::vector<int64_t> zero_size{1};
  const auto width = [](const Interval& interval) { return interval.high - interval.low; };
  const Interval grouped =
      bootstrap_difference({zero, zero_size}, {values, sizes}, Statistic::kMean, 2000, 3);
  const Interval alone = bootstrap_difference(zero, singles, Statistic::kMean, 2000, 3);
  const Interval naive = bootstrap_difference(zero, values, Statistic::kMean, 2000, 3);
  EXPECT_NEAR(width(grouped), width(alone), 0.1 * width(alone));
  // 100 times the samples: a tenth of the width.
  EXPECT_NEAR(width(naive), width(alone) / 10, 0.02 * width(alone));
}

TEST(Random, BelowIsEven) {
  Random random(11);
  constexpr int kDraws = 60'000;
  std::vector<int> counts(6);
  for (int i = 0; i < kDraws; ++i) ++counts[random.below(6)];
  // Five standard deviations of a binomial with p = 1/6.
  for (const int count : counts)
    EXPECT_NEAR(count, kDraws / 6, 5 * std::sqrt(kDraws * (1.0 / 6) * (5.0 / 6)));
}

TEST(Random, DistributionsHaveTheirMeansAndVariances) {
  struct Case {
    const char* name;
    double (*draw)(Random*);
    double mean, variance, fourth;  // central moments
  };
  const Case cases[] = {
      {"uniform", [](Random* r) { return r->uniform(); }, 0.5, 1.0 / 12, 1.0 / 80},
      {"exponential", [](Random* r) { return r->exponential(); }, 1, 1, 9},
      {"normal", [](Random* r) { return r->normal(); }, 0, 1, 3},
      {"gamma 0.3", [](Random* r) { return r->gamma(0.3); }, 0.3, 0.3, 3 * 0.09 + 6 * 0.3},
      {"gamma 5", [](Random* r) { return r->gamma(5); }, 5, 5, 75 + 30},
      {"beta 2 6", [](Random* r) { return r->beta(2, 6); }, 0.25, 1.0 / 48, 0.0013},
  };
  constexpr int kDraws = 100'000;
  for (const Case& c : cases) {
    Random random(17);
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double value = c.draw(&random);
      sum += value;
      squares += (value - c.mean) * (value - c.mean);
    }
    // Five standard deviations of each estimate.
    EXPECT_NEAR(sum / kDraws, c.mean, 5 * std::sqrt(c.variance / kDraws)) << c.name;
    EXPECT_NEAR(squares / kDraws, c.variance, 5 * std::sqrt((c.fourth - c.variance * c.variance) / kDraws))
        << c.name;
  }
}

}  // namespace
}  // namespace hussar
