#include "bench/load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "base/json.h"
#include "bench/testing_server.h"
#include "net/raw_server.h"

namespace hussar {
namespace {

constexpr int64_t kMs = 1'000'000;

std::string event(std::string_view json) { return "data: " + std::string(json) + "\n\n"; }
std::string text_event(std::string_view text) {
  return event(R"({"choices":[{"index":0,"text":")" + std::string(text) + R"("}]})");
}
const std::string kEnd = event(R"({"choices":[{"index":0,"text":"","finish_reason":"length"}]})") +
                         event(R"({"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}})") +
                         event("[DONE]");
const std::string kWhole =
    R"({"choices":[{"text":"a b","finish_reason":"length"}],"usage":{"prompt_tokens":4,"completion_tokens":2}})";

// A server whose behaviour the prompt names; what it holds it never answers.
class LoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.json("GET /v1/models", R"({"data":[{"id":"m"}]})");
    server_.route("POST /v1/completions", [this](const HttpRequest& request, Responder responder) {
      const auto body = parse_json(request.body, {});
      ASSERT_TRUE(body.ok());
      answer(*body->find("prompt")->as_string(), std::move(responder));
    });
  }
  void TearDown() override {
    server_.stop();
    for (std::thread& helper : helpers_) helper.join();
  }

  void open(bool keep_alive = true) {
    server_.start();
    TargetOptions options;
    options.url = server_.url();
    options.keep_alive = keep_alive;
    auto target = Target::open(options);
    ASSERT_TRUE(target.ok()) << target.error().message;
    target_ = std::move(*target);
  }

  static void stream(Responder* responder, const std::string& bytes) {
    responder->start_stream({200, "text/event-stream", {}, bytes});
  }

  void answer(const std::string& prompt, Responder responder) {
    if (prompt == "ok" || prompt == "late") {
      if (prompt == "late") {
        ++running_;
        most_running_ = std::max(most_running_, running_.load());
        return helpers_.emplace_back([this, responder]() mutable {
          std::this_thread::sleep_for(std::chrono::milliseconds(10));
          --running_;
          stream(&responder, text_event("a") + text_event("b") + kEnd);
          responder.finish();
        }),
               void();
      }
      stream(&responder, text_event("a") + text_event("b") + kEnd);
      responder.finish();
    } else if (prompt == "whole") {
      responder.answer({200, "application/json", {}, kWhole});
    } else if (prompt == "silent") {
      held_.push_back(std::move(responder));
    } else if (prompt == "stall" || prompt == "first only") {
      stream(&responder, prompt == "stall" ? text_event("a") : ": hello\n\n");
      held_.push_back(std::move(responder));
    } else if (prompt == "done but open") {
      stream(&responder, text_event("a") + text_event("b") + kEnd);
      held_.push_back(std::move(responder));
    } else if (prompt == "cut") {
      stream(&responder, text_event("a"));
    } else if (prompt == "early end") {
      stream(&responder, text_event("a"));
      responder.finish();
    } else if (prompt == "empty") {
      stream(&responder, kEnd);
      responder.finish();
    } else if (prompt == "in band") {
      stream(&responder, text_event("a") + event(R"({"error":{"message":"out of memory"}})"));
      responder.finish();
    } else if (prompt == "nonsense") {
      stream(&responder, text_event("a") + event("{") + kEnd);
      responder.finish();
    } else if (prompt == "too many tokens") {
      stream(&responder,
             text_event("a") + event(R"({"usage":{"prompt_tokens":4,"completion_tokens":9}})") + kEnd);
      responder.finish();
    } else if (prompt == "429") {
      responder.answer(
          {429, "application/json", {{"Retry-After", "7"}}, R"({"error":{"message":"too many"}})"});
    } else {
      responder.answer({std::atoi(prompt.c_str()), "text/plain", {}, "refused"});
    }
  }

  PlannedRequest plan(const std::string& prompt, bool streamed = true) {
    RequestSpec spec;
    spec.prompt = prompt;
    spec.stream = streamed;
    spec.output_tokens_max = 8;
    PlannedRequest request;
    request.wire = target_->wire(Api::kCompletions, spec);
    request.output_tokens_max = 8;
    request.streamed = streamed;
    request.label = prompt;
    return request;
  }
  std::vector<PlannedRequest> plans(size_t count, const std::string& prompt = "ok") {
    return std::vector<PlannedRequest>(count, plan(prompt));
  }
  // Open loop: one every `gap_ns`.
  std::vector<PlannedRequest> paced(size_t count, int64_t gap_ns, const std::string& prompt = "ok") {
    auto requests = plans(count, prompt);
    for (size_t i = 0; i < count; ++i) requests[i].at_ns = static_cast<int64_t>(i) * gap_ns;
    return requests;
  }

  RunLog run(std::vector<PlannedRequest> requests, const LoadShape& shape, const LoadOptions& options = {},
             bool repeat = false) {
    ListSource source(std::move(requests), repeat);
    return run_load(*target_, source, shape, options, stop_);
  }

  static LoadShape closed(std::vector<ClosedStage> stages) {
    LoadShape shape;
    shape.stages = std::move(stages);
    return shape;
  }
  static LoadShape opened(std::vector<double> ends_s = {}) {
    LoadShape shape;
    shape.kind = LoadShape::Kind::kOpen;
    shape.open_stage_ends_s = std::move(ends_s);
    return shape;
  }
  static std::vector<RequestRecord> of_user(const RunLog& log, int32_t user) {
    std::vector<RequestRecord> records;
    std::copy_if(log.records.begin(), log.records.end(), std::back_inserter(records),
                 [user](const RequestRecord& record) { return record.user == user; });
    return records;
  }
  static size_t count(const RunLog& log, Outcome outcome) {
    return static_cast<size_t>(std::count_if(log.records.begin(), log.records.end(),
                                             [&](const auto& record) { return record.outcome == outcome; }));
  }

  TestingServer server_;
  std::vector<Responder> held_;       // the server's thread only
  std::vector<std::thread> helpers_;  // so, until the server has stopped
  std::atomic<int> running_{0};
  int most_running_ = 0;
  std::unique_ptr<Target> target_;
  std::atomic<bool> stop_{false};
};

