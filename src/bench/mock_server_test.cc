#include "bench/mock_server.h"

#include <gtest/gtest.h>

#include <map>

#include "bench/answer_reader.h"
#include "net/stream_client.h"

namespace hussar {
namespace {

class MockServerTest : public ::testing::Test {
 protected:
  void start(const MockOptions& options) {
    auto server =
        MockServer::start(options, [this](const MockTruth& truth) { truths_[truth.request_id] = truth; });
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
    StreamClientOptions client;
    client.url = server_->url();
    client_ = StreamClient::create(client).value();
  }
  static MockOptions quick() {
    MockOptions options;
    options.ttft.mean_ms = 2;
    options.itl.mean_ms = 1;
    options.output_tokens = {6, 6};
    return options;
  }

  HttpReply send(const char* method, const char* path, const char* body = "",
                 std::vector<HttpHeader> headers = {}, int64_t timeout_ms = 5000) {
    return exchange_blocking(*client_, client_->make_request(method, path, headers, body).value(),
                             timeout_ms);
  }
  // One request with a fault, read as the load generator reads it.
  RequestRecord read(MockFault fault, const char* body, int64_t timeout_ms = 5000) {
    const std::string name(mock_fault_name(fault));
    const HttpReply reply =
        send("POST", "/v1/completions", body, {{"X-Mock-Fault", name}, {"X-Request-Id", name}}, timeout_ms);
    RequestRecord record;
    record.written_ns = 0;
    AnswerReaderOptions options;
    options.keep_text = true;
    options.streamed = std::string_view(body).find("\"stream\":true") != std::string_view::npos;
    AnswerReader reader(options, &record);
    if (reply.status != 0) reader.head(reply.status, reply.headers, 1);
    if (!reply.body.empty()) reader.body(reply.body, 2);
    if (reply.end == CallEnd::kCancelled) {
      reader.give_up(record.first_token_ns < 0 ? Outcome::kFirstTokenTimeout : Outcome::kStallTimeout, "");
    }
    reader.end(reply.end, reply.detail, 3);
    return record;
  }

