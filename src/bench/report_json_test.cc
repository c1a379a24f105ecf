#include "bench/report_json.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hussar {
namespace {

// What a reader gets after writing and parsing.
Json read_back(const Json& value) {
  Result<Json> parsed = parse_json(write_json(value), {});
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
  return parsed.ok() ? *parsed : Json();
}

TEST(ReportJson, SaysWhatItIs) {
  const Json json = read_back(report_to_json({}));
  EXPECT_EQ(*json.find("schema")->as_string(), "hussar-bench-results");
  EXPECT_EQ(*json.find("version")->as_int(), 1);
  EXPECT_FALSE(*json.find("client_limited")->as_bool());
  EXPECT_GT(json.find("formulas")->as_array()->size(), 0U);
}

TEST(ReportJson, WhatIsUnknownIsNull) {
  Report report;
  report.server_samples.resize(1);
  report.server_samples[0].running = 0;
  report.rows.resize(1);
  report.rows[0].samples["ttft_ms"] = {1.5, NAN};
  report.rows[0].extra = {{"legal_fraction", NAN}};
  const Json json = read_back(report_to_json(report));
  const Json& sample = json.find("server_samples")->as_array()->at(0);
  EXPECT_EQ(sample.find("gpu_memory_bytes")->type_name(), "null");
  double running = -1;
  ASSERT_TRUE(sample.find("running_requests")->as_number(&running));
  EXPECT_EQ(running, 0);
  const Json& row = json.find("rows")->as_array()->at(0);
  EXPECT_TRUE(row.find("summary")->is_null());
  EXPECT_TRUE(row.find("extra")->find("legal_fraction")->is_null());
  EXPECT_TRUE(row.find("samples")->find("ttft_ms")->as_array()->at(1).is_null());
}

TEST(ReportJson, ChartsKeepGapsAndRoundToSixDigits) {
  Section section;
  section.charts.resize(1);
  section.charts[0].series = {{{"s"}, {1, 2}, {0.123456789, NAN}, Series::Role::kReference}};
  const Json json = read_back(section_to_json(section));
  const Json& series = json.find("charts")->as_array()->at(0).find("series")->as_array()->at(0);
  EXPECT_EQ(*series.find("role")->as_string(), "reference");
  double rounded = 0;
  ASSERT_TRUE(series.find("y")->as_array()->at(0).as_number(&rounded));
  EXPECT_EQ(rounded, 0.123457);
  EXPECT_TRUE(series.find("y")->as_array()->at(1).is_null());
}

TEST(ReportJson, TextsHaveBothLanguages) {
  const Json json = text_to_json({"QPS"});
  EXPECT_EQ(*json.find("zh")->as_string(), "QPS");
}

TEST(ReportJson, ARecordKeepsItsTimesAndCounts) {
  RequestRecord record;
  record.index = 7;
  record.outcome = Outcome::kTruncated;
  record.detail = "broken \xff byte";
  record.sent_ns = 0;
  record.chunks = {{5'000'000'000, 3}, {6'000'000'000, 0}};
  const Json json = read_back(record_to_json(record));
  EXPECT_EQ(*json.find("outcome")->as_string(), "truncated");
  EXPECT_EQ(*json.find("sent_ns")->as_int(), 0);
  EXPECT_TRUE(json.find("scheduled_ns")->is_null());
  EXPECT_TRUE(json.find("http_status")->is_null());
  EXPECT_TRUE(json.find("output_tokens")->is_null());
  EXPECT_EQ(*json.find("chunk_at_ns")->as_array()->at(0).as_int(), 5'000'000'000);
  EXPECT_EQ(*json.find("chunk_tokens")->as_array()->at(0).as_int(), 3);
  EXPECT_EQ(*json.find("detail")->as_string(), "broken \uFFFD byte");
  EXPECT_EQ(json.find("text"), nullptr);  // only where the run kept it
}

}  // namespace
}  // namespace hussar
