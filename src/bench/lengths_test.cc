#include "bench/lengths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hussar {
namespace {

constexpr int kDraws = 40'000;

std::vector<double> draws(const Lengths& lengths, uint64_t seed) {
  Random random(seed);
  std::vector<double> values(kDraws);
  for (double& value : values) value = lengths.draw(random);
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST(LengthsTest, ReadsWhatItWrites) {
  for (const char* text : {"512", "uniform:128:2048", "lognormal:600:0.8:4096", "1", "uniform:3:3"}) {
    const auto lengths = Lengths::parse(text);
    ASSERT_TRUE(lengths.ok()) << text;
    EXPECT_EQ(lengths->text(), text);
  }
  EXPECT_EQ(Lengths::parse("lognormal:600:0.8")->greatest(), kTokensMax);
}

TEST(LengthsTest, RefusesWhatIsNoLength) {
  for (const char* text : {"",
                           "0",
                           "-5",
                           "1.5",
                           "abc",
                           "512 ",
                           "1e99",
                           "nan",
                           "uniform:5",
                           "uniform:9:3",
                           "uniform:0:3",
                           "uniform:1:2:3",
                           "lognormal:600",
                           "lognormal:0:1",
                           "lognormal:600:-1",
                           "lognormal:600:11",
                           "lognormal:600:0.8:0",
                           "lognormal:600:0.8:9:9",
                           "normal:3:4",
                           ":",
                           "uniform::",
                           "16777217"}) {
    const auto lengths = Lengths::parse(text);
    ASSERT_FALSE(lengths.ok()) << text;
    EXPECT_NE(lengths.error().message.find("uniform:128:2048"), std::string::npos);
  }
}

TEST(LengthsTest, UniformDrawsBothEndsAndTheMean) {
  const uint64_t seed = 11;
  const auto lengths = Lengths::parse("uniform:10:19");
  const auto values = draws(*lengths, seed);
  EXPECT_EQ(*std::min_element(values.begin(), values.end()), 10);
  EXPECT_EQ(*std::max_element(values.begin(), values.end()), 19);
  // Variance (10^2 - 1) / 12; five standard errors.
  EXPECT_NEAR(mean_of(values), 14.5, 5 * std::sqrt(99.0 / 12 / kDraws)) << "seed " << seed;
}

TEST(LengthsTest, LognormalHasItsMedianAndMean) {
  const uint64_t seed = 12;
  const double median = 600, sigma = 0.5;
  auto values = draws(*Lengths::parse("lognormal:600:0.5"), seed);
  const double mean = median * std::exp(sigma * sigma / 2);
  const double variance = mean * mean * (std::exp(sigma * sigma) - 1);
  EXPECT_NEAR(mean_of(values), mean, 5 * std::sqrt(variance / kDraws)) << "seed " << seed;
  std::nth_element(values.begin(), values.begin() + kDraws / 2, values.end());
  // Of a median: 1 / (2 f(m) sqrt(n)), and the density at the median is 1 / (m sigma sqrt(2 pi)).
  const double error = median * sigma * std::sqrt(2 * M_PI) / 2 / std::sqrt(kDraws);
  EXPECT_NEAR(values[kDraws / 2], median, 5 * error + 0.5) << "seed " << seed;
}

TEST(LengthsTest, NothingIsDrawnAboveTheLimit) {
  auto lengths = *Lengths::parse("lognormal:600:2:4096");
  ASSERT_TRUE(lengths.limit_to(500));
  const auto values = draws(lengths, 13);
  EXPECT_EQ(*std::max_element(values.begin(), values.end()), 500);
  EXPECT_GE(*std::min_element(values.begin(), values.end()), 1);
  EXPECT_FALSE(Lengths::fixed(512).limit_to(511));
  auto uniform = *Lengths::parse("uniform:100:200");
  EXPECT_FALSE(uniform.limit_to(99));
  EXPECT_TRUE(uniform.limit_to(100));
  EXPECT_EQ(uniform.greatest(), 100);
}

}  // namespace
}  // namespace hussar