TEST_F(LoadTest, RecordsEachRequestInTheOrderOfSending) {
  open();
  const RunLog log = run(plans(20), closed({{3, 0}}));
  ASSERT_EQ(log.records.size(), 20u);
  EXPECT_EQ(server_.count("POST /v1/completions"), 20u);
  int64_t last_sent_ns = 0;
  for (size_t i = 0; i < log.records.size(); ++i) {
    const RequestRecord& record = log.records[i];
    EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
    EXPECT_EQ(record.index, static_cast<int64_t>(i));
    EXPECT_EQ(record.label, "ok");
    EXPECT_EQ(record.stage, 0);
    EXPECT_GE(record.sent_ns, last_sent_ns);
    last_sent_ns = record.sent_ns;
    EXPECT_LE(record.scheduled_ns, record.sent_ns);
    EXPECT_LE(record.sent_ns, record.connected_ns);
    EXPECT_LE(record.connected_ns, record.written_ns);
    EXPECT_LE(record.written_ns, record.head_ns);
    EXPECT_LE(record.head_ns, record.first_token_ns);
    EXPECT_LE(record.first_token_ns, record.last_token_ns);
    EXPECT_LE(record.last_token_ns, record.end_ns);
    EXPECT_LE(record.end_ns, log.end_ns);
    EXPECT_EQ(record.chunks.size(), 2u);
    EXPECT_EQ(record.prompt_tokens, 4);
    EXPECT_EQ(record.output_tokens, 2);
    EXPECT_EQ(record.text, "");
    EXPECT_EQ(record.text_bytes, 2);
  }
  EXPECT_FALSE(log.interrupted);
  EXPECT_EQ(log.steady_begin_ns, 0);
  EXPECT_LE(log.steady_end_ns, log.end_ns);
  EXPECT_EQ(log.proof.lateness_ns.size(), 20u);
}

TEST_F(LoadTest, AUserAsksAgainWhenTheAnswerHasCome) {
  open();
  const RunLog log = run(plans(20), closed({{3, 0}}));
  for (int32_t user = 0; user < 3; ++user) {
    const auto records = of_user(log, user);
    ASSERT_GE(records.size(), 1u);
    for (size_t i = 1; i < records.size(); ++i) EXPECT_EQ(records[i].scheduled_ns, records[i - 1].end_ns);
  }
}

