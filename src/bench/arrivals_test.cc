#include "bench/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "bench/spec_text.h"

namespace hussar {
namespace {

std::vector<int64_t> all(const ArrivalOptions& options) {
  Arrivals arrivals(options);
  std::vector<int64_t> times;
  while (const auto at = arrivals.next()) times.push_back(*at);
  EXPECT_FALSE(arrivals.next().has_value());
  return times;
}

TEST(ArrivalsTest, AConstantRateSendsRateTimesSeconds) {
  const auto times = all({.kind = ArrivalKind::kConstant, .stages = {{10, 3}}});
  ASSERT_EQ(times.size(), 30u);
  for (size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i], static_cast<int64_t>(i) * 100'000'000);
}

TEST(ArrivalsTest, AGapThatSpansTwoStagesKeepsItsShareOfEach) {
  const auto times = all({.kind = ArrivalKind::kConstant, .stages = {{2, 0.75}, {4, 1}}});
  // Due at 0, 1, 2, ... requests; 1.5 are due when the first stage ends at 0.75 s.
  const std::vector<int64_t> expected = {
      0, 500'000'000, 875'000'000, 1'125'000'000, 1'375'000'000, 1'625'000'000};
  EXPECT_EQ(times, expected);
}

struct Moments {
  double mean = 0, variance = 0;
};
Moments gaps_of(const std::vector<int64_t>& times) {
  const auto count = static_cast<double>(times.size());
  Moments moments;
  int64_t before = 0;
  std::vector<double> gaps;
  for (const int64_t at : times) {
    EXPECT_GE(at, before);
    gaps.push_back(static_cast<double>(at - before) / 1e9);
    before = at;
  }
  for (const double gap : gaps) moments.mean += gap / count;
  for (const double gap : gaps) moments.variance += (gap - moments.mean) * (gap - moments.mean) / (count - 1);
  return moments;
}

TEST(ArrivalsTest, GapsHaveTheMeanAndSpreadOfTheirBurstiness) {
  for (const double shape : {0.25, 1.0, 4.0}) {
    for (const uint64_t seed : {1u, 2u, 3u}) {
      const double rate = 50, seconds = 2000;
      const auto times =
          all({.kind = ArrivalKind::kGamma, .burstiness = shape, .stages = {{rate, seconds}}, .seed = seed});
      const auto count = static_cast<double>(times.size());
      const Moments gaps = gaps_of(times);
      const double variance = 1 / (rate * rate * shape);
      // Six standard errors. Kurtosis of a gamma is 3 + 6 / shape, which gives the spread of the variance.
      EXPECT_NEAR(gaps.mean, 1 / rate, 6 * std::sqrt(variance / count)) << "seed " << seed;
      EXPECT_NEAR(gaps.variance, variance, 6 * variance * std::sqrt((2 + 6 / shape) / count))
          << "seed " << seed << ", burstiness " << shape;
      // A renewal process: the count's variance tends to n / shape.
      EXPECT_NEAR(count, rate * seconds, 6 * std::sqrt(rate * seconds / shape)) << "seed " << seed;
    }
  }
}

TEST(ArrivalsTest, PoissonCountsOfEqualSpansVaryAsMuchAsTheirMean) {
  const uint64_t seed = 5;
  const double rate = 20;
  const int spans = 3000;
  const auto times = all({.kind = ArrivalKind::kPoisson,
                          .stages = {{rate, spans / 2.0}, {rate * 3, spans / 2.0}},
                          .seed = seed});
  std::vector<double> counts(spans, 0);
  for (const int64_t at : times) ++counts[static_cast<size_t>(at / 1'000'000'000)];
  // Index of dispersion: its sum of squares is chi-squared with `spans` degrees, variance 2 * spans.
  double dispersion = 0;
  for (int i = 0; i < spans; ++i) {
    const double mean = i < spans / 2 ? rate : rate * 3;
    dispersion += (counts[static_cast<size_t>(i)] - mean) * (counts[static_cast<size_t>(i)] - mean) / mean;
  }
  EXPECT_NEAR(dispersion, spans, 6 * std::sqrt(2.0 * spans)) << "seed " << seed;
}

TEST(ArrivalsTest, ASeedDrawsTheSamePlan) {
  const ArrivalOptions options{.kind = ArrivalKind::kPoisson, .stages = {{10, 5}}, .seed = 42};
  EXPECT_EQ(all(options), all(options));
  ArrivalOptions other = options;
  other.seed = 43;
  EXPECT_NE(all(options), all(other));
}

TEST(ArrivalsTest, ReadsStages) {
  const auto stages = parse_stages("10x30s,2.5x2m,100x500ms,7x9");
  ASSERT_TRUE(stages.ok());
  ASSERT_EQ(stages->size(), 4u);
  EXPECT_EQ((*stages)[0].level, 10);
  EXPECT_EQ((*stages)[0].seconds, 30);
  EXPECT_EQ((*stages)[1].level, 2.5);
  EXPECT_EQ((*stages)[1].seconds, 120);
  EXPECT_EQ((*stages)[2].seconds, 0.5);
  EXPECT_EQ((*stages)[3].seconds, 9);
}

TEST(ArrivalsTest, RefusesWhatIsNoStage) {
  for (const char* text : {"", "10", "x30s", "10x", "10x30s,", ",10x30s", "0x30s", "10x0s", "-1x30s",
                           "10x-3s", "10x30d", "1e9x30s", "10x1000h", "infx3s", "nanx3s", "10 x 30s"}) {
    const auto stages = parse_stages(text);
    ASSERT_FALSE(stages.ok()) << text;
    EXPECT_NE(stages.error().message.find("10x30s"), std::string::npos);
  }
  std::string many = "1x1s";
  for (size_t i = 0; i < kStagesMax; ++i) many += ",1x1s";
  EXPECT_FALSE(parse_stages(many).ok());
}

TEST(SpecTextTest, ReadsNumbersWithUnits) {
  EXPECT_EQ(read_spec_milliseconds("500ms"), 500);
  EXPECT_EQ(read_spec_milliseconds("0.5s"), 500);
  EXPECT_EQ(read_spec_milliseconds("250us"), 0.25);
  EXPECT_EQ(read_spec_milliseconds("500"), std::nullopt);
  EXPECT_EQ(read_spec_milliseconds("ms"), std::nullopt);
  EXPECT_EQ(read_spec_fraction("0.1%"), 0.001);
  EXPECT_EQ(read_spec_fraction("0.25"), 0.25);
  EXPECT_EQ(read_spec_fraction("%"), std::nullopt);
  EXPECT_EQ(read_spec_number("inf"), std::nullopt);
  EXPECT_EQ(read_spec_number("-0"), std::nullopt);
  EXPECT_EQ(read_spec_number("1e400"), std::nullopt);
  EXPECT_EQ(read_spec_seconds("1h"), 3600);
}

}  // namespace
}  // namespace hussar
