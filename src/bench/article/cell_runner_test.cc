#include "bench/article/cell_runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "bench/article/conversation_run.h"
#include "bench/article/json_tasks.h"
#include "bench/article/run_article.h"
#include "bench/article/sections.h"
#include "bench/article/structured_counts.h"
#include "bench/mock_server.h"
#include "bench/prompt_counter.h"
#include "bench/testing_server.h"

namespace hussar {
namespace {

MockOptions quick_mock() {
  MockOptions options;
  options.ttft = {MockDelay::Kind::kConstant, 1, 0};
  options.itl = {MockDelay::Kind::kConstant, 0.2, 0};
  options.output_tokens = {8, 8};
  return options;
}

// A server, and all that cells need to be run against it.
class Bench {
 public:
  explicit Bench(const std::string& url, ArticleOptions options = {}) {
    TargetOptions where;
    where.url = url;
    auto target = Target::open(where);
    CHECK(target.ok());
    target_ = std::move(*target);
    const PromptCounter counter = find_prompt_counter(*target_, Api::kCompletions);
    PromptOptions prompts;
    prompts.counts_max = counter.counts_max;
    prompts_.emplace(PromptMaker::calibrate(prompts, counter.count));
    bench_.target = target_.get();
    bench_.prompts = &*prompts_;
    bench_.options = options;
    bench_.stop = &stop_;
  }

  CellResult run(const Cell& cell, const CellTime& time = {}) {
    return run_cell(bench_, cell, number_++, time);
  }
  // The cell of the plan, made small.
  Cell cell(const std::string& id) const {
    for (Cell& one : make_plan(bench_.options)) {
      if (one.id != id) continue;
      one.output_tokens = 8;
      one.repetitions = std::min(one.repetitions, 2);
      return one;
    }
    ADD_FAILURE() << "no cell " << id;
    return {};
  }
  ArticleBench& bench() { return bench_; }
  std::atomic<bool>& stop() { return stop_; }

 private:
  std::unique_ptr<Target> target_;
  std::optional<PromptMaker> prompts_;
  ArticleBench bench_;
  std::atomic<bool> stop_ = false;
  uint64_t number_ = 0;
};

class ArticleCells : public testing::Test {
 protected:
  void start(const MockOptions& options) {
    auto server = MockServer::start(options, [this](const MockTruth& truth) {
      const std::lock_guard<std::mutex> lock(mutex_);
      truths_.push_back(truth);
    });
    ASSERT_TRUE(server.ok());
    server_ = std::move(*server);
  }
  size_t answered() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return truths_.size();
  }

