#include "bench/run_results.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bench/measures.h"
#include "bench/report.h"

namespace hussar {
namespace {

RequestRecord answer(int64_t sent_ms) {
  RequestRecord record;
  record.sent_ns = record.scheduled_ns = sent_ms * 1'000'000;
  record.first_token_ns = record.sent_ns + 20'000'000;
  record.last_token_ns = record.end_ns = record.sent_ns + 50'000'000;
  record.chunks = {{record.first_token_ns, 1}, {record.last_token_ns, 1}};
  record.outcome = Outcome::kOk;
  record.prompt_tokens = 7;
  record.output_tokens = 2;
  return record;
}

Report small_report() {
  std::vector<RequestRecord> records;
  for (int i = 0; i < 40; ++i) records.push_back(answer(100 * i));
  const Window window{0, 4'000'000'000, 4'000'000'000};
  MeasuredRow row;
  row.id = "load";
  row.status = "measured";
  row.workload = {{"users", 4}};
  row.summary = summarize(records, window, std::nullopt);
  row.samples = metric_samples(records, window, 1000);
  row.extra = {{"legal", JsonObject{{"count", 10}, {"right", 9}}}};
  Report report;
  report.kind = "load";
  report.model = "a\nmodel";
  report.server = "hussar 0.1";
  report.workload = {{"seed", 1}};
  report.rows = {row};
  report.rows.push_back({"other", "does_not_fit", "too long", {}, {}, {}, {}});
  return report;
}

TEST(RunResults, ReadsWhatAReportWrites) {
  const auto results = parse_results(write_json(report_to_json(small_report())));
  ASSERT_TRUE(results.ok()) << results.error().message;
  EXPECT_EQ(results->kind, "load");
  EXPECT_EQ(results->model, "a model") << "texts are lines";
  EXPECT_EQ(results->server, "hussar 0.1");
  ASSERT_EQ(results->rows.size(), 2u);
  const RunRow& row = results->rows[0];
  EXPECT_TRUE(row.summarised);
  EXPECT_EQ(write_json(Json(row.workload)), "{\"users\":4}");
  EXPECT_EQ(row.summary.ok, 40);
  EXPECT_EQ(row.summary.distributions.at("ttft_ms").p50, 20);
  EXPECT_EQ(row.summary.distributions.at("output_tokens_each").mean, 2);
  EXPECT_FALSE(row.summary.distributions.contains("connect_ms"));
  EXPECT_EQ(row.summary.samples.at("ttft_ms").size(), 40u);
  EXPECT_EQ(row.summary.itl_group_sizes, std::vector<int64_t>(40, 1));
  EXPECT_EQ(row.summary.samples.at("qps_slices").size(), static_cast<size_t>(kRateSlices));
  EXPECT_DOUBLE_EQ(row.summary.rates.at("qps_steady"), 10);
  EXPECT_FALSE(row.summary.rates.contains("goodput_qps")) << "unknown";
  EXPECT_FALSE(results->rows[1].summarised);
  EXPECT_EQ(results->rows[1].note, "too long");
}

// The document with the member at `path` replaced, or taken away.
std::string broken(const std::vector<std::string>& path, const std::optional<Json>& value) {
  Json document = report_to_json(small_report());
  Json* at = &document;
  for (size_t i = 0; i < path.size(); ++i) {
    if (auto* items = std::get_if<JsonArray>(&at->value())) {
      at = &(*items)[std::stoul(path[i])];
      continue;
    }
    auto& members = std::get<JsonObject>(at->value());
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == path[i]; });
    if (i + 1 < path.size() || value) {
      at = &found->second;
    } else {
      members.erase(found);
      return write_json(document);
    }
  }
  *at = *value;
  return write_json(document);
}