TEST_F(LoadTest, EachErrorHasItsOutcome) {
  open();
  const std::pair<const char*, Outcome> cases[] = {
      {"ok", Outcome::kOk},
      {"done but open", Outcome::kOk},
      {"silent", Outcome::kFirstTokenTimeout},
      {"first only", Outcome::kFirstTokenTimeout},
      {"stall", Outcome::kStallTimeout},
      {"400", Outcome::kHttp4xx},
      {"404", Outcome::kHttp4xx},
      {"429", Outcome::kHttp429},
      {"500", Outcome::kHttp5xx},
      {"503", Outcome::kHttp5xx},
      {"in band", Outcome::kInBandError},
      {"cut", Outcome::kTruncated},
      {"early end", Outcome::kTruncated},
      {"empty", Outcome::kEmptyAnswer},
      {"nonsense", Outcome::kBadJson},
      {"whole", Outcome::kBadJson},  // no stream, though one was asked for
      {"too many tokens", Outcome::kUsageMismatch},
  };
  std::vector<PlannedRequest> requests;
  for (const auto& [prompt, outcome] : cases) {
    for (int i = 0; i < 2; ++i) requests.push_back(plan(prompt));
  }
  LoadOptions options;
  options.timeouts.first_token_ms = 3000;
  options.timeouts.stall_ms = 1000;
  LoadShape shape = closed({{40, 0}});
  shape.error_pause_s = 0;
  const RunLog log = run(requests, shape, options);
  ASSERT_EQ(log.records.size(), requests.size());
  for (const RequestRecord& record : log.records) {
    const auto expected = std::find_if(std::begin(cases), std::end(cases),
                                       [&](const auto& entry) { return record.label == entry.first; });
    EXPECT_EQ(outcome_name(record.outcome), outcome_name(expected->second))
        << record.label << ": " << record.detail;
    EXPECT_EQ(record.detail.empty(), record.outcome == Outcome::kOk) << record.label;
    EXPECT_GE(record.end_ns, record.sent_ns);
    EXPECT_EQ(record.retry_after_s, record.label == "429" ? 7 : -1);
  }
}

TEST_F(LoadTest, TheTotalLimitHoldsForAnswersThatAreNotStreamed) {
  open();
  LoadOptions options;
  options.timeouts.total_ms = 600;
  options.timeouts.first_token_ms = 1;  // of streams
  const RunLog log = run({plan("silent", false), plan("whole", false)}, closed({{2, 0}}), options);
  ASSERT_EQ(log.records.size(), 2u);
  EXPECT_EQ(log.records[0].outcome, Outcome::kTotalTimeout);
  EXPECT_EQ(log.records[0].detail, "no whole answer within 600 ms");
  EXPECT_EQ(log.records[1].outcome, Outcome::kOk) << log.records[1].detail;
  EXPECT_EQ(log.records[1].first_token_ns, -1);
  EXPECT_FALSE(log.records[1].streamed);
}

TEST_F(LoadTest, AServerThatHasGoneRefusesEveryConnection) {
  open();
  const auto requests = plans(3);
  server_.stop();
  const RunLog log = run(requests, closed({{1, 0}}));
  ASSERT_EQ(log.records.size(), 3u);
  EXPECT_EQ(count(log, Outcome::kConnectFailed), 3u) << log.records[0].detail;
  // Each time the user waited before it tried again.
  EXPECT_EQ(log.records[1].scheduled_ns - log.records[0].end_ns, 100 * kMs);
}

