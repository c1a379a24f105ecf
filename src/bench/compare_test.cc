#include "bench/compare.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bench/measures.h"
#include "bench/random.h"
#include "bench/text_table.h"

namespace hussar {
namespace {

struct RunSpec {
  double scale = 1;  // of latencies
  int64_t answers = 500;
  int64_t errors = 0;
  int32_t tokens = 5;
  uint64_t seed = 1;
  double late_ms = 0;  // sent so much later than scheduled
};

// A closed loop of one user: exponential waits, `tokens` gaps of about 5 ms.
std::vector<RequestRecord> make_records(const RunSpec& spec) {
  constexpr double kNsPerMs = 1e6;
  Random random(spec.seed);
  std::vector<RequestRecord> records;
  double now_ms = 0;
  for (int64_t i = 0; i < spec.answers + spec.errors; ++i) {
    RequestRecord record;
    record.scheduled_ns = static_cast<int64_t>(now_ms * kNsPerMs);
    now_ms += spec.late_ms;
    record.sent_ns = static_cast<int64_t>(now_ms * kNsPerMs);
    now_ms += spec.scale * (5 + 20 * random.exponential());
    record.first_token_ns = static_cast<int64_t>(now_ms * kNsPerMs);
    for (int32_t token = 0; token < spec.tokens; ++token) {
      record.chunks.push_back({static_cast<int64_t>(now_ms * kNsPerMs), 1});
      now_ms += spec.scale * (4 + random.uniform());
    }
    record.last_token_ns = record.end_ns = record.chunks.back().at_ns;
    record.prompt_tokens = 10;
    record.output_tokens = spec.tokens;
    record.outcome = i < spec.answers ? Outcome::kOk : Outcome::kHttp429;
    records.push_back(record);
  }
  return records;
}

Report make_report(const RunSpec& spec) {
  const std::vector<RequestRecord> records = make_records(spec);
  const Window window{0, records.back().end_ns, records.back().end_ns};
  MeasuredRow row;
  row.id = "load";
  row.status = "measured";
  row.workload = {{"users", 1}, {"lengths", JsonObject{{"in", 10}, {"out", JsonArray{5, 5}}}}};
  row.summary = summarize(records, window, std::nullopt);
  row.samples = metric_samples(records, window, 5000);
  Report report;
  report.kind = "load";
  report.model = "m";
  report.api = "chat";
  report.rows = {row};
  return report;
}

RunResults read_back(const Report& report) {
  auto results = parse_results(write_json(report_to_json(report)));
  EXPECT_TRUE(results.ok()) << results.error().message;
  return std::move(*results);
}

Comparison compare(const Report& a, const Report& b) {
  auto comparison = compare_runs(read_back(a), read_back(b), {});
  EXPECT_TRUE(comparison.ok()) << comparison.error().message;
  return std::move(*comparison);
}
Comparison compare(const RunSpec& a, const RunSpec& b) { return compare(make_report(a), make_report(b)); }

const ComparedFigure* find(const ComparedRow& row, const std::string& name) {
  const auto found = std::find_if(row.figures.begin(), row.figures.end(),
                                  [&](const ComparedFigure& figure) { return figure.name == name; });
  return found == row.figures.end() ? nullptr : &*found;
}
FigureVerdict verdict(const Comparison& comparison, const std::string& name) {
  const ComparedFigure* figure = find(comparison.rows.at(0), name);
  EXPECT_TRUE(figure != nullptr) << name;
  return figure ? figure->verdict : FigureVerdict::kFigureOnly;
}

TEST(Compare, SeesASlowerServer) {
  const Comparison comparison = compare({.seed = 1}, {.scale = 1.5, .seed = 2});
  for (const char* name : {"ttft_ms.p50", "tpot_ms.p50", "itl_ms.p50", "e2e_ms.p50", "qps",
                           "output_tokens_per_s", "normalised_ms_per_token.p50"}) {
    const ComparedFigure* figure = find(comparison.rows[0], name);
    ASSERT_TRUE(figure) << name;
    EXPECT_EQ(figure->verdict, FigureVerdict::kWorse) << name;
    ASSERT_TRUE(figure->difference) << name;
    EXPECT_LE(figure->difference->low, figure->b - figure->a) << name;
    EXPECT_GE(figure->difference->high, figure->b - figure->a) << name;
  }
  EXPECT_EQ(find(comparison.rows[0], "itl_ms.p50")->method, "bootstrap by request");
  EXPECT_EQ(find(comparison.rows[0], "qps")->method, "welch");
  const Comparison reverse = compare({.scale = 1.5, .seed = 2}, {.seed = 1});
  EXPECT_EQ(verdict(reverse, "ttft_ms.p50"), FigureVerdict::kBetter);
  EXPECT_EQ(verdict(reverse, "qps"), FigureVerdict::kBetter);
}

// Of 95 % intervals of equal servers, some leave 0 out. More than 30 of 200 would be a defect: the binomial
// with p = 5 % goes beyond that with a chance below 1e-6, and these figures of one run depend on each other
// only in pairs.
TEST(Compare, SeesHardlyAnyDifferenceBetweenEqualServers) {
  int64_t intervals = 0, alarms = 0;
  for (uint64_t seed = 1; intervals < 200; ++seed) {
    const Comparison comparison = compare({.seed = 2 * seed}, {.seed = 2 * seed + 1});
    for (const char* name : {"ttft_ms.p50", "ttft_ms.p99", "itl_ms.p50", "tpot_ms.p99", "qps"}) {
      ++intervals;
      if (verdict(comparison, name) != FigureVerdict::kNoDifference) ++alarms;
    }
  }
  EXPECT_LE(alarms, 30);
}

TEST(Compare, SaysWhenSamplesAreTooFew) {
  Comparison comparison = compare({.answers = 100, .seed = 1}, {.scale = 3, .answers = 100, .seed = 2});
  EXPECT_EQ(verdict(comparison, "ttft_ms.p50"), FigureVerdict::kWorse);
  EXPECT_FALSE(find(comparison.rows[0], "ttft_ms.p99")) << "a hundred answers have no p99 to compare";
  EXPECT_EQ(verdict(comparison, "ttft_ms.p90"), FigureVerdict::kWorse);
  comparison = compare({.answers = 5, .seed = 1}, {.scale = 3, .answers = 5, .seed = 2});
  for (const char* name : {"ttft_ms.p50", "ttft_ms.p99", "itl_ms.p50", "qps", "output_tokens_per_s"})
    EXPECT_EQ(verdict(comparison, name), FigureVerdict::kTooFew) << name;
  // 19 requests have gaps enough, but they are 19 groups.
  comparison =
      compare({.answers = 19, .tokens = 50, .seed = 1}, {.scale = 3, .answers = 19, .tokens = 50, .seed = 2});
  EXPECT_EQ(verdict(comparison, "itl_ms.p50"), FigureVerdict::kTooFew);
  EXPECT_EQ(verdict(comparison, "tpot_ms.p50"), FigureVerdict::kWorse);
}

TEST(Compare, ErrorRatesAreProportions) {
  const Comparison comparison = compare({.answers = 490, .errors = 10}, {.answers = 440, .errors = 60});
  const ComparedFigure* figure = find(comparison.rows[0], "error_rate");
  ASSERT_TRUE(figure);
  EXPECT_DOUBLE_EQ(figure->a, 0.02);
  EXPECT_DOUBLE_EQ(figure->b, 0.12);
  EXPECT_EQ(figure->count_a, 500);
  EXPECT_EQ(figure->verdict, FigureVerdict::kWorse);
  EXPECT_EQ(comparison.rows[0].notes.size(), 1u) << "refusals may make latencies look better";
}

TEST(Compare, ScheduledLatenciesShowWhereTheyDiffer) {
  EXPECT_FALSE(find(compare({.seed = 1}, {.seed = 2}).rows[0], "ttft_scheduled_ms.p50"));
  EXPECT_EQ(verdict(compare({.seed = 1}, {.seed = 2, .late_ms = 40}), "ttft_scheduled_ms.p50"),
            FigureVerdict::kWorse);
}

TEST(Compare, ThinnedSamplesMoveTheIntervalToTheWholeFigures) {
  Report a = make_report({.seed = 1}), b = make_report({.scale = 1.2, .seed = 2});
  const auto full_a = *a.rows[0].summary;
  a.rows[0].samples = metric_samples(make_records({.seed = 1}), 60);
  const Comparison comparison = compare(a, b);
  const ComparedFigure* figure = find(comparison.rows[0], "ttft_ms.p50");
  EXPECT_EQ(figure->count_a, 60);
  EXPECT_EQ(figure->a, full_a.ttft_ms.p50);
  EXPECT_LT(figure->difference->low, figure->b - figure->a);
  EXPECT_GT(figure->difference->high, figure->b - figure->a);
  EXPECT_EQ(verdict(comparison, "qps"), FigureVerdict::kFigureOnly) << "no slices, no interval";
}

TEST(Compare, ScoresCompareAtAnyDepth) {
  Report a = make_report({}), b = make_report({});
  const auto scores = [](int64_t right, double length) {
    return JsonObject{{"legal", JsonObject{{"count", 100}, {"right", right}, {"share", 0.5}}},
                      {"distances", JsonArray{JsonObject{
                                        {"turns", 8}, {"recall", JsonObject{{"count", 40}, {"right", 4}}}}}},
                      {"length_score", length},
                      {"reason", "stop"}};
  };
  a.rows[0].extra = scores(97, 1.5);
  b.rows[0].extra = scores(60, 2.5);
  const Comparison comparison = compare(a, b);
  EXPECT_EQ(verdict(comparison, "extra.legal"), FigureVerdict::kWorse);
  EXPECT_EQ(verdict(comparison, "extra.distances.turns 8.recall"), FigureVerdict::kNoDifference);
  EXPECT_EQ(verdict(comparison, "extra.length_score"), FigureVerdict::kFigureOnly);
  EXPECT_FALSE(find(comparison.rows[0], "extra.legal.share"));
}

std::string refusal(const Report& a, const Report& b) {
  const auto comparison = compare_runs(read_back(a), read_back(b), {});
  EXPECT_FALSE(comparison.ok());
  if (comparison.ok()) return "";
  EXPECT_EQ(comparison.error().code, ErrorCode::kInvalid);
  return comparison.error().message;
}

TEST(Compare, RefusesRunsOfDifferentWorkloads) {
  const Report a = make_report({});
  Report b = a;
  b.rows[0].workload = {{"lengths", JsonObject{{"out", JsonArray{5, 6}}, {"in", 10.0}}}, {"users", 1}};
  EXPECT_EQ(refusal(a, b),
            "the runs can't be compared: row load has different workloads, lengths.out[1]: 5 in A, 6 in B");
  b.rows[0].workload = {{"users", 1}};
  EXPECT_NE(refusal(a, b).find("lengths: {"), std::string::npos);
  EXPECT_NE(refusal(b, a).find("absent in A"), std::string::npos);
  b = a;
  b.workload = {{"seed", 4}};
  EXPECT_NE(refusal(a, b).find("their workloads differ in workload.seed: absent in A, 4 in B"),
            std::string::npos);
  b = a;
  b.kind = "article";
  EXPECT_NE(refusal(a, b).find("A is of kind load, B of kind article"), std::string::npos);
  b = a;
  b.rows[0].id = "other";
  EXPECT_NE(refusal(a, b).find("no row in common"), std::string::npos);
}

TEST(Compare, NumbersOfAWorkloadAreEqualHoweverTheyAreWritten) {
  const Report a = make_report({});
  Report b = a;
  b.rows[0].workload = {{"lengths", JsonObject{{"out", JsonArray{5.0, 5}}, {"in", 10}}}, {"users", 1.0}};
  compare(a, b);
}

TEST(Compare, RowsThatOneRunLacksAreNamed) {
  Report a = make_report({}), b = make_report({});
  a.rows.push_back({"long", "measured", "", {}, {}, {}, {}});
  b.rows.push_back({"long", "does_not_fit", "", {{"tokens", 3}}, {}, {}, {}});
  b.rows.push_back({"new", "measured", "", {}, {}, {}, {}});
  const Comparison comparison = compare(a, b);
  ASSERT_EQ(comparison.rows.size(), 3u);
  EXPECT_EQ(comparison.rows[1].status_b, "does_not_fit");
  EXPECT_EQ(comparison.rows[2].status_a, "absent");
  EXPECT_EQ(regressions(comparison, 5), std::vector<std::string>{"long: measured in A, does_not_fit in B"});
}

TEST(Compare, RegressionsHaveAThreshold) {
  const Comparison comparison = compare({.seed = 1}, {.scale = 1.5, .seed = 2});
  EXPECT_FALSE(regressions(comparison, 20).empty());
  EXPECT_TRUE(regressions(comparison, 200).empty());
  EXPECT_TRUE(regressions(compare({.scale = 1.5, .seed = 2}, {.seed = 1}), 0).empty())
      << "better is no regression";
  // Error rates: points, not parts of a rate that may be 0.
  const Comparison errors = compare({.answers = 500, .seed = 3}, {.answers = 440, .errors = 60, .seed = 3});
  const std::vector<std::string> worse = regressions(errors, 10);
  EXPECT_TRUE(std::any_of(worse.begin(), worse.end(), [](const std::string& line) {
    return line.find("Error rate is worse by 12 % points") != std::string::npos;
  }));
  for (const std::string& line : regressions(errors, 13))
    EXPECT_EQ(line.find("Error rate"), std::string::npos);
}

TEST(Compare, WarnsOfDoubtfulRuns) {
  Report a = make_report({}), b = make_report({});
  b.model = "another";
  b.api = "completions";
  b.interrupted = true;
  b.proof.client_limited = true;
  const Comparison comparison = compare(a, b);
  ASSERT_EQ(comparison.warnings.size(), 4u);
  EXPECT_TRUE(comparison.warnings[0].en.starts_with("CLIENT-LIMITED: in B "));
}

TEST(Compare, TheSameFilesGiveTheSameAnswer) {
  const Report a = make_report({.seed = 1}), b = make_report({.seed = 2});
  EXPECT_EQ(write_json(comparison_to_json(compare(a, b))), write_json(comparison_to_json(compare(a, b))));
}

TEST(Compare, TextFitsAScreenAndJsonIsValid) {
  const Comparison comparison = compare({.seed = 1}, {.scale = 1.5, .answers = 440, .errors = 60, .seed = 2});
  const std::string text = comparison_to_text(comparison);
  EXPECT_NE(text.find("TTFT p50"), std::string::npos);
  EXPECT_NE(text.find("Many comparisons: of "), std::string::npos);
  const auto json = parse_json(write_json(comparison_to_json(comparison)), {});
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(*json->find("schema")->as_string(), "hussar-bench-comparison");
  const Section section = comparison_section(comparison);
  ASSERT_EQ(section.tables.size(), 1u);
  for (const auto& row : section.tables[0].rows) EXPECT_EQ(row.size(), section.tables[0].columns.size());
}

TEST(TextTable, AlignsWordsLeftAndFiguresRight) {
  Table table;
  table.columns = {{"name"}, {"ms"}};
  table.rows = {{{"a"}, {"1.50"}}, {{"b\u2014c"}, {"120"}}, {{"d"}, {"\u2014"}}};
  EXPECT_EQ(table_to_text(table, "> "),
            "> name    ms\n"
            "> a     1.50\n"
            "> b\u2014c    120\n"
            "> d        \u2014\n");
}

}  // namespace
}  // namespace hussar
