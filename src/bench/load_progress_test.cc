#include "bench/load_progress.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hussar {
namespace {

TEST(LogHistogram, KnowsQuantilesWithinThreePercent) {
  LogHistogram histogram;
  EXPECT_EQ(histogram.quantile_ms(0.5), -1);
  for (int64_t us = 1; us <= 10'000; ++us) histogram.add(us * 1000);
  for (const double q : {0.01, 0.25, 0.5, 0.9, 0.99, 0.999}) {
    EXPECT_NEAR(histogram.quantile_ms(q) / (q * 10), 1, 0.03) << q;
  }
}

TEST(LogHistogram, TakesAnyDuration) {
  for (const int64_t ns : {int64_t{-5}, int64_t{0}, int64_t{999}, int64_t{3'600'000'000'000}, INT64_MAX}) {
    LogHistogram histogram;
    histogram.add(ns);
    EXPECT_GT(histogram.quantile_ms(0.5), 0);
    EXPECT_TRUE(std::isfinite(histogram.quantile_ms(1)));
  }
  LogHistogram hour;
  hour.add(3'600'000'000'000);
  EXPECT_NEAR(hour.quantile_ms(0.5) / 3'600'000, 1, 0.03);
}

TEST(ProgressCounts, CountsByOutcome) {
  ProgressCounts counts;
  RequestRecord record;
  record.sent_ns = 0;
  record.first_token_ns = 1'000'000;
  record.last_token_ns = 8'000'000;
  record.chunks.resize(3);
  for (const Outcome outcome : {Outcome::kOk, Outcome::kHttp5xx, Outcome::kCancelled, Outcome::kUnfinished}) {
    record.outcome = outcome;
    counts.add(record);
    record.first_token_ns = record.last_token_ns = 99'000'000;  // of the others: in no percentile
  }
  RunProgress progress;
  progress.output_chunks = 5;  // of running ones
  counts.show(&progress);
  EXPECT_EQ(progress.ok, 1);
  EXPECT_EQ(progress.errors, 1);
  EXPECT_EQ(progress.output_chunks, 17);
  EXPECT_NEAR(progress.ttft_p99_ms, 1, 0.03);
  EXPECT_NEAR(progress.e2e_p50_ms, 8, 0.24);
}

}  // namespace
}  // namespace hussar
