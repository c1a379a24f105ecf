#include "bench/load_report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace hussar {
namespace {

constexpr int64_t kMs = 1'000'000;

// Answers every 100 ms, of 4 tokens, 20 ms to the first and 5 ms between.
RequestRecord answer(int64_t index, int32_t stage = 0) {
  RequestRecord record;
  record.index = index;
  record.stage = stage;
  record.outcome = Outcome::kOk;
  record.scheduled_ns = record.sent_ns = index * 100 * kMs;
  record.first_token_ns = record.sent_ns + 20 * kMs;
  for (int i = 0; i < 4; ++i) record.chunks.push_back({record.first_token_ns + i * 5 * kMs, 1});
  record.last_token_ns = record.end_ns = record.chunks.back().at_ns;
  record.prompt_tokens = 10;
  record.output_tokens = 4;
  record.token_source = TokenSource::kUsage;
  return record;
}
RequestRecord failure(int64_t index, const std::string& detail) {
  RequestRecord record;
  record.index = index;
  record.outcome = Outcome::kHttp5xx;
  record.detail = detail;
  record.scheduled_ns = record.sent_ns = index * 100 * kMs;
  record.end_ns = record.sent_ns + 10 * kMs;
  return record;
}

RunLog log_of(std::vector<RequestRecord> records) {
  RunLog log;
  log.records = std::move(records);
  for (const RequestRecord& record : log.records) log.end_ns = std::max(log.end_ns, record.end_ns);
  log.steady_end_ns = log.end_ns;
  return log;
}

const Table* table_of(const Report& report, const std::string& id) {
  for (const Table& table : report.sections[0].tables) {
    if (table.id == id) return &table;
  }
  return nullptr;
}

TEST(LoadReportTest, ARunHasARowTablesAndKeyFigures) {
  std::vector<RequestRecord> records;
  for (int64_t i = 0; i < 50; ++i) records.push_back(answer(i));
  LoadFacts facts;
  facts.workload = {{"api", "chat"}};
  facts.notes = {"a note"};
  Report report;
  add_load_run(log_of(records), facts, &report);
  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.rows[0].id, "load");
  EXPECT_EQ(report.rows[0].status, "measured");
  EXPECT_EQ(report.rows[0].summary->ok, 50);
  EXPECT_EQ(report.rows[0].samples.at("ttft_ms").size(), 50u);
  EXPECT_LE(report.key_figures.size(), 6u);
  EXPECT_NEAR(report.seconds, 4.935, 1e-9);
  ASSERT_EQ(report.sections.size(), 1u);
  for (const char* id : {"rates", "latency", "outcomes"}) EXPECT_NE(table_of(report, id), nullptr) << id;
  EXPECT_EQ(table_of(report, "slo"), nullptr);
  EXPECT_EQ(table_of(report, "stages"), nullptr);
  EXPECT_EQ(table_of(report, "error_details"), nullptr);
  EXPECT_EQ(report.sections[0].notes[0].en, "a note");
  EXPECT_TRUE(report.warnings.empty());
}

TEST(LoadReportTest, WithoutASuccessItSaysWhatTheServerSaid) {
  std::vector<RequestRecord> records;
  for (int64_t i = 0; i < 5; ++i) records.push_back(failure(i, i < 3 ? "out of memory" : "busy"));
  Report report;
  add_load_run(log_of(records), {}, &report);
  EXPECT_EQ(report.rows[0].status, "failed");
  ASSERT_FALSE(report.warnings.empty());
  EXPECT_NE(report.warnings[0].en.find("No request succeeded: out of memory"), std::string::npos);
  const Table* details = table_of(report, "error_details");
  ASSERT_NE(details, nullptr);
  ASSERT_EQ(details->rows.size(), 2u);
  EXPECT_EQ(details->rows[0][1].en, "3");
  EXPECT_EQ(details->rows[1][3].en, "busy");
}

TEST(LoadReportTest, ManyDifferentErrorsAreCutWithAWord) {
  std::vector<RequestRecord> records;
  for (int64_t i = 0; i < 40; ++i) records.push_back(failure(i, "error " + std::to_string(i)));
  const Table details = error_details_table(records);
  EXPECT_EQ(details.rows.size(), 12u);
  ASSERT_EQ(details.notes.size(), 1u);
  EXPECT_NE(details.notes[0].en.find("28 other"), std::string::npos);
}