TEST(RunResults, NamesTheMemberThatIsWrong) {
  using Path = std::vector<std::string>;
  struct Case {
    Path path;
    std::optional<Json> value;
    const char* message;
  };
  const Case cases[] = {
      {{"schema"}, Json("other"), "schema must be"},
      {{"version"}, Json(2), "its version is 2"},
      {{"version"}, Json("1"), "version must be a count"},
      {{"kind"}, std::nullopt, "kind is missing"},
      {{"target"}, Json(1), "target must be an object"},
      {{"target", "model"}, std::nullopt, "target.model is missing"},
      {{"interrupted"}, Json("no"), "interrupted must be true or false"},
      {{"rows"}, Json(1), "rows must be an array"},
      {{"rows", "1"}, Json("x"), "rows[1] must be an object"},
      {{"rows", "1", "id"}, Json("load"), "rows[1].id stands twice: load"},
      {{"rows", "0", "workload"}, Json(JsonArray{}), "rows[0].workload must be an object"},
      {{"rows", "0", "summary"}, Json(5), "rows[0].summary must be an object"},
      {{"rows", "0", "summary", "ok"}, Json(-1), "rows[0].summary.ok must be a count"},
      {{"rows", "0", "summary", "ttft_ms", "p50"},
       Json("x"),
       "rows[0].summary.ttft_ms.p50 must be a sound number"},
      {{"rows", "0", "summary", "ttft_ms", "p99"},
       Json(1e300),
       "rows[0].summary.ttft_ms.p99 must be a sound"},
      {{"rows", "0", "summary", "tpot_ms"}, std::nullopt, "rows[0].summary.tpot_ms is missing"},
      {{"rows", "0", "samples", "ttft_ms"},
       Json(JsonArray{1, "a"}),
       "rows[0].samples.ttft_ms must hold sound"},
      {{"rows", "0", "samples", "itl_ms_group_sizes"}, Json(JsonArray{3}), "add up to those of itl_ms"},
      {{"rows", "0", "samples", "itl_ms_group_sizes"}, Json(JsonArray{0, 40}), "add up to those of itl_ms"},
      {{"rows", "0", "samples", "itl_ms_group_sizes"},
       Json(JsonArray{39.5, 0.5}),
       "add up to those of itl_ms"},
  };
  for (const Case& c : cases) {
    const auto results = parse_results(broken(c.path, c.value));
    ASSERT_FALSE(results.ok()) << c.message;
    EXPECT_EQ(results.error().code, ErrorCode::kInvalid);
    EXPECT_NE(results.error().message.find(c.message), std::string::npos) << results.error().message;
  }
}

TEST(RunResults, RefusesWhatIsNoJsonOrTooMuch) {
  EXPECT_FALSE(parse_results("").ok());
  EXPECT_FALSE(parse_results("[]").ok());
  EXPECT_FALSE(parse_results("{}").ok());
  EXPECT_EQ(parse_results(std::string(kResultsBytesMax + 1, ' ')).error().code, ErrorCode::kTooLarge);
  std::string many = "[0";
  for (size_t i = 0; i < kResultsValuesMax; ++i) many += ",0";
  EXPECT_EQ(parse_results(many + "]").error().code, ErrorCode::kTooLarge);
  const JsonArray samples(20'001, Json(1));
  EXPECT_NE(parse_results(broken({"rows", "0", "samples", "ttft_ms"}, Json(samples)))
                .error()
                .message.find("20000 numbers at most"),
            std::string::npos);
}

TEST(RunResults, LoadsAFileOrItsFolder) {
  char name[] = "/tmp/hussar_results_XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  const std::string file = (folder / "results.json").string();
  EXPECT_EQ(load_results(file).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(load_results(folder.string()).error().code, ErrorCode::kNotFound);
  std::ofstream(file) << write_json(report_to_json(small_report()));
  EXPECT_TRUE(load_results(file).ok());
  EXPECT_TRUE(load_results(folder.string()).ok());
  std::ofstream(file) << "{";
  EXPECT_TRUE(load_results(file).error().message.starts_with(file));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hussar