// Connects until the listening queue is full: what comes next gets no answer at all.
class FullQueue {
 public:
  explicit FullQueue(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 64; ++i) {
      sockets_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      ::connect(sockets_.back(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  }
  ~FullQueue() {
    for (const int socket : sockets_) ::close(socket);
  }

 private:
  std::vector<int> sockets_;
};

TEST_F(LoadTest, AConnectionThatDoesNotComeAboutTimesOut) {
  const auto answer = [](std::string head, std::string body) {
    return [=](RawPeer& peer) {
      peer.read_request();
      peer.send("HTTP/1.1 " + head + "\r\nConnection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    };
  };
  std::vector<RawServer::Script> scripts{answer("200 OK", R"({"data":[{"id":"m"}]})")};
  for (int i = 0; i < 4; ++i) scripts.push_back(answer("404 Not Found", ""));
  RawServer server(scripts);
  TargetOptions where;
  where.url = server.url();
  auto target = Target::open(where);
  ASSERT_TRUE(target.ok()) << target.error().message;
  target_ = std::move(*target);
  const FullQueue queue(server.port());
  LoadOptions options;
  options.timeouts.connect_ms = 100;
  const RunLog log = run(plans(2), closed({{2, 0}}), options);
  ASSERT_EQ(log.records.size(), 2u);
  EXPECT_EQ(count(log, Outcome::kConnectTimeout), 2u) << log.records[0].detail;
  EXPECT_EQ(log.records[0].connected_ns, -1);
}

TEST_F(LoadTest, UsersThinkAsTheirOwnSeedsSay) {
  open();
  const auto pauses = [&](uint64_t seed) {
    LoadShape shape = closed({{3, 0}});
    shape.think_s_min = 0.001;
    shape.think_s_max = 0.02;
    shape.seed = seed;
    shape.requests_max = 15;
    const RunLog log = run(plans(1), shape, {}, true);
    EXPECT_EQ(log.records.size(), 15u);
    std::vector<std::vector<int64_t>> by_user(3);
    for (int32_t user = 0; user < 3; ++user) {
      const auto records = of_user(log, user);
      for (size_t i = 1; i < records.size(); ++i) {
        by_user[static_cast<size_t>(user)].push_back(records[i].scheduled_ns - records[i - 1].end_ns);
        EXPECT_GE(by_user[static_cast<size_t>(user)].back(), kMs);
        EXPECT_LT(by_user[static_cast<size_t>(user)].back(), 20 * kMs);
      }
    }
    return by_user;
  };
  const auto first = pauses(7), second = pauses(7), other = pauses(8);
  const auto common = [](const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
    return std::equal(a.begin(), a.begin() + static_cast<ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
  };
  for (size_t user = 0; user < 3; ++user) {
    EXPECT_TRUE(common(first[user], second[user])) << user;
  }
  EXPECT_FALSE(common(first[0], other[0]) && !first[0].empty() && !other[0].empty());
  EXPECT_NE(first[0], first[1]);
}

TEST_F(LoadTest, StagesChangeTheNumberOfUsers) {
  open();
  LoadShape shape = closed({{1, 0.2}, {4, 0.2}, {0, 0.1}, {2, 0.2}});
  shape.think_s_min = shape.think_s_max = 0.01;
  const RunLog log = run(plans(1), shape, {}, true);
  std::vector<std::set<int32_t>> users(4);
  for (const RequestRecord& record : log.records) {
    EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
    ASSERT_GE(record.stage, 0);
    users[static_cast<size_t>(record.stage)].insert(record.user);
  }
  EXPECT_EQ(users[0], (std::set<int32_t>{0}));
  EXPECT_EQ(users[1], (std::set<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(users[2], (std::set<int32_t>{}));
  EXPECT_EQ(users[3], (std::set<int32_t>{0, 1}));
  EXPECT_GE(log.steady_end_ns, 700 * kMs);
}

TEST_F(LoadTest, UsersStartEvenlyOverTheRamp) {
  open();
  LoadShape shape = closed({{5, 0}});
  shape.ramp_s = 0.1;
  shape.requests_max = 5;
  LoadOptions options;
  options.timeouts.first_token_ms = 1000;
  const RunLog log = run(plans(1, "silent"), shape, options, true);
  ASSERT_EQ(log.records.size(), 5u);
  for (int32_t user = 0; user < 5; ++user) {
    EXPECT_EQ(log.records[static_cast<size_t>(user)].user, user);
    EXPECT_NEAR(static_cast<double>(log.records[static_cast<size_t>(user)].scheduled_ns -
                                    log.records[0].scheduled_ns),
                user * 20.0 * kMs, 1);  // a fraction is cut off
  }
}

TEST_F(LoadTest, WarmUpIsCountedApart) {
  open();
  LoadShape shape = closed({{2, 0}});
  shape.warmup_requests = 4;
  shape.requests_max = 3;
  RunLog log = run(plans(1), shape, {}, true);
  ASSERT_EQ(log.records.size(), 7u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(log.records[i].stage, i < 4 ? -1 : 0);
  EXPECT_EQ(log.steady_begin_ns, log.records[4].scheduled_ns);
  shape = opened({0.02, 0.04});
  shape.warmup_s = 0.01;
  log = run(paced(10, 5 * kMs), shape);
  ASSERT_EQ(log.records.size(), 8u);  // what is due at 40 ms or later is not sent
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(log.records[i].stage, i < 2 ? -1 : i < 4 ? 0 : 1) << i;
  EXPECT_EQ(log.steady_begin_ns, 10 * kMs);
  EXPECT_EQ(log.steady_end_ns, 40 * kMs);
}

TEST_F(LoadTest, TheOpenLoopKeepsItsScheduleWhateverTheServerDoes) {
  open();
  auto requests = paced(20, 2 * kMs, "late");
  const RunLog log = run(requests, opened());
  ASSERT_EQ(log.records.size(), 20u);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(log.records[i].scheduled_ns, requests[i].at_ns);
    EXPECT_GE(log.records[i].sent_ns, log.records[i].scheduled_ns);
    EXPECT_EQ(log.records[i].user, -1);
    EXPECT_EQ(log.records[i].outcome, Outcome::kOk) << log.records[i].detail;
  }
  EXPECT_EQ(log.steady_end_ns, 38 * kMs);
}

TEST_F(LoadTest, WhatFindsNoStreamWaitsAndKeepsItsSchedule) {
  open();
  LoadShape shape = opened();
  shape.streams_max = 2;
  const RunLog log = run(paced(8, 0, "late"), shape);
  ASSERT_EQ(log.records.size(), 8u);
  EXPECT_EQ(count(log, Outcome::kOk), 8u);
  EXPECT_LE(most_running_, 2);
  for (const RequestRecord& record : log.records) EXPECT_EQ(record.scheduled_ns, 0);
  EXPECT_GE(log.records[7].sent_ns, 30 * kMs);  // behind three pairs of 10 ms
  EXPECT_TRUE(log.proof.client_limited);
  EXPECT_NE(log.proof.reason.find("one of 2 streams"), std::string::npos) << log.proof.reason;
}

TEST_F(LoadTest, WhatWaitsForAStreamBeyondTheDrainIsNotSent) {
  open();
  LoadShape shape = opened({0.1});
  shape.streams_max = 1;
  shape.drain_s_max = 0.1;
  const RunLog log = run(paced(5, 0, "silent"), shape);
  ASSERT_EQ(log.records.size(), 1u);
  EXPECT_EQ(log.records[0].outcome, Outcome::kUnfinished);
  EXPECT_EQ(log.steady_end_ns, 100 * kMs);
  EXPECT_TRUE(log.proof.client_limited);
  EXPECT_NE(log.proof.reason.find("in vain"), std::string::npos) << log.proof.reason;
}

TEST_F(LoadTest, PlannedCancellationsAreNoErrors) {
  open();
  auto requests = plans(4, "silent");
  for (PlannedRequest& request : requests) request.cancel_after_ns = 20 * kMs;
  requests.push_back(plan("ok"));
  requests.back().cancel_after_ns = 60'000 * kMs;
  const RunLog log = run(requests, closed({{5, 0}}));
  ASSERT_EQ(log.records.size(), 5u);
  EXPECT_EQ(count(log, Outcome::kCancelled), 4u);
  EXPECT_EQ(log.records[4].outcome, Outcome::kOk);
  for (size_t i = 0; i < 4; ++i) EXPECT_GE(log.records[i].end_ns - log.records[i].sent_ns, 20 * kMs);
}

TEST_F(LoadTest, AStopInTheMiddleEndsTheRun) {
  open();
  std::thread stopper([this] {
    while (server_.count("POST /v1/completions") < 3) std::this_thread::yield();
    stop_ = true;
  });
  const RunLog log = run(plans(3, "stall"), closed({{3, 100}}));
  stopper.join();
  ASSERT_EQ(log.records.size(), 3u);
  EXPECT_TRUE(log.interrupted);
  EXPECT_EQ(count(log, Outcome::kUnfinished), 3u);
  for (const RequestRecord& record : log.records) EXPECT_EQ(record.detail, "the run was stopped");
  EXPECT_LE(log.steady_end_ns, log.end_ns);
  // A run that is stopped before it begins sends nothing.
  EXPECT_EQ(run(plans(3), closed({{3, 0}})).records.size(), 0u);
}

TEST_F(LoadTest, WhatIsNotAnsweredAtTheEndOfTheDrainIsUnfinished) {
  open();
  LoadShape shape = closed({{2, 0.1}});
  shape.drain_s_max = 0.1;
  RunLog log = run(plans(2, "silent"), shape);
  EXPECT_EQ(count(log, Outcome::kUnfinished), 2u);
  EXPECT_FALSE(log.interrupted);
  EXPECT_GE(log.end_ns, 200 * kMs);
  shape = opened();
  shape.drain_s_max = 0.1;
  log = run(paced(2, kMs, "silent"), shape);
  EXPECT_EQ(count(log, Outcome::kUnfinished), 2u);
  EXPECT_EQ(log.steady_end_ns, kMs);
}

TEST_F(LoadTest, ConnectionsAreUsedAgainUnlessForbidden) {
  open();
  RunLog log = run(plans(5), closed({{1, 0}}));
  for (size_t i = 1; i < 5; ++i) EXPECT_TRUE(log.records[i].connection_reused) << i;
}

TEST_F(LoadTest, WithoutKeepAliveEachRequestHasItsConnection) {
  open(false);
  const RunLog log = run(plans(5), closed({{1, 0}}));
  for (const RequestRecord& record : log.records) {
    EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
    EXPECT_FALSE(record.connection_reused);
  }
  const HttpRequest request = server_.requests().back();
  const std::string* connection = request.header("Connection");
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(*connection, "close");
}

TEST_F(LoadTest, TextIsKeptWhenAskedFor) {
  open();
  LoadOptions options;
  options.keep_text = true;
  const RunLog log = run(plans(2), closed({{1, 0}}), options);
  for (const RequestRecord& record : log.records) EXPECT_EQ(record.text, "ab");
}

// A source that plans as answers come.
class AskingSource : public RequestSource {
 public:
  explicit AskingSource(PlannedRequest request) : request_(std::move(request)) {}
  std::optional<PlannedRequest> next(int32_t user) override {
    EXPECT_EQ(running_.count(user), 0u);
    if (finished_ >= 6) return std::nullopt;
    running_.insert(user);
    return request_;
  }
  void finished(const RequestRecord& record) override {
    ++finished_;
    running_.erase(record.user);
    EXPECT_EQ(record.outcome, Outcome::kOk);
    EXPECT_EQ(record.text, "ab");
  }
  int finished_count() const { return finished_; }

 private:
  PlannedRequest request_;
  std::set<int32_t> running_;
  int finished_ = 0;
};

TEST_F(LoadTest, TheSourceHearsOfEachAnswerBeforeItIsAskedForMore) {
  open();
  AskingSource source(plan("ok"));
  int records = 0, shown = 0;
  LoadOptions options;
  options.keep_text = true;
  options.on_record = [&](const RequestRecord& record) { EXPECT_EQ(record.index, records++); };
  options.on_progress = [&](const RunProgress& progress) {
    ++shown;
    EXPECT_LE(progress.ok, progress.sent);
  };
  LoadShape shape = closed({{1, 0}});
  shape.think_s_min = shape.think_s_max = 0.01;
  const RunLog log = run_load(*target_, source, shape, options, stop_);
  EXPECT_EQ(source.finished_count(), 6);
  EXPECT_EQ(records, 6);
  EXPECT_GE(shown, 1);
}

TEST_F(LoadTest, ARunLeavesNothingBehindForTheNext) {
  open();
  LoadShape shape = closed({{3, 0.05}});
  shape.think_s_min = shape.think_s_max = 0.04;  // pauses go on beyond the run
  for (int round = 0; round < 3; ++round) {
    const RunLog log = run(plans(1), shape, {}, true);
    EXPECT_EQ(count(log, Outcome::kOk), log.records.size());
    const HttpReply reply = target_->call("GET", "/v1/models", "", 10'000);
    EXPECT_EQ(reply.status, 200);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST_F(LoadTest, AnswersWithoutUsageAreCountedByTheServersTokenizer) {
  server_.json("POST /tokenize", R"({"count":2,"tokens":[1,2]})");
  server_.route("POST /v1/completions", [](const HttpRequest&, Responder responder) {
    stream(&responder, text_event("a b") + event("[DONE]"));
    responder.finish();
  });
  open();
  ASSERT_TRUE(target_->can_tokenize());
  auto requests = plans(2);
  requests[0].prompt_tokens_planned = 9;
  const RunLog log = run(requests, closed({{1, 0}}));
  ASSERT_EQ(log.records.size(), 2u);
  for (const RequestRecord& record : log.records) {
    EXPECT_EQ(record.output_tokens, 2);
    EXPECT_EQ(record.token_source, TokenSource::kTokenize);
    EXPECT_EQ(record.chunks[0].tokens, 0);
    EXPECT_EQ(record.text, "");
  }
  EXPECT_EQ(log.records[0].prompt_tokens, 9);
  EXPECT_EQ(log.records[1].prompt_tokens, -1);
}

TEST_F(LoadTest, AnEmptyPlanIsAnEmptyRun) {
  open();
  EXPECT_EQ(run({}, closed({{3, 0}})).records.size(), 0u);
  EXPECT_EQ(run({}, closed({{3, 10}, {5, 10}})).records.size(), 0u);
  EXPECT_EQ(run({}, opened()).records.size(), 0u);
  EXPECT_EQ(run({}, opened({1})).records.size(), 0u);
}

}  // namespace
}  // namespace hussar
