#include "bench/report_sections.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace hussar {
namespace {

const Chart* chart_of(const Section& section, std::string_view id) {
  for (const Chart& chart : section.charts) {
    if (chart.id == id) return &chart;
  }
  return nullptr;
}

TEST(ServerSection, OnlyWhatWasSeenHasAChart) {
  std::vector<ServerSample> samples(3);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].at_s = static_cast<double>(i);
    samples[i].running = 4;
    samples[i].kv_use = 0.25;
  }
  samples[1].kv_use = -1;
  const Section section = server_section(samples, {"GPU: none"});
  ASSERT_EQ(section.charts.size(), 2U);
  EXPECT_EQ(chart_of(section, "server_requests")->series.size(), 1U);
  const std::vector<double>& use = chart_of(section, "server_kv")->series[0].y;
  EXPECT_EQ(use[0], 25);
  EXPECT_TRUE(std::isnan(use[1]));
  EXPECT_EQ(section.notes.at(0).en, "Not seen: GPU: none");
}

TEST(ServerSection, ARateIsOfTheCounterAndStopsWhereTheServerStartedAnew) {
  const double totals[] = {100, 160, 30, -1, 50, 90};
  std::vector<ServerSample> samples(6);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].at_s = 2.0 * static_cast<double>(i);
    samples[i].generation_tokens = totals[i];
  }
  const Section section = server_section(samples, {});
  const std::vector<double>& rate = chart_of(section, "server_tokens")->series.at(0).y;
  EXPECT_TRUE(std::isnan(rate[0]));
  EXPECT_EQ(rate[1], 30);
  EXPECT_TRUE(std::isnan(rate[2]));
  EXPECT_TRUE(std::isnan(rate[3]));
  EXPECT_TRUE(std::isnan(rate[4]));
  EXPECT_EQ(rate[5], 20);
}

TEST(ServerSection, ThinningKeepsThePeak) {
  std::vector<ServerSample> samples(50'000);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].at_s = static_cast<double>(i);
    samples[i].waiting = i == 31'337 ? 999 : 1;
  }
  const Section section = server_section(samples, {});
  const Series& waiting = chart_of(section, "server_requests")->series.at(0);
  EXPECT_LE(waiting.y.size(), 1200U);
  EXPECT_EQ(*std::max_element(waiting.y.begin(), waiting.y.end()), 999);
  EXPECT_EQ(section.tables.at(0).rows.at(0).at(1).en, "999");
  EXPECT_EQ(section.notes.size(), 1U);
}

TEST(Sections, OwnOnesComeFirstAndTheServersOnlyWhenThereIsSomethingToSay) {
  Report report;
  report.sections.resize(1);
  report.sections[0].id = "own";
  std::vector<std::string> ids;
  for (const Section& section : all_sections(report)) ids.push_back(section.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"own", "self-proof", "environment", "formulas"}));
  report.server_missing = {"no /metrics: 404"};
  EXPECT_EQ(all_sections(report).at(1).id, "server");
}

TEST(Sections, FactsAreShownAsTheyAre) {
  const JsonObject object = {{"memory_bytes", int64_t{25'000'000'000}},
                             {"temperature", 0.7},
                             {"cores", 2},
                             {"seed", nullptr},
                             {"lengths", JsonArray{1, 2}}};
  const Table table = object_table("t", {"T"}, object);
  EXPECT_EQ(table.rows[0][1].en, "25.0 GB");
  EXPECT_EQ(table.rows[1][1].en, "0.7");
  EXPECT_EQ(table.rows[2][0].zh, "核数");
  EXPECT_EQ(table.rows[3][1].en, "\u2014");
  EXPECT_EQ(table.rows[4][1].en, "[1,2]");
}

TEST(Sections, TheCommandCanBeTypedAgainWithoutItsSecrets) {
  Report report;
  report.command = {"hussar", "bench", "--api-key", "sk", "--out", "it's mine"};
  const Section environment = all_sections(report).at(1);
  EXPECT_EQ(environment.notes.at(0).en, "Command: hussar bench --api-key *** --out 'it'\\''s mine'");
}

}  // namespace
}  // namespace hussar
