// Answers whose grammar leaves something to be checked: what fails is never seen, and what is seen is what
// the request alone gives, whatever runs beside it.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "base/json.h"
#include "engine/collected_answer.h"
#include "engine/engine_loop.h"
#include "engine/fake_backend.h"
#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

constexpr int32_t kVocabSize = 300;
constexpr int32_t kTokensMax = 60;
constexpr size_t kRequests = 60;

std::unique_ptr<Engine> start(FakeRoles roles = FakeRoles::kAgree, int32_t steps_in_flight_max = 1) {
  EngineOptions options;
  options.context_max = 400;
  options.kv_blocks = 200;
  options.running_max = 8;
  options.queue_max = 2 * kRequests;
  options.step_tokens_max = 24;
  FakeBackend::Options device;
  device.vocab_size = kVocabSize;
  device.blocks = options.kv_blocks;
  device.roles = roles;
  device.steps_in_flight_max = steps_in_flight_max;
  EngineParts parts;
  parts.backend = std::make_unique<FakeBackend>(device);
  parts.forward = [](Backend&, const StepShape&) {};
  parts.vocab_size = kVocabSize;
  parts.token_bytes = ByteTable(testing_token_bytes());
  return start_engine_loop(options, std::move(parts));
}

std::shared_ptr<const CompiledGrammar> schema(const std::string& text) {
  auto grammar = CompiledGrammar::compile({GrammarKind::kJsonSchema, text, {}}, testing_vocabulary());
  CHECK_NOTE(grammar.ok(), text.c_str());
  CHECK(!(*grammar)->checks().empty());
  return *grammar;
}

// A random answer passes now and then.
std::shared_ptr<const CompiledGrammar> unlike_letters() {
  return schema(
      R"({"type":"array","items":{"type":"string","pattern":"^[#-Z]$"},"minItems":2,"maxItems":2,"uniqueItems":true})");
}

Request request_with(std::shared_ptr<const CompiledGrammar> grammar, std::mt19937* random) {
  Request request;
  // Some prompts end with a block of 4, and many begin alike.
  const size_t size = 1 + (*random)() % 12;
  for (size_t i = 0; i < size; ++i)
    request.prompt.push_back(static_cast<TokenId>(i < 5 ? i : (*random)() % kVocabSize));
  request.tokens_max = kTokensMax;
  request.seed = (*random)();
  request.stop_ids = {kTestEnd};
  request.grammar = std::move(grammar);
  request.attempts_max = 300;
  request.retry_tokens_max = 100'000;
  return request;
}

std::string text_of(const std::vector<TokenId>& tokens) {
  const std::vector<std::string> bytes = testing_token_bytes();
  std::string text;
  for (const TokenId token : tokens) {
    if (static_cast<size_t>(token) < bytes.size()) text += bytes[static_cast<size_t>(token)];
  }
  return text;
}

struct Whole {
  std::vector<TokenId> tokens;
  TokenEvent last;
};

Whole alone(const Request& request, FakeRoles roles) {
  CollectedAnswer answer;
  const auto engine = start(roles);
  CHECK(engine->submit(request, answer.sink()).ok());
  const TokenEvent last = answer.wait();
  return {answer.tokens(), last};
}

bool are_unlike(const std::vector<TokenId>& tokens) {
  const auto parsed = parse_json(text_of(tokens), {});
  CHECK(parsed.ok());
  std::set<std::string> seen;
  for (const Json& item : *parsed->as_array()) {
    if (!seen.insert(*item.as_string()).second) return false;
  }
  return true;
}

// Where a step may be launched before the tokens of the last one are known, a checked answer can be cancelled
// at any time beside one that isn't.
TEST(EngineCheckedAhead, CancelledAtAnyTimeBesideAnother) {
  constexpr int kRounds = 300;
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto checked = unlike_letters();
  const auto engine = start(FakeRoles::kAgree, 2);
  for (int round = 0; round < kRounds; ++round) {
    const Request plain = request_with(nullptr, &random), other = request_with(checked, &random);
    CollectedAnswer plain_answer, other_answer;
    const auto other_id = engine->submit(other, other_answer.sink());
    ASSERT_TRUE(other_id.ok());
    ASSERT_TRUE(engine->submit(plain, plain_answer.sink()).ok());
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 1500));
    engine->cancel(*other_id);
    (void)other_answer.wait();
    (void)plain_answer.wait();
    if (round % 20 != 0) continue;
    EXPECT_EQ(plain_answer.tokens(), alone(plain, FakeRoles::kAgree).tokens);
  }
}

class EngineChecked : public testing::TestWithParam<FakeRoles> {};

