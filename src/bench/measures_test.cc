#include "bench/measures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/json.h"

namespace hussar {
namespace {

// All figures are recomputed from the formulas on random records in tests/bench; here are the cases that a
// reader wants to see.

constexpr int64_t kMs = 1'000'000;

RequestRecord answer(int64_t sent_ms, std::vector<TextChunk> chunks, int32_t output_tokens) {
  RequestRecord record;
  record.scheduled_ns = record.sent_ns = sent_ms * kMs;
  record.connected_ns = record.sent_ns;
  record.connection_reused = true;
  record.first_token_ns = chunks.front().at_ns;
  record.last_token_ns = record.end_ns = chunks.back().at_ns;
  record.chunks = std::move(chunks);
  record.outcome = Outcome::kOk;
  record.prompt_tokens = 10;
  record.output_tokens = output_tokens;
  return record;
}

Summary summarize_all(const std::vector<RequestRecord>& records) {
  return summarize(records, {0, 1000 * kMs, 1000 * kMs}, std::nullopt);
}

TEST(Measures, ChunkOfSeveralTokensGivesItsGapOnce) {
  const RequestRecord record = answer(0, {{100 * kMs, 1}, {110 * kMs, 3}, {130 * kMs, 2}}, 6);
  const Summary summary = summarize_all({record});
  EXPECT_EQ(summary.itl_ms.count, 2);
  EXPECT_DOUBLE_EQ(summary.itl_ms.mean, 15);
  EXPECT_EQ(summary.itl_ms.min, 10) << "coalesced gaps are counted, not taken as 0";
  EXPECT_EQ(summary.coalesced_gaps, 3);
  EXPECT_DOUBLE_EQ(summary.tpot_ms.mean, 6);
}

TEST(Measures, UnknownChunksCountByTheWholeAnswer) {
  const Summary summary = summarize_all({answer(0, {{100 * kMs, 0}, {110 * kMs, 0}}, 6)});
  EXPECT_EQ(summary.coalesced_gaps, 4);
}

TEST(Measures, LatencyOfALateSendShowsFromTheScheduleOnly) {
  RequestRecord record = answer(50, {{100 * kMs, 1}, {110 * kMs, 1}}, 2);
  record.scheduled_ns = 20 * kMs;
  const Summary summary = summarize_all({record});
  EXPECT_DOUBLE_EQ(summary.ttft_ms.p50, 50);
  EXPECT_DOUBLE_EQ(summary.ttft_scheduled_ms.p50, 80);
  EXPECT_DOUBLE_EQ(summary.e2e_ms.p50, 60);
  EXPECT_DOUBLE_EQ(summary.e2e_scheduled_ms.p50, 90);
}

TEST(Measures, ErrorsLeaveNoTraceInLatencies) {
  std::vector<RequestRecord> records{answer(0, {{100 * kMs, 1}, {110 * kMs, 1}}, 2)};
  for (int i = 0; i < kOutcomeCount; ++i) {
    RequestRecord record = answer(0, {{900 * kMs, 1}, {950 * kMs, 1}}, 2);
    record.outcome = static_cast<Outcome>(i);
    if (record.outcome != Outcome::kOk) records.push_back(record);
  }
  const Summary summary = summarize_all(records);
  EXPECT_EQ(summary.requests, kOutcomeCount);
  EXPECT_EQ(summary.ok, 1);
  EXPECT_EQ(summary.errors, kOutcomeCount - 3);
  EXPECT_EQ(summary.cancelled + summary.unfinished, 2);
  for (const Distribution* latencies :
       {&summary.ttft_ms, &summary.e2e_ms, &summary.ttft_scheduled_ms, &summary.e2e_scheduled_ms,
        &summary.tpot_ms, &summary.itl_ms, &summary.normalised_ms_per_token}) {
    EXPECT_EQ(latencies->count, 1);
    EXPECT_LT(latencies->max, 200);
  }
  EXPECT_EQ(summary.output_tokens, 2);
  EXPECT_DOUBLE_EQ(summary.qps_steady, 1);
}

TEST(Measures, UnknownTokensLeaveTokenRatesOut) {
  std::vector<RequestRecord> records{answer(0, {{100 * kMs, 0}}, 4), answer(0, {{200 * kMs, 0}}, -1)};
  Summary summary = summarize_all(records);
  EXPECT_EQ(summary.tokens_unknown, 1);
  EXPECT_FALSE(summary.output_tokens_per_s_steady || summary.output_tokens_per_s_whole ||
               summary.total_tokens_per_s_steady || summary.total_tokens_per_s_whole);
  EXPECT_DOUBLE_EQ(summary.qps_steady, 2);
  records[1].output_tokens = 6;
  summary = summarize_all(records);
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_s_steady.value(), 10);
  EXPECT_DOUBLE_EQ(summary.total_tokens_per_s_whole.value(), 30 / 0.2);
}

TEST(Measures, WarmUpCountsByWhatItBroughtIntoTheSteadyWindow) {
  RequestRecord warm_up = answer(0, {{100 * kMs, 1}, {300 * kMs, 1}, {500 * kMs, 1}}, 3);
  warm_up.stage = -1;
  const std::vector<RequestRecord> records{warm_up, answer(300, {{600 * kMs, 1}, {1400 * kMs, 1}}, 2)};
  const Summary summary = summarize(records, {200 * kMs, 1200 * kMs, 1400 * kMs}, std::nullopt);
  EXPECT_EQ(summary.requests, 1);
  EXPECT_EQ(summary.e2e_ms.count, 1);
  EXPECT_DOUBLE_EQ(summary.qps_steady, 1) << "the warm-up's answer ended inside, the other one outside";
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_s_steady.value(), 3);
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_s_whole.value(), 2 / 1.1);
}

TEST(Measures, NothingMeasuredIsNoCrash) {
  const Summary summary = summarize({}, {}, Slo{});
  EXPECT_EQ(summary.requests, 0);
  EXPECT_EQ(summary.error_rate_interval.high, 1);
  EXPECT_FALSE(summary.goodput_qps);
  EXPECT_TRUE(metric_samples({}, Window{}, 10).empty());
  const Json json = to_json(summary);
  EXPECT_EQ(write_json(*json.find("ttft_ms")), "{\"count\":0}");
  EXPECT_TRUE(json.find("output_tokens_per_s_steady")->is_null());
}

TEST(Measures, FormulasComeInBothLanguages) {
  for (const auto& [english, chinese] : formulas()) {
    EXPECT_FALSE(english.empty());
    EXPECT_NE(english, chinese);
  }
}

}  // namespace
}  // namespace hussar