TEST(LoadReportTest, EachStageHasARow) {
  std::vector<RequestRecord> records;
  for (int64_t i = 0; i < 30; ++i) records.push_back(answer(i, i < 10 ? -1 : i < 20 ? 0 : 1));
  RunLog log = log_of(records);
  log.steady_begin_ns = 1000 * kMs;
  log.steady_end_ns = 3000 * kMs;
  LoadFacts facts;
  facts.stages = {{{"10 requests/s"}, 0, 2}, {{"20 requests/s"}, 2, 3}};
  Report report;
  add_load_run(log, facts, &report);
  const Table* stages = table_of(report, "stages");
  ASSERT_NE(stages, nullptr);
  ASSERT_EQ(stages->rows.size(), 2u);
  EXPECT_EQ(stages->rows[0][1].en, "10");
  ASSERT_EQ(report.rows.size(), 3u);
  EXPECT_EQ(report.rows[1].id, "load/stage-1");
  EXPECT_EQ(report.rows[2].summary->requests, 10);
  // One second each, ten answers in it.
  EXPECT_NEAR(report.rows[2].summary->qps_steady, 10, 1e-9);
}

TEST(LoadReportTest, AnObjectiveIsJudgedAndWarnedOf) {
  std::vector<RequestRecord> records;
  for (int64_t i = 0; i < 400; ++i) records.push_back(i % 4 == 0 ? failure(i, "x") : answer(i));
  LoadFacts facts;
  facts.slo = SloSpec::parse("ttft_p99=25ms,e2e_p50=30ms,error=50%").value();
  Report report;
  add_load_run(log_of(records), facts, &report);
  const Table* slo = table_of(report, "slo");
  ASSERT_NE(slo, nullptr);
  ASSERT_EQ(slo->rows.size(), 3u);
  EXPECT_EQ(slo->rows[0].back().en, "met");
  EXPECT_EQ(slo->rows[1].back().en, "missed");  // each answer takes 35 ms
  EXPECT_EQ(slo->rows[2].back().en, "met");
  EXPECT_FALSE(keeps_slo(records, *facts.slo));
  const bool warned = std::any_of(report.warnings.begin(), report.warnings.end(), [](const Text& warning) {
    return warning.en.find("was missed") != std::string::npos;
  });
  EXPECT_TRUE(warned);
  facts.slo = SloSpec::parse("e2e_p50=40ms").value();
  EXPECT_TRUE(keeps_slo(records, *facts.slo));
}

TEST(LoadReportTest, TimelinesAddUpToTheRun) {
  std::vector<RequestRecord> records;
  for (int64_t i = 0; i < 100; ++i) records.push_back(i % 10 == 9 ? failure(i, "x") : answer(i));
  const auto charts = timeline_charts(log_of(records));
  ASSERT_EQ(charts.size(), 4u);
  const Chart& rates = charts[0];
  const double bin_s = rates.series[0].x[1] - rates.series[0].x[0];
  std::vector<double> sums;
  for (const Series& series : rates.series) {
    double sum = 0;
    for (const double y : series.y) sum += y * bin_s;
    sums.push_back(sum);
  }
  EXPECT_NEAR(sums[0], 100, 1e-6);  // sent
  EXPECT_NEAR(sums[1], 90, 1e-6);   // answered
  EXPECT_NEAR(sums[2], 10, 1e-6);   // failed
  EXPECT_EQ(charts[1].series[0].y.back(), 0);
  for (const Chart& chart : charts) {
    for (const Series& series : chart.series) EXPECT_EQ(series.x.size(), series.y.size()) << chart.id;
  }
  EXPECT_EQ(rates.series[0].x.size(), 12u);
}

TEST(LoadReportTest, TokensThatAreNotKnownHaveNoChart) {
  std::vector<RequestRecord> records = {answer(0), answer(1)};
  records[1].chunks[2].tokens = 0;
  const auto charts = timeline_charts(log_of(records));
  for (const Chart& chart : charts) EXPECT_NE(chart.id, "tokens_over_time");
}

TEST(LoadReportTest, AnEmptyRunIsAReportToo) {
  Report report;
  add_load_run(RunLog(), {}, &report);
  EXPECT_EQ(report.rows[0].status, "failed");
  EXPECT_TRUE(report.warnings.empty());
}

}  // namespace
}  // namespace hussar
