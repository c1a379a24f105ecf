#include "bench/article/cell_result.h"

#include <gtest/gtest.h>

#include "bench/article/testing_records.h"

namespace hussar {
namespace {

// Everything has a value that no default has, and no two have the same.
CellResult full_cell() {
  CellResult cell;
  cell.id = "latency/512/cold";
  cell.status = "cut";
  cell.note = {"cut: \"2 of 5\"", "已截断"};
  cell.seconds = 12.25;
  cell.workload = {{"input_tokens", 512}, {"nested", JsonObject{{"a", JsonArray{1, 2.5, "x"}}}}};
  cell.extra = {{"score", 0.5}};
  cell.window = {1, 2, 3};
  RequestRecord record = ok_record(10, 20, 30, {{20, 1}, {25, 2}, {30, 0}});
  record.index = 41;
  record.user = 42;
  record.stage = 43;
  record.label = "warm \u91CF";
  record.scheduled_ns = 44;
  record.connected_ns = 45;
  record.written_ns = 46;
  record.head_ns = 47;
  record.connection_reused = true;
  record.streamed = false;
  record.outcome = Outcome::kUsageMismatch;
  record.detail = "one\ttwo";
  record.http_status = 200;
  record.retry_after_s = 1.5;
  record.prompt_tokens = 512;
  record.cached_tokens = 48;
  record.token_source = TokenSource::kTokenize;
  record.finish_reason = "length";
  record.server_ttft_s = 0.25;
  record.text = "\u4F60\u597D \"x\"\n";
  record.text_bytes = 49;
  cell.records = {record, RequestRecord{}};
  cell.proof.lateness_ns = {50, -51, 1'000'000'000'000};
  cell.proof.cpu_share = 0.52;
  cell.proof.loop.timer_delay_counts = {53, 54};
  cell.proof.loop.timer_delay_max_ns = 55;
  cell.proof.loop.thread_cpu_ns = 56;
  cell.proof.loop.run_ns = 57;
  cell.proof.client_limited = true;
  cell.proof.reason = "late";
  ServerSample sample;
  sample.at_s = 0.5;
  sample.running = 58;
  sample.gpu_utilisation = 0.59;
  cell.server_samples = {sample, ServerSample{}};
  return cell;
}

TEST(CellResult, SurvivesBeingWrittenAndRead) {
  const std::string text = write_json(to_json(full_cell()));
  const auto read = read_cell_result(*parse_json(text, {}));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(write_json(to_json(*read)), text);
  EXPECT_EQ(read->note.zh, "已截断");
  ASSERT_EQ(read->records.size(), 2u);
  const RequestRecord& record = read->records[0];
  EXPECT_EQ(record.outcome, Outcome::kUsageMismatch);
  EXPECT_EQ(record.token_source, TokenSource::kTokenize);
  EXPECT_EQ(record.text, "\u4F60\u597D \"x\"\n");
  EXPECT_FALSE(record.streamed);
  ASSERT_EQ(record.chunks.size(), 3u);
  EXPECT_EQ(record.chunks[1].at_ns, 25);
  EXPECT_EQ(record.chunks[1].tokens, 2);
  EXPECT_EQ(read->proof.loop.timer_delay_counts, (std::vector<uint64_t>{53, 54}));
  EXPECT_EQ(read->server_samples[0].gpu_utilisation, 0.59);
  EXPECT_EQ(read->server_samples[1].waiting, -1);
}

TEST(CellResult, RefusesWhatItNeverWrote) {
  const Json good = to_json(full_cell());
  const JsonObject& members = *good.as_object();
  for (size_t left_out = 0; left_out < members.size(); ++left_out) {
    JsonObject less = members, other = members;
    less.erase(less.begin() + static_cast<ptrdiff_t>(left_out));
    other[left_out].second = Json(nullptr);
    EXPECT_FALSE(read_cell_result(less).ok()) << members[left_out].first;
    EXPECT_FALSE(read_cell_result(other).ok()) << members[left_out].first;
  }
  for (const char* text : {"1", "[]", "{}", "null", R"({"id":1})"}) {
    EXPECT_FALSE(read_cell_result(*parse_json(text, {})).ok()) << text;
  }
}

TEST(CellResult, RefusesBrokenChunks) {
  const std::string text = write_json(to_json(full_cell()));
  const std::string chunks = "\"20:1 5:2 5:0\"";
  const size_t at = text.find(chunks);
  ASSERT_NE(at, std::string::npos);
  for (const char* bad :
       {"20", "20:", ":1", "20:1 ", " 20:1", "20:1  5:2", "20:-1", "20:1,5:2", "x", "20:99999999999",
        "99999999999999999999:1", "1152921504606846975:1 1152921504606846975:1"}) {
    std::string broken = text;
    broken.replace(at, chunks.size(), '"' + std::string(bad) + '"');
    EXPECT_FALSE(read_cell_result(*parse_json(broken, {})).ok()) << bad;
  }
}

TEST(DoesNotFit, KnowsTheWordsOfServers) {
  auto refusal = [](Outcome outcome, const char* detail) {
    RequestRecord record;
    record.outcome = outcome;
    record.detail = detail;
    return says_does_not_fit(record);
  };
  EXPECT_TRUE(refusal(Outcome::kHttp4xx, "400: context_length_exceeded: the prompt has 9000 tokens"));
  EXPECT_TRUE(
      refusal(Outcome::kHttp4xx,
              "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens"));
  EXPECT_TRUE(refusal(Outcome::kHttp4xx,
                      "The input (8220 tokens) is longer than the model's context length (8192)."));
  EXPECT_TRUE(
      refusal(Outcome::kHttp4xx, "the request exceeds the available context size. try increasing it"));
  EXPECT_TRUE(refusal(Outcome::kInBandError, "exceed_context_size_error"));
  EXPECT_FALSE(refusal(Outcome::kHttp4xx, "unknown parameter response_format"));
  EXPECT_FALSE(refusal(Outcome::kHttp5xx, "context size"));
  EXPECT_FALSE(refusal(Outcome::kOk, "context size"));
}

TEST(CountOk, LeavesWarmUpOut) {
  RequestRecord warm_up = ok_record(0, 1, 2, {}), counted = warm_up, failed = warm_up;
  warm_up.stage = -1;
  failed.outcome = Outcome::kHttp429;
  EXPECT_EQ(count_ok({warm_up, counted, failed, counted}), 2);
}

}  // namespace
}  // namespace hussar
