#include "bench/report_tables.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bench/format.h"

namespace hussar {
namespace {

Distribution counted(int64_t count) {
  Distribution distribution;
  distribution.count = count;
  distribution.mean = 2;
  distribution.p50_exact = distribution.p99_exact = count > 300;
  return distribution;
}

TEST(ReportTables, MeasuresWithoutSamplesAreLeftOut) {
  Summary summary;
  summary.ttft_ms = counted(500);
  summary.itl_ms = counted(10);
  summary.coalesced_gaps = 3;
  const Table table = distributions_table("d", {"D"}, summary);
  ASSERT_EQ(table.rows.size(), 2U);
  for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
  EXPECT_EQ(table.rows[0][0].en, "TTFT, ms");
  EXPECT_FALSE(table.rows[0].back().en.ends_with("*"));
  EXPECT_TRUE(table.rows[1].back().en.ends_with("*"));
  EXPECT_EQ(table.notes.size(), 2U);  // what the asterisk means; the coalesced gaps
}

TEST(ReportTables, OutcomesShowWhatOccurredAndSuccessAlways) {
  Summary summary;
  summary.outcomes.assign(kOutcomeCount, 0);
  summary.outcomes[static_cast<size_t>(Outcome::kHttp429)] = 3;
  summary.errors = 3;
  const Table table = outcomes_table("o", {"O"}, summary);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0][0].en, "ok");
  EXPECT_EQ(table.rows[0][2].en, "0 %");
  EXPECT_EQ(table.rows[1][0].en, "HTTP 429");
  EXPECT_EQ(table.rows[1][2].en, "100 %");
}

TEST(ReportTables, EveryOutcomeHasItsOwnWords) {
  Summary summary;
  summary.outcomes.assign(kOutcomeCount, 1);
  const Table table = outcomes_table("o", {"O"}, summary);
  std::vector<std::string> names;
  for (const auto& row : table.rows) names.push_back(row[0].en);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names.size(), static_cast<size_t>(kOutcomeCount));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_NE(names.front(), "");
}

TEST(ReportTables, UnknownTokensLeaveTheirRatesOut) {
  Summary summary;
  summary.tokens_unknown = 4;
  const Table table = rates_table("r", {"R"}, summary);
  EXPECT_EQ(table.rows[1][1].en, kNoFigure);
  ASSERT_EQ(table.notes.size(), 1U);
  EXPECT_NE(table.notes[0].en.find("4 answers have unknown output tokens"), std::string::npos);
}

TEST(ReportTables, ACumulativeCurveEndsAtTheGreatestSample) {
  std::vector<double> many(1000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>((i * 7) % 1000);
  const std::vector<double> few = {3, 1, 2, 4};
  const NamedSamples named[] = {{{"many"}, many}, {{"none"}, {}}, {{"few"}, few}};
  const Chart chart = cumulative_chart("c", {"C"}, {"ms"}, named);
  ASSERT_EQ(chart.series.size(), 2U);
  EXPECT_EQ(chart.series[0].x.size(), 200U);
  EXPECT_EQ(chart.series[0].x.back(), 999);
  EXPECT_EQ(chart.series[0].y.back(), 100);
  EXPECT_EQ(chart.series[0].x.front(), 4);  // five of a thousand are at most 4
  EXPECT_EQ(chart.series[0].y.front(), 0.5);
  EXPECT_EQ(chart.series[1].x, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(chart.series[1].y, (std::vector<double>{25, 50, 75, 100}));
}

}  // namespace
}  // namespace hussar