TEST_P(EngineChecked, OnlyAnswersThatPassAreSeen) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto checked = unlike_letters();
  std::vector<Request> requests;
  std::vector<CollectedAnswer> answers(kRequests);
  const auto engine = start(GetParam());
  for (size_t i = 0; i < kRequests; ++i) {
    requests.push_back(request_with(i % 4 == 0 ? nullptr : checked, &random));
    ASSERT_TRUE(engine->submit(requests.back(), answers[i].sink()).ok());
  }
  int64_t discarded = 0, failed = 0;
  for (size_t i = 0; i < kRequests; ++i) {
    const TokenEvent last = answers[i].wait();
    const Whole single = alone(requests[i], GetParam());
    EXPECT_EQ(answers[i].tokens(), single.tokens);
    EXPECT_EQ(last.attempts, single.last.attempts);
    EXPECT_EQ(last.discarded_tokens, single.last.discarded_tokens);
    discarded += last.discarded_tokens;
    failed += last.attempts - 1;
    if (!requests[i].is_checked()) continue;
    EXPECT_EQ(answers[i].deliveries(), 1);
    ASSERT_EQ(last.finish, FinishReason::kStop) << last.error;
    EXPECT_TRUE(are_unlike(answers[i].tokens())) << text_of(answers[i].tokens());
    EXPECT_EQ(last.generated_tokens, static_cast<int32_t>(answers[i].tokens().size()));
    EXPECT_EQ(last.discarded_tokens > 0, last.attempts > 1);
  }
  EXPECT_GT(failed, 0);
  const EngineCounters counters = engine->counters();
  EXPECT_EQ(counters.surplus_tokens, discarded);
  EXPECT_EQ(counters.checks_failed, failed);
  EXPECT_EQ(counters.blocks_used, 0);
}

INSTANTIATE_TEST_SUITE_P(Roles, EngineChecked, testing::Values(FakeRoles::kAgree, FakeRoles::kDiffer));

TEST(EngineChecked, AttemptsAndTokensAreBounded) {
  std::mt19937 random(1);
  // Four different ones of three values: every attempt fails.
  const auto never =
      schema(R"({"type":"array","items":{"enum":[1,2,3]},"minItems":4,"maxItems":4,"uniqueItems":true})");
  Request request = request_with(never, &random);
  request.attempts_max = 3;
  const auto engine = start();
  CollectedAnswer by_attempts;
  ASSERT_TRUE(engine->submit(request, by_attempts.sink()).ok());
  TokenEvent last = by_attempts.wait();
  EXPECT_EQ(last.finish, FinishReason::kError);
  EXPECT_TRUE(last.check_failed);
  EXPECT_EQ(last.attempts, 3);
  EXPECT_EQ(last.generated_tokens, 0);
  EXPECT_TRUE(by_attempts.tokens().empty());
  EXPECT_EQ(last.error,
            "no answer satisfied the schema in 3 attempts: 'uniqueItems' at the root fails for the value at "
            "the root");

  request.attempts_max = 1000;
  request.retry_tokens_max = 200;
  CollectedAnswer by_tokens;
  ASSERT_TRUE(engine->submit(request, by_tokens.sink()).ok());
  last = by_tokens.wait();
  EXPECT_EQ(last.finish, FinishReason::kError);
  EXPECT_LE(last.discarded_tokens, kTokensMax + 200);
  // What was left did not suffice for another one.
  EXPECT_GT(last.discarded_tokens, kTokensMax + 200 - never->tokens_min());
  EXPECT_EQ(engine->counters().blocks_used, 0);
}

// The likeliest answer is the same each time: later attempts are drawn.
TEST(EngineChecked, AfterTheLikeliestAnswerOthersAreDrawn) {
  std::mt19937 random(3);
  const auto engine = start();
  int drawn = 0;
  for (int i = 0; i < 20; ++i) {
    Request request = request_with(unlike_letters(), &random);
    request.sample.temperature = 0;
    CollectedAnswer answer;
    ASSERT_TRUE(engine->submit(request, answer.sink()).ok());
    const TokenEvent last = answer.wait();
    EXPECT_EQ(last.finish, FinishReason::kStop) << last.error;
    drawn += last.attempts > 1;
  }
  EXPECT_GT(drawn, 0);
}

TEST(EngineChecked, WhatEndsEarlyShowsNothing) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  // Long, so that most attempts are cut down while they run, some while they are checked.
  const auto lists = schema(
      R"({"type":"array","items":{"type":"string","pattern":"^[#-Z]$"},"minItems":3,"maxItems":4,"uniqueItems":true})");
  std::vector<Request> requests;
  std::vector<CollectedAnswer> answers(kRequests);
  const auto engine = start();
  std::vector<RequestId> ids;
  for (size_t i = 0; i < kRequests; ++i) {
    requests.push_back(request_with(lists, &random));
    if (i % 3 == 1) requests.back().deadline = Clock::now() + std::chrono::milliseconds(random() % 50);
    const auto id = engine->submit(requests.back(), answers[i].sink());
    ids.push_back(id.ok() ? *id : 0);  // a deadline may be refused
  }
  for (size_t i = 0; i < kRequests; i += 3) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    engine->cancel(ids[i]);
  }
  for (size_t i = 0; i < kRequests; ++i) {
    if (ids[i] == 0) continue;
    const TokenEvent last = answers[i].wait();
    EXPECT_EQ(answers[i].deliveries(), 1);
    if (last.finish == FinishReason::kStop) {
      EXPECT_TRUE(are_unlike(answers[i].tokens()));
      continue;
    }
    EXPECT_TRUE(answers[i].tokens().empty());
    EXPECT_EQ(last.generated_tokens, 0);
  }
  EXPECT_EQ(engine->counters().blocks_used, 0);
  // And when the engine ends in the middle of it.
  std::vector<CollectedAnswer> cut(kRequests);
  {
    const auto other = start();
    for (size_t i = 0; i < kRequests; ++i)
      ASSERT_TRUE(other->submit(requests[i % 3 == 1 ? 0 : i], cut[i].sink()).ok());
  }
  for (CollectedAnswer& answer : cut) {
    if (answer.wait().finish == FinishReason::kShutdown) {
      EXPECT_TRUE(answer.tokens().empty());
    }
  }
}

}  // namespace
}  // namespace hussar
