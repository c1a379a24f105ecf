#include "bench/report.h"

#include <gtest/gtest.h>

#include "bench/format.h"
#include "bench/report_json.h"

namespace hussar {
namespace {

Table one_column(std::vector<std::string> cells) {
  Table table;
  table.columns = {{"c"}};
  for (std::string& cell : cells) table.rows.push_back({{std::move(cell)}});
  return table;
}

TEST(Report, ChineseFallsBackToEnglish) {
  EXPECT_EQ(in_language({"users", "用户"}, Language::kChinese), "用户");
  EXPECT_EQ(in_language({"users", "用户"}, Language::kEnglish), "users");
  EXPECT_EQ(in_language({"QPS"}, Language::kChinese), "QPS");
}

TEST(Report, ColumnsOfFiguresAreKnownByTheirDigits) {
  EXPECT_TRUE(is_figure_column(one_column({"12", "<0.001", ">-0.01 %", "-1.5", "\u22480.2"}), 0));
  EXPECT_TRUE(is_figure_column(one_column({"12", std::string(kNoFigure), "", "words", "13"}), 0));
  EXPECT_FALSE(is_figure_column(one_column({"12", "words", "more words"}), 0));
  EXPECT_FALSE(is_figure_column(one_column({std::string(kNoFigure), ""}), 0));
  EXPECT_FALSE(is_figure_column(one_column({"-", "<", "- 1"}), 0));
  EXPECT_FALSE(is_figure_column(one_column({"12"}), 1));
}

TEST(Report, FactsAreWordsEvenWhereTheyBeginWithDigits) {
  Table table = one_column({"0.1.0", "2"});
  table.kind = Table::Kind::kFacts;
  EXPECT_FALSE(is_figure_column(table, 0));
}

TEST(Report, SecretsAreMasked) {
  const std::vector<std::string> words = {"hussar",
                                          "--api-key",
                                          "sk-1",
                                          "--header",
                                          "X-Key: sk-2",
                                          "--api-key=sk-3",
                                          "--header=Authorization: Bearer sk-4",
                                          "--url",
                                          "http://me:sk-5@host:1/v1",
                                          "--out",
                                          "x"};
  const std::vector<std::string> masked = {"hussar",
                                           "--api-key",
                                           "***",
                                           "--header",
                                           "X-Key: ***",
                                           "--api-key=***",
                                           "--header=Authorization: ***",
                                           "--url",
                                           "http://***@host:1/v1",
                                           "--out",
                                           "x"};
  EXPECT_EQ(masked_command(words), masked);
  EXPECT_EQ(masked_command({"--header", "no colon"}), (std::vector<std::string>{"--header", "***"}));
  EXPECT_EQ(masked_command({"--api-key"}), (std::vector<std::string>{"--api-key"}));
}

TEST(Report, UrlsKeepWhatIsNoPassword) {
  EXPECT_EQ(masked_url("http://127.0.0.1:8080/v1"), "http://127.0.0.1:8080/v1");
  EXPECT_EQ(masked_url("http://host/a@b"), "http://host/a@b");
  EXPECT_EQ(masked_url("https://u:p@q@host"), "https://***@host");
  EXPECT_EQ(masked_url("no url @ all"), "no url @ all");
}

TEST(Report, WarningsBeginWithWhatFollowsFromTheRun) {
  Report report;
  EXPECT_TRUE(all_warnings(report).empty());
  report.warnings = {{"own"}};
  report.interrupted = true;
  report.proof.client_limited = true;
  report.proof.reason = "CPU at 99 %";
  const std::vector<Text> warnings = all_warnings(report);
  ASSERT_EQ(warnings.size(), 3U);
  EXPECT_EQ(warnings[0].en, "CLIENT-LIMITED: CPU at 99 %");
  EXPECT_NE(warnings[1].en.find("interrupted"), std::string::npos);
  EXPECT_EQ(warnings[2].en, "own");
}

}  // namespace
}  // namespace hussar