  std::mutex mutex_;
  std::vector<MockTruth> truths_;
  std::unique_ptr<MockServer> server_;  // last: it stops before what it writes to goes
};

TEST_F(ArticleCells, LatencyHasUniqueAndRepeatedPrompts) {
  start(quick_mock());
  Bench bench(server_->url());
  const CellResult cold = bench.run(bench.cell("latency/128/cold"));
  EXPECT_EQ(cold.status, "cut") << "8 instead of 512 tokens is a cut";
  EXPECT_EQ(cold.note.en, "8 instead of 512 new tokens");
  ASSERT_EQ(cold.records.size(), 2u);
  for (const RequestRecord& record : cold.records) {
    EXPECT_EQ(record.outcome, Outcome::kOk) << record.detail;
    EXPECT_EQ(record.stage, 0);
    EXPECT_EQ(record.output_tokens, 8);
    EXPECT_EQ(record.prompt_tokens, 128);
  }
  const CellResult warm = bench.run(bench.cell("latency/128/warm"));
  ASSERT_EQ(warm.records.size(), 3u);
  EXPECT_EQ(warm.records[0].stage, -1) << "the first brings the prompt into the cache";
  EXPECT_EQ(count_ok(warm.records), 2);
}

TEST_F(ArticleCells, WhatExceedsTheContextIsNotSent) {
  MockOptions options = quick_mock();
  options.context_tokens = 600;
  start(options);
  Bench bench(server_->url());
  Cell cell = bench.cell("latency/512/cold");
  cell.output_tokens = 512;
  const size_t before = answered();
  const CellResult result = bench.run(cell);
  EXPECT_EQ(result.status, "does_not_fit");
  EXPECT_EQ(result.note.en, "512 + 512 tokens exceed the context of 600");
  EXPECT_EQ(answered(), before);
}

TEST_F(ArticleCells, LongOutputAsksForWhatFits) {
  MockOptions options = quick_mock();
  options.context_tokens = 1000;
  start(options);
  Bench bench(server_->url());
  Cell cell = bench.cell("long_output");
  cell.output_tokens = 8192;
  const CellResult result = bench.run(cell);
  EXPECT_EQ(result.status, "cut");
  ASSERT_EQ(result.records.size(), 2u);
  EXPECT_EQ(result.records[0].outcome, Outcome::kOk) << result.records[0].detail;
  EXPECT_FALSE(result.records[0].text.empty());
  const Json workload(result.workload);
  const Json* tokens = workload.find("output_tokens");
  ASSERT_NE(tokens, nullptr);
  EXPECT_LT(*tokens->as_int(), 1000);
}

TEST_F(ArticleCells, UsersShareTheirTime) {
  start(quick_mock());
  ArticleOptions options;
  options.quick = true;
  Bench bench(server_->url(), options);
  for (const char* id : {"concurrency/short/no_think/10", "concurrency/1024/no_think/10"}) {
    const CellResult result = bench.run(bench.cell(id), {1, 0});
    EXPECT_EQ(result.status, "cut");
    EXPECT_GT(count_ok(result.records), 0) << id;
    std::set<int32_t> users;
    for (const RequestRecord& record : result.records) users.insert(record.user);
    EXPECT_EQ(users.size(), 10u);
  }
}

TEST_F(ArticleCells, WhatRunsWhenItsTimeIsOverIsCutOff) {
  MockOptions options = quick_mock();
  options.itl = {MockDelay::Kind::kConstant, 60'000, 0};
  start(options);
  ArticleOptions quick;
  quick.quick = true;
  Bench bench(server_->url(), quick);
  const CellResult result = bench.run(bench.cell("latency/128/cold"), {0.1, 0});
  EXPECT_EQ(result.status, "cut");
  EXPECT_EQ(result.note.en, "0 of 2 requests; 8 instead of 512 new tokens; ended after 0.100 s");
  ASSERT_EQ(result.records.size(), 1u);
  EXPECT_EQ(result.records[0].outcome, Outcome::kUnfinished);
}

TEST_F(ArticleCells, BurstsEndWhereErrorsBegin) {
  MockOptions options = quick_mock();
  options.running_max = 20;
  options.ttft = {MockDelay::Kind::kConstant, 400, 0};  // so that a burst is at once
  start(options);
  Bench bench(server_->url());
  const CellResult result = bench.run(bench.cell("connections/burst"));
  EXPECT_EQ(result.status, "measured");
  // 8 and 16 go well, 32 do not; nothing larger is tried.
  EXPECT_EQ(result.records.size(), 8u + 16 + 32);
  int32_t last_stage = 0;
  int64_t refused = 0;
  for (const RequestRecord& record : result.records) {
    last_stage = std::max(last_stage, record.stage);
    refused += record.outcome == Outcome::kHttp429;
    EXPECT_TRUE(record.outcome == Outcome::kOk || record.stage == 2) << record.detail;
  }
  EXPECT_EQ(last_stage, 2);
  EXPECT_EQ(refused, 12);
}

TEST_F(ArticleCells, ConnectionsAreDoubledToTheirLimit) {
  start(quick_mock());
  Bench bench(server_->url());
  Cell cell = bench.cell("connections/idle");
  cell.users = 150;
  const CellResult result = bench.run(cell);
  EXPECT_EQ(result.status, "measured") << result.note.en;
  EXPECT_EQ(
      write_json(Json(result.extra)),
      R"({"steps":[{"wanted":64,"standing":64,"answered":true},{"wanted":128,"standing":128,"answered":true},)"
      R"({"wanted":150,"standing":150,"answered":true}]})");
}

TEST_F(ArticleCells, EveryAnswerIsJudged) {
  start(quick_mock());
  Bench bench(server_->url());
  const CellResult keyed = bench.run(bench.cell("structured/keyed/plain"));
  EXPECT_EQ(keyed.status, "measured");
  EXPECT_EQ(keyed.records.size(), 2 * keyed_json_tasks().size());
  const StructuredCounts counts = count_answers(keyed.records);
  EXPECT_EQ(counts.answers, static_cast<int64_t>(keyed.records.size()));
  EXPECT_EQ(counts.faults[static_cast<size_t>(AnswerFault::kSyntax)], counts.answers)
      << "a mock speaks no JSON";
}

TEST_F(ArticleCells, ConversationsGoToTheirEnd) {
  start(quick_mock());
  ArticleOptions options;
  options.conversations = 2;
  Bench bench(server_->url(), options);
  const CellResult result = bench.run(bench.cell("multi_turn/zh"));
  EXPECT_EQ(result.status, "measured") << result.note.en;
  EXPECT_EQ(result.records.size(), 2u * kConversationTurns);
  EXPECT_EQ(turn_answers(result.records).size(), 2u * kConversationTurns);
  for (const RequestRecord& record : result.records) EXPECT_GT(record.text.size(), 0u);
}

TEST_F(ArticleCells, SpeedIsMeasured) {
  start(quick_mock());
  Bench bench(server_->url());
  const auto speed = measure_speed(bench.bench());
  ASSERT_TRUE(speed.ok());
  Speed read;
  EXPECT_TRUE(read_speed(to_json(*speed), &read)) << write_json(to_json(*speed));
  bench.stop() = true;
  EXPECT_EQ(measure_speed(bench.bench()).error().code, ErrorCode::kCancelled);
}

TEST_F(ArticleCells, AServerThatFailsIsNoSpeed) {
  MockOptions options = quick_mock();
  options.fault_rates[static_cast<size_t>(MockFault::kFail503)] = 1;
  start(options);
  Bench bench(server_->url());
  const auto speed = measure_speed(bench.bench());
  ASSERT_FALSE(speed.ok());
  EXPECT_EQ(speed.error().code, ErrorCode::kIo);
  EXPECT_NE(speed.error().message.find("http_5xx"), std::string::npos) << speed.error().message;
}

// Refuses what a test names, and answers everything else with one word.
class PickyServer : public TestingServer {
 public:
  PickyServer(const std::string& word, int status, const std::string& refusal) {
    json("GET /v1/models", R"({"object":"list","data":[{"id":"picky"}]})");
    for (const char* what : {"POST /v1/completions", "POST /v1/chat/completions"}) {
      route(what, [=](const HttpRequest& request, Responder responder) {
        if (request.body.find(word) != std::string::npos) {
          responder.answer({status, "application/json", {}, R"({"error":{"message":")" + refusal + "\"}}"});
          return;
        }
        responder.answer(
            {200,
             "text/event-stream",
             {},
             "data: {\"choices\":[{\"index\":0,\"text\":\"yes\",\"delta\":{\"content\":\"yes\"},"
             "\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
             "\"completion_tokens\":1,\"total_tokens\":4}}\n\ndata: [DONE]\n\n"});
      });
    }
    start();
  }
};

TEST(ArticleRefusals, AResponseFormatMayBeRefused) {
  PickyServer server("response_format", 400, "response_format is not supported here");
  Bench bench(server.url());
  const CellResult result = bench.run(bench.cell("structured/article/schema"));
  EXPECT_EQ(result.status, "refused");
  EXPECT_NE(result.note.en.find("response_format is not supported here"), std::string::npos)
      << result.note.en;
  EXPECT_EQ(result.records.size(), 1u) << "one refusal is enough";
  EXPECT_EQ(bench.run(bench.cell("structured/article/plain")).status, "measured");
}

TEST(ArticleRefusals, APenaltyThatIsUnknownIsLeftOut) {
  PickyServer server("repetition_penalty", 400, "unknown field repetition_penalty");
  Bench bench(server.url());
  const CellResult result = bench.run(bench.cell("long_output"));
  EXPECT_EQ(count_ok(result.records), 2);
  EXPECT_NE(result.note.en.find("refuses repetition_penalty"), std::string::npos) << result.note.en;
}

TEST(ArticleRefusals, APromptThatIsTooLongDoesNotFit) {
  PickyServer server("model", 400, "This model's maximum context length is 64 tokens");
  Bench bench(server.url());
  const CellResult result = bench.run(bench.cell("latency/1024/cold"));
  EXPECT_EQ(result.status, "does_not_fit");
}

TEST(ArticleRefusals, AServerWithoutChatIsSaidToHaveNone) {
  PickyServer server("messages", 404, "Not Found");
  ArticleOptions options;
  options.conversations = 2;
  Bench bench(server.url(), options);
  const CellResult result = bench.run(bench.cell("multi_turn/en"));
  EXPECT_EQ(result.status, "unsupported") << result.note.en;
  EXPECT_EQ(result.records.size(), 2u) << "a conversation ends with its first error";
}

std::vector<Cell> small_plan(Bench& bench) {
  std::vector<Cell> plan;
  for (const char* id : {"latency/128/cold", "latency/128/warm", "long_output", "structured/article/plain"}) {
    plan.push_back(bench.cell(id));
  }
  return plan;
}

TEST_F(ArticleCells, APlanGoesOnWhereItWasInterrupted) {
  start(quick_mock());
  const size_t cells_in_plan = 4;
  for (size_t stop_after = 0; stop_after <= cells_in_plan; ++stop_after) {
    Bench bench(server_->url());
    const std::vector<Cell> plan = small_plan(bench);
    std::vector<CellResult> cells;
    std::vector<std::string> saved;
    ArticleHooks hooks;
    hooks.on_cell = [&](const ArticleProgress&) { bench.stop() = saved.size() == stop_after; };
    hooks.on_result = [&](const CellResult& result) -> Result<void> {
      saved.push_back(result.id);
      return {};
    };
    const auto first = run_plan(bench.bench(), plan, hooks, &cells);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(*first, stop_after < cells_in_plan);
    EXPECT_EQ(saved.size(), stop_after);
    // What was cut off stands in the report, but is measured again.
    cells.resize(saved.size());
    bench.stop() = false;
    hooks.on_cell = nullptr;
    const auto second = run_plan(bench.bench(), plan, hooks, &cells);
    ASSERT_TRUE(second.ok());
    EXPECT_FALSE(*second);
    ASSERT_EQ(saved.size(), plan.size());
    for (size_t i = 0; i < plan.size(); ++i) EXPECT_EQ(saved[i], plan[i].id);
  }
}

TEST_F(ArticleCells, AResultThatCannotBeKeptEndsTheRun) {
  start(quick_mock());
  Bench bench(server_->url());
  ArticleHooks hooks;
  hooks.on_result = [](const CellResult&) -> Result<void> {
    return Error{ErrorCode::kIo, "the disk is full", ""};
  };
  std::vector<CellResult> cells;
  const auto done = run_plan(bench.bench(), small_plan(bench), hooks, &cells);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().message, "the disk is full");
  EXPECT_EQ(cells.size(), 1u);
}

}  // namespace
}  // namespace hussar
