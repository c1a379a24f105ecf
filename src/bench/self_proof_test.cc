#include "bench/self_proof.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hussar {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

int64_t counted(const Histogram& histogram) {
  int64_t all = 0;
  for (const HistogramBin& bin : histogram) all += bin.count;
  return all;
}

int64_t count_from(const Histogram& histogram, double from) {
  for (const HistogramBin& bin : histogram) {
    if (bin.from == from) return bin.count;
  }
  return -1;
}

TEST(SelfProof, EachLatenessHasOneBin) {
  // Early, at a bound, just below one, beyond the last.
  const std::vector<int64_t> lateness_ns = {-5000,   0,         9999,          10'000,        99'999,
                                            100'000, 3'400'000, 1'000'000'000, 90'000'000'000};
  const Histogram histogram = lateness_histogram_ms(lateness_ns);
  EXPECT_EQ(counted(histogram), static_cast<int64_t>(lateness_ns.size()));
  EXPECT_EQ(count_from(histogram, -kInfinity), 3);
  EXPECT_EQ(count_from(histogram, 0.01), 1);
  EXPECT_EQ(count_from(histogram, 0.05), 1);
  EXPECT_EQ(count_from(histogram, 0.1), 1);
  EXPECT_EQ(count_from(histogram, 2), 1);
  EXPECT_EQ(count_from(histogram, 1000), 2);
  for (size_t i = 1; i < histogram.size(); ++i) EXPECT_EQ(histogram[i].from, histogram[i - 1].below);
  EXPECT_EQ(histogram.back().below, kInfinity);
}

TEST(SelfProof, LoopDelaysAreBinnedAsTheyWereCounted) {
  LoopStats stats;
  stats.timer_delay_counts = {4, 0, 7};
  const Histogram histogram = loop_delay_histogram_us(stats);
  ASSERT_EQ(histogram.size(), 3U);
  EXPECT_EQ(count_from(histogram, -kInfinity), 4);
  EXPECT_EQ(count_from(histogram, 2), 7);
  EXPECT_EQ(histogram[1].below, 2);
  EXPECT_EQ(histogram[2].below, kInfinity);
  EXPECT_TRUE(loop_delay_histogram_us({}).empty());
}

TEST(SelfProof, TheLineSaysWhoWasTheBottleneck) {
  SelfProof proof;
  proof.cpu_share = 0.137;
  EXPECT_EQ(self_proof_line(proof).en, "The client used 13.7 % of one core.");
  proof.lateness_ns.assign(100, 50'000);
  EXPECT_NE(self_proof_line(proof).en.find("100 requests went out within 0.050 ms"), std::string::npos);
  proof.client_limited = true;
  proof.reason = "late";
  EXPECT_EQ(self_proof_line(proof).en, "CLIENT-LIMITED: late");
  EXPECT_NE(self_proof_line(proof).zh.find("CLIENT-LIMITED"), std::string::npos);
}

TEST(SelfProof, ASectionOfARunThatSentNothingHasNoEmptyCharts) {
  const Section section = self_proof_section({}, "");
  EXPECT_TRUE(section.charts.empty());
  EXPECT_TRUE(section.notes.empty());
  ASSERT_EQ(section.tables.size(), 1U);
  EXPECT_EQ(section.tables[0].rows.size(), 1U);
}

TEST(SelfProof, ChartsEndWhereCountsEnd) {
  SelfProof proof;
  proof.lateness_ns = {20'000, 3'400'000};
  proof.loop.run_ns = 1;
  proof.loop.timer_delay_counts.assign(40, 0);
  proof.loop.timer_delay_counts[3] = 1;
  const Section section = self_proof_section(proof, "proved");
  ASSERT_EQ(section.charts.size(), 2U);
  EXPECT_EQ(section.charts[0].labels.size(), section.charts[0].series[0].y.size());
  EXPECT_EQ(section.charts[0].labels.back().en, "2\u20135");
  EXPECT_EQ(section.charts[1].labels.size(), 10U);
  EXPECT_EQ(section.charts[1].labels.front().en, "<1");
  EXPECT_EQ(section.notes.at(0).en, "proved");
}

}  // namespace
}  // namespace hussar