  std::map<std::string, MockTruth> truths_;  // the server's thread until it has stopped
  std::unique_ptr<MockServer> server_;
  std::unique_ptr<StreamClient> client_;
};

constexpr const char* kStream =
    R"({"model":"mock","prompt":"a b c","stream":true,"stream_options":{"include_usage":true}})";

TEST_F(MockServerTest, EachFaultEndsInItsOwnClass) {
  start(quick());
  const std::pair<MockFault, Outcome> cases[] = {
      {MockFault::kNone, Outcome::kOk},
      {MockFault::kRefuse400, Outcome::kHttp4xx},
      {MockFault::kRefuse429, Outcome::kHttp429},
      {MockFault::kFail500, Outcome::kHttp5xx},
      {MockFault::kFail503, Outcome::kHttp5xx},
      {MockFault::kNoAnswer, Outcome::kFirstTokenTimeout},
      {MockFault::kStall, Outcome::kStallTimeout},
      {MockFault::kTruncate, Outcome::kTruncated},
      {MockFault::kReset, Outcome::kTruncated},
      {MockFault::kNoDone, Outcome::kTruncated},
      {MockFault::kError, Outcome::kInBandError},
      {MockFault::kEmpty, Outcome::kEmptyAnswer},
      {MockFault::kBadJson, Outcome::kBadJson},
      {MockFault::kPlainJson, Outcome::kBadJson},
      {MockFault::kWrongUsage, Outcome::kUsageMismatch},
  };
  for (const auto& [fault, outcome] : cases) {
    const bool waits = fault == MockFault::kNoAnswer || fault == MockFault::kStall;
    const RequestRecord record = read(fault, kStream, waits ? 200 : 5000);
    EXPECT_EQ(record.outcome, outcome)
        << mock_fault_name(fault) << ": " << outcome_name(record.outcome) << " " << record.detail;
    const bool says_when = fault == MockFault::kRefuse429 || fault == MockFault::kFail503;
    EXPECT_EQ(record.retry_after_s, says_when ? 1 : -1);
  }
  const auto counts = server_->fault_counts();
  for (int i = 0; i < kMockFaultCount; ++i) EXPECT_EQ(counts[static_cast<size_t>(i)], 1) << i;
  server_->stop();
  ASSERT_EQ(truths_.size(), static_cast<size_t>(kMockFaultCount));
  for (const auto& [fault, outcome] : cases) {
    const MockTruth& truth = truths_.at(std::string(mock_fault_name(fault)));
    EXPECT_EQ(truth.fault, fault);
    EXPECT_GE(truth.ended_ns, truth.received_ns);
    EXPECT_EQ(truth.chunks.size(),
              static_cast<size_t>(fault == MockFault::kPlainJson ? 1 : truth.sent_tokens));
  }
  EXPECT_EQ(truths_.at("none").sent_tokens, 6);
  EXPECT_EQ(truths_.at("truncate").sent_tokens, 3);
}

TEST_F(MockServerTest, WholeAnswersHaveTheirFaultsToo) {
  start(quick());
  const char* whole = R"({"model":"mock","prompt":"a b c"})";
  EXPECT_EQ(read(MockFault::kNone, whole).outcome, Outcome::kOk);
  EXPECT_EQ(read(MockFault::kTruncate, whole).outcome, Outcome::kTruncated);
  EXPECT_EQ(read(MockFault::kNoDone, whole).outcome, Outcome::kTruncated);
  EXPECT_EQ(read(MockFault::kReset, whole).outcome, Outcome::kTruncated);
  EXPECT_EQ(read(MockFault::kError, whole).outcome, Outcome::kInBandError);
  EXPECT_EQ(read(MockFault::kEmpty, whole).outcome, Outcome::kEmptyAnswer);
  EXPECT_EQ(read(MockFault::kBadJson, whole).outcome, Outcome::kBadJson);
  EXPECT_EQ(read(MockFault::kWrongUsage, whole).outcome, Outcome::kUsageMismatch);
  EXPECT_EQ(read(MockFault::kStall, whole, 100).outcome, Outcome::kFirstTokenTimeout);
  EXPECT_EQ(read(MockFault::kNoAnswer, whole, 100).outcome, Outcome::kFirstTokenTimeout);
}

TEST_F(MockServerTest, CutEventsAreReadWhole) {
  for (const MockSplit split : {MockSplit::kUtf8, MockSplit::kLine}) {
    MockOptions options = quick();
    options.split = split;
    options.comment_ms = 1;
    start(options);
    const RequestRecord record = read(MockFault::kNone, kStream);
    EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
    EXPECT_EQ(record.output_tokens, 6);
    EXPECT_EQ(record.prompt_tokens, 3);
    EXPECT_EQ(record.chunks.size(), 6u);
    EXPECT_EQ(static_cast<size_t>(record.text_bytes), record.text.size());
    server_->stop();
  }
}

TEST_F(MockServerTest, TellsWhatItIs) {
  start(quick());
  const HttpReply models = send("GET", "/v1/models");
  EXPECT_EQ(models.status, 200);
  EXPECT_NE(models.body.find(R"("id":"mock")"), std::string::npos) << models.body;
  EXPECT_NE(models.body.find(R"("max_model_len":32768)"), std::string::npos);
  EXPECT_EQ(send("GET", "/health").status, 200);
  EXPECT_EQ(send("GET", "/nowhere").status, 404);
  EXPECT_EQ(send("GET", "/v1/completions").status, 405);
  EXPECT_EQ(send("POST", "/v1/models").status, 405);
  const HttpReply bad = send("POST", "/v1/completions", "{}");
  EXPECT_EQ(bad.status, 400);
  EXPECT_NE(bad.body.find(R"("param":"prompt")"), std::string::npos) << bad.body;
  EXPECT_EQ(send("POST", "/v1/completions", R"({"model":"x","prompt":"x"})").status, 404);
  const HttpReply tokens = send("POST", "/tokenize", R"({"prompt":"a b c轻"})");
  EXPECT_NE(tokens.body.find(R"("count":4)"), std::string::npos) << tokens.body;
  EXPECT_EQ(send("POST", "/tokenize", "{}").status, 400);
  EXPECT_EQ(read(MockFault::kNone, kStream).outcome, Outcome::kOk);
  const HttpReply metrics = send("GET", "/metrics");
  EXPECT_NE(metrics.body.find("\nvllm:generation_tokens_total 6\n"), std::string::npos) << metrics.body;
  EXPECT_NE(metrics.body.find("\nvllm:num_requests_running 0\n"), std::string::npos);
}

TEST_F(MockServerTest, RefusesWhatIsTooMany) {
  MockOptions options = quick();
  options.running_max = 1;
  start(options);
  EXPECT_EQ(send("POST", "/v1/completions", kStream).status, 200);
  struct Ignored : public CallListener {
    void on_sending(TimePoint, bool) override {}
    void on_sent(TimePoint) override {}
    void on_head(int, const std::vector<HttpHeader>&, TimePoint) override { client->stop(); }
    void on_body(std::string_view, TimePoint) override {}
    void on_end(CallEnd, std::string_view, TimePoint) override { client->stop(); }
    StreamClient* client = nullptr;
  } running;
  running.client = client_.get();
  const auto slow = client_->make_request(
      "POST", "/v1/completions", {}, R"({"prompt":"x","stream":true,"max_tokens":9000,"ignore_eos":true})");
  const auto id = client_->start(std::make_shared<const std::string>(*slow), &running);
  client_->run();  // until its head has come
  const HttpReply refused = send("POST", "/v1/completions", kStream);
  EXPECT_EQ(refused.status, 429);
  client_->cancel(id);
  client_->run();
}

TEST_F(MockServerTest, FreezesWhenItIsTold) {
  MockOptions options = quick();
  options.freeze_at_ms = 50;
  options.freeze_ms = 100;
  start(options);
  int64_t longest_ms = 0;
  while (Clock::now() < server_->started() + std::chrono::milliseconds(300)) {
    const TimePoint begin = Clock::now();
    EXPECT_EQ(send("GET", "/health").status, 200);
    longest_ms = std::max(
        longest_ms, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
  }
  EXPECT_GE(longest_ms, 90) << "one of them waited for nearly all of the freeze";
}

TEST(MockTruth, IsOneLineOfJson) {
  MockTruth truth;
  truth.index = 3;
  truth.request_id = "a\"b";
  truth.fault = MockFault::kNoDone;
  truth.chunks = {{10, 20, 30, 4}};
  EXPECT_EQ(
      write_json(mock_truth_json(truth)),
      R"({"index":3,"request_id":"a\"b","path":"","streamed":false,"fault":"no-done","status":0,)"
      R"("received_ns":0,"ended_ns":-1,"whole":false,"prompt_tokens":0,"planned_tokens":0,"sent_tokens":0,)"
      R"("chunks":[{"due_ns":10,"before_ns":20,"after_ns":30,"tokens":4}]})");
}

}  // namespace
}  // namespace hussar
