#include "engine/engine_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <numeric>
#include <random>
#include <thread>

#include "engine/collected_answer.h"
#include "engine/fake_backend.h"

namespace hussar {
namespace {

using Answer = CollectedAnswer;

EngineOptions small_options() {
  EngineOptions options;
  options.context_max = 128;
  options.kv_blocks = 64;
  options.running_max = 8;
  options.queue_max = 16;
  options.step_tokens_max = 24;
  return options;
}

std::unique_ptr<Engine> start(const EngineOptions& options, const FakeBackend::Options& device,
                              ByteTable token_bytes = {}) {
  EngineParts parts;
  parts.backend = std::make_unique<FakeBackend>(device);
  parts.forward = [](Backend&, const StepShape&) {};
  parts.vocab_size = device.vocab_size;
  parts.token_bytes = std::move(token_bytes);
  return start_engine_loop(options, std::move(parts));
}

Request make_request(std::vector<TokenId> prompt, int32_t tokens_max, uint64_t seed = 0) {
  Request request;
  request.prompt = std::move(prompt);
  request.tokens_max = tokens_max;
  request.seed = seed;
  request.logprobs_top = 0;
  return request;
}

std::vector<TokenId> range_prompt(int32_t count) {
  std::vector<TokenId> prompt(static_cast<size_t>(count));
  std::iota(prompt.begin(), prompt.end(), 0);
  for (TokenId& token : prompt) token %= 64;
  return prompt;
}

TEST(EngineLoop, AnswersOneRequest) {
  const FakeBackend::Options device;
  auto engine = start(small_options(), device);
  const Request request = make_request(range_prompt(50), 20, 7);
  Answer answer;
  ASSERT_TRUE(engine->submit(request, answer.sink()).ok());
  const TokenEvent last = answer.wait();
  const FakeAnswer expected = fake_answer(request, device);
  EXPECT_EQ(answer.tokens(), expected.tokens);
  EXPECT_EQ(answer.logprobs(), expected.logprobs);
  EXPECT_EQ(last.finish, FinishReason::kLength);
  EXPECT_EQ(last.prompt_tokens, 50);
  EXPECT_EQ(last.cached_prompt_tokens, 0);
  EXPECT_EQ(last.generated_tokens, 20);
  EXPECT_LE(last.admitted, last.time);
  const EngineCounters counters = engine->counters();
  EXPECT_EQ(counters.blocks_used, 0);
  EXPECT_EQ(counters.running, 0);
  EXPECT_EQ(counters.generated_tokens, 20);
  EXPECT_EQ(counters.rows, 50 + 19);
  EXPECT_EQ(counters.finished[static_cast<size_t>(FinishReason::kLength)], 1);
}

TEST(EngineLoop, AStepIsLaunchedBeforeTheTokensOfTheOneBeforeItAreKnown) {
  std::atomic<int64_t> ahead{0};
  const FakeBackend::Options device{.vocab_size = 8, .steps_in_flight_max = 2, .launched_ahead = &ahead};
  auto engine = start(small_options(), device);
  Request request = make_request(range_prompt(9), 20, 7);
  for (TokenId& token : request.prompt) token %= 8;
  Answer whole;
  ASSERT_TRUE(engine->submit(request, whole.sink()).ok());
  EXPECT_EQ(whole.wait().finish, FinishReason::kLength);
  EXPECT_EQ(whole.tokens(), fake_answer(request, device).tokens);
  EXPECT_EQ(ahead, 19) << "every step but the prompt's";
  EXPECT_EQ(engine->counters().rows, 9 + 19) << "none behind the last token";
  // What ends by itself has a row behind it that nobody wants.
  request.stop_ids = {whole.tokens()[5]};
  const size_t length = fake_answer(request, device).tokens.size();
  Answer stopped;
  ASSERT_TRUE(engine->submit(request, stopped.sink()).ok());
  EXPECT_EQ(stopped.wait().finish, FinishReason::kStop);
  EXPECT_EQ(stopped.tokens().size(), length);
  engine->shutdown();
  EXPECT_EQ(engine->counters().surplus_tokens, 1);
  EXPECT_EQ(engine->counters().blocks_used, 0);
  EXPECT_EQ(engine->counters().generated_tokens, 20 + static_cast<int64_t>(length));
}

TEST(EngineLoop, AFaultEndsBothStepsUnderWay) {
  const FakeBackend::Options device{.fault_step = 5, .steps_in_flight_max = 2};
  auto engine = start(small_options(), device);
  Answer answer;
  ASSERT_TRUE(engine->submit(make_request({1, 2, 3}, 50), answer.sink()).ok());
  const TokenEvent last = answer.wait();
  EXPECT_EQ(last.finish, FinishReason::kError);
  EXPECT_EQ(last.generated_tokens, 4);
}

TEST(EngineLoop, TheNextTurnOfAConversationHitsThePrefixCache) {
  for (FakeRoles roles : {FakeRoles::kAgree, FakeRoles::kDiffer}) {
    const FakeBackend::Options device{.roles = roles};
    auto engine = start(small_options(), device);
    Request request = make_request(range_prompt(16), 20);
    Answer first;
    ASSERT_TRUE(engine->submit(request, first.sink()).ok());
    (void)first.wait();
    for (TokenId token : first.tokens()) request.prompt.push_back(token);
    request.prompt.push_back(5);
    Answer second;
    ASSERT_TRUE(engine->submit(request, second.sink()).ok());
    const TokenEvent last = second.wait();
    EXPECT_EQ(second.tokens(), fake_answer(request, device).tokens);
    // 16 prompt tokens in blocks of 4; of the 20 of the answer all but the last were computed.
    EXPECT_EQ(last.cached_prompt_tokens, roles == FakeRoles::kAgree ? 32 : 16);
    EXPECT_EQ(engine->counters().prefix_hit_tokens, last.cached_prompt_tokens);
  }
}

TEST(EngineLoop, APromptThatIsWhollyCachedStillComputesItsLastBlock) {
  const FakeBackend::Options device;
  auto engine = start(small_options(), device);
  const Request request = make_request(range_prompt(16), 6);
  Answer answers[3];
  for (Answer& answer : answers) {
    ASSERT_TRUE(engine->submit(request, answer.sink()).ok());
    const TokenEvent last = answer.wait();
    EXPECT_EQ(answer.tokens(), fake_answer(request, device).tokens);
    EXPECT_EQ(last.cached_prompt_tokens, &answer == answers ? 0 : 12);
  }
}

TEST(EngineLoop, StopIdsAreForbiddenUntilTokensMin) {
  const FakeBackend::Options device{.vocab_size = 4};
  auto engine = start(small_options(), device);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Request request = make_request({1, 2, 3}, 30, seed);
    request.stop_ids = {2, 3};
    request.tokens_min = 10;
    request.bias = {{0, -std::numeric_limits<float>::infinity()}};
    Answer answer;
    ASSERT_TRUE(engine->submit(request, answer.sink()).ok());
    const TokenEvent last = answer.wait();
    const FakeAnswer expected = fake_answer(request, device);
    EXPECT_EQ(answer.tokens(), expected.tokens);
    EXPECT_EQ(last.finish, expected.finish);
    EXPECT_GT(last.generated_tokens, 10);
    EXPECT_EQ(last.stop_token, last.finish == FinishReason::kStop ? answer.tokens().back() : -1);
  }
}

TEST(EngineLoop, AStopStringEndsTheAnswer) {
  const FakeBackend::Options device{.vocab_size = 2};
  auto engine = start(small_options(), device, {"a", "b"});
  Request request = make_request({0}, 60);
  request.stops = *StopAutomaton::compile({"ab"}, {});
  Answer answer;
  ASSERT_TRUE(engine->submit(request, answer.sink()).ok());
  EXPECT_EQ(answer.wait().finish, FinishReason::kStop);
  const std::vector<TokenId> tokens = answer.tokens();
  ASSERT_GE(tokens.size(), 2u);
  EXPECT_EQ(tokens[tokens.size() - 2], 0);
  EXPECT_EQ(tokens.back(), 1);
}

TEST(EngineLoop, NoAllowedTokenIsAnErrorOfThatRequestAlone) {
  const FakeBackend::Options device{.vocab_size = 2};
  auto engine = start(small_options(), device);
  Request request = make_request({0}, 5);
  request.stop_ids = {0, 1};
  request.tokens_min = 1;
  Answer bad, good;
  ASSERT_TRUE(engine->submit(request, bad.sink()).ok());
  ASSERT_TRUE(engine->submit(make_request({0}, 5), good.sink()).ok());
  const TokenEvent last = bad.wait();
  EXPECT_EQ(last.finish, FinishReason::kError);
  EXPECT_NE(last.error, "");
  EXPECT_EQ(good.wait().finish, FinishReason::kLength);
}

TEST(EngineLoop, AFullQueueRefuses) {
  StepGate gate;
  gate.close();
  FakeBackend::Options device;
  device.gate = &gate;
  EngineOptions options = small_options();
  options.running_max = 2;
  options.queue_max = 3;
  auto engine = start(options, device);
  std::vector<std::unique_ptr<Answer>> answers;
  const auto submit = [&] {
    answers.push_back(std::make_unique<Answer>());
    return engine->submit(make_request({1, 2}, 4), answers.back()->sink());
  };
  ASSERT_TRUE(submit().ok());
  gate.wait_for_arrivals(1);  // it runs; nothing is taken from now on
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(submit().ok());
  const Result<RequestId> refused = submit();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kFull);
  answers.pop_back();
  EXPECT_EQ(engine->counters().waiting, 3);
  EXPECT_EQ(engine->counters().requests_refused, 1);
  gate.open();
  for (auto& answer : answers) EXPECT_EQ(answer->wait().finish, FinishReason::kLength);
  EXPECT_EQ(engine->counters().waiting, 0);
}

TEST(EngineLoop, CancelFreesTheBlocksWithinOneStep) {
  StepGate gate;
  gate.close();
  FakeBackend::Options device;
  device.gate = &gate;
  auto engine = start(small_options(), device);
  Answer cancelled, other;
  const Result<RequestId> id = engine->submit(make_request(range_prompt(20), 100), cancelled.sink());
  ASSERT_TRUE(id.ok());
  gate.wait_for_arrivals(1);
  engine->cancel(*id);
  engine->cancel(*id);
  engine->cancel(999);
  gate.open();
  EXPECT_EQ(cancelled.wait().finish, FinishReason::kCancelled);
  EXPECT_LE(cancelled.tokens().size(), 1u);  // the step that was under way
  EXPECT_EQ(engine->counters().blocks_used, 0);
  ASSERT_TRUE(engine->submit(make_request({3}, 2), other.sink()).ok());
  EXPECT_EQ(other.wait().finish, FinishReason::kLength);
  engine->cancel(*id);  // ended long ago
}

TEST(EngineLoop, ASinkMaySubmitAndCancel) {
  const FakeBackend::Options device;
  auto engine = start(small_options(), device);
  Answer second;
  std::promise<RequestId> first_id;
  std::shared_future<RequestId> id = first_id.get_future().share();
  bool done = false;
  const auto sink = [&](std::span<const TokenEvent> events) {
    if (!std::exchange(done, true)) {
      engine->cancel(id.get());
      EXPECT_TRUE(engine->submit(make_request({1}, 3), second.sink()).ok());
    }
    if (events.back().finish) {
      EXPECT_EQ(events.back().finish, FinishReason::kCancelled);
    }
  };
  const Result<RequestId> result = engine->submit(make_request({1}, 100), sink);
  ASSERT_TRUE(result.ok());
  first_id.set_value(*result);
  EXPECT_EQ(second.wait().finish, FinishReason::kLength);
  engine->shutdown();
}

TEST(EngineLoop, ShutdownEndsEverythingOnce) {
  StepGate gate;
  gate.close();
  FakeBackend::Options device;
  device.gate = &gate;
  EngineOptions options = small_options();
  options.running_max = 2;
  auto engine = start(options, device);
  std::vector<Answer> answers(10);
  for (Answer& answer : answers) ASSERT_TRUE(engine->submit(make_request({1, 2, 3}, 50), answer.sink()).ok());
  gate.wait_for_arrivals(1);
  std::thread stopper([&] { engine->shutdown(); });
  while (engine->submit({}, {}).error().code != ErrorCode::kCancelled) std::this_thread::yield();
  gate.open();
  for (Answer& answer : answers) EXPECT_EQ(answer.wait().finish, FinishReason::kShutdown);
  stopper.join();
  engine->shutdown();
  const Result<RequestId> late = engine->submit(make_request({1}, 1), Answer().sink());
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(engine->counters().blocks_used, 0);
  EXPECT_EQ(engine->counters().finished[static_cast<size_t>(FinishReason::kShutdown)], 10);
}

TEST(EngineLoop, ADeviceFaultEndsAllAndRefusesMore) {
  FakeBackend::Options device;
  device.fault_step = 5;
  auto engine = start(small_options(), device);
  std::vector<Answer> answers(4);
  std::vector<Answer*> accepted;
  for (Answer& answer : answers) {
    if (engine->submit(make_request({1, 2, 3}, 50), answer.sink()).ok()) accepted.push_back(&answer);
  }
  ASSERT_FALSE(accepted.empty());
  EXPECT_FALSE(start(small_options(), {})->fault());
  for (Answer* answer : accepted) {
    const TokenEvent last = answer->wait();
    EXPECT_EQ(last.finish, FinishReason::kError);
    EXPECT_EQ(last.error, "the fake device broke");
  }
  const Result<RequestId> late = engine->submit(make_request({1}, 1), Answer().sink());
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kDeviceFault);
  ASSERT_TRUE(engine->fault());
  EXPECT_EQ(engine->fault()->message, "the device has failed: the fake device broke");
  engine->shutdown();
  EXPECT_TRUE(engine->fault()) << "an end by will is no excuse for a fault before it";
}

TEST(EngineLoop, AnIdleEngineShowsThatItLives) {
  auto engine = start(small_options(), {});
  const TimePoint before = engine->counters().last_step;
  const TimePoint patience = Clock::now() + std::chrono::seconds(20);
  while (engine->counters().last_step == before && Clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GT(engine->counters().last_step, before);
  EXPECT_EQ(engine->counters().steps, 0);
}

TEST(EngineLoop, TheSameAloneAndAmongOthers) {
  const FakeBackend::Options device;
  std::vector<Request> requests;
  std::mt19937_64 random(11);
  for (int i = 0; i < 16; ++i) {
    std::vector<TokenId> prompt = range_prompt(static_cast<int32_t>(random() % 60));
    for (int j = 0; j < 10; ++j) prompt.push_back(static_cast<TokenId>(random() % 64));
    requests.push_back(make_request(std::move(prompt), 1 + static_cast<int32_t>(random() % 50), random()));
  }
  std::vector<Answer> together(requests.size());
  auto engine = start(small_options(), device);
  for (size_t i = 0; i < requests.size(); ++i)
    ASSERT_TRUE(engine->submit(requests[i], together[i].sink()).ok());
  for (size_t i = 0; i < requests.size(); ++i) {
    (void)together[i].wait();
    Answer alone;
    auto engine_alone = start(small_options(), device);
    ASSERT_TRUE(engine_alone->submit(requests[i], alone.sink()).ok());
    (void)alone.wait();
    EXPECT_EQ(together[i].tokens(), alone.tokens());
    EXPECT_EQ(together[i].logprobs(), alone.logprobs());
  }
}

// Threads submit, cancel and watch at once; every answer is the one that the request alone gives, or a
// beginning of it.
void run_storm(FakeRoles roles, uint64_t seed, int32_t steps_in_flight_max = 1) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  constexpr int kThreads = 4, kRequests = 150;
  std::atomic<int64_t> ahead{0};
  const FakeBackend::Options device{
      .blocks = 48, .roles = roles, .steps_in_flight_max = steps_in_flight_max, .launched_ahead = &ahead};
  EngineOptions options = small_options();
  options.kv_blocks = device.blocks;
  auto engine = start(options, device);
  std::atomic<int64_t> generated{0}, prompts{0}, accepted{0}, refused{0}, cancelled{0};
  const auto client = [&](uint64_t client_seed) {
    std::mt19937_64 random(client_seed);
    for (int i = 0; i < kRequests; ++i) {
      Request request = make_request(range_prompt(static_cast<int32_t>(random() % 40)), 1, random() % 3);
      const size_t own = 1 + random() % 8;
      for (size_t j = 0; j < own; ++j) request.prompt.push_back(static_cast<TokenId>(random() % 64));
      request.tokens_max = 1 + static_cast<int32_t>(random() % 40);
      if (random() % 2 == 0) request.stop_ids = {static_cast<TokenId>(random() % 64), 3};
      Answer answer;
      const Result<RequestId> id = engine->submit(request, answer.sink());
      if (!id.ok()) {
        EXPECT_EQ(id.error().code, ErrorCode::kFull);
        ++refused;
        continue;
      }
      ++accepted;
      if (random() % 4 == 0) {
        answer.wait_for_tokens(random() % 5);
        engine->cancel(*id);
      }
      const TokenEvent last = answer.wait();
      const FakeAnswer expected = fake_answer(request, device);
      const std::vector<TokenId> tokens = answer.tokens();
      EXPECT_EQ(static_cast<int32_t>(tokens.size()), last.generated_tokens);
      if (last.finish == FinishReason::kCancelled) {
        ++cancelled;
        ASSERT_LE(tokens.size(), expected.tokens.size());
        EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), expected.tokens.begin()));
      } else {
        EXPECT_EQ(tokens, expected.tokens);
        EXPECT_EQ(last.finish, expected.finish);
      }
      generated += last.generated_tokens;
      prompts += last.prompt_tokens;
      const EngineCounters counters = engine->counters();
      EXPECT_EQ(counters.blocks_free + counters.blocks_cached + counters.blocks_used, counters.blocks_all);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(client, seed * 1000 + static_cast<uint64_t>(i));
  for (std::thread& thread : threads) thread.join();
  engine->shutdown();  // a step that was launched ahead keeps its blocks until it has run
  const EngineCounters counters = engine->counters();
  EXPECT_EQ(counters.blocks_used, 0);
  EXPECT_EQ(counters.generated_tokens, generated);
  EXPECT_EQ(counters.prompt_tokens, prompts);
  EXPECT_EQ(counters.requests_accepted, accepted);
  EXPECT_EQ(counters.requests_refused, refused);
  EXPECT_EQ(counters.finished[static_cast<size_t>(FinishReason::kCancelled)], cancelled);
  EXPECT_GT(counters.prefix_hit_tokens, 0);
  EXPECT_EQ(ahead > 0, steps_in_flight_max > 1);
}

TEST(EngineLoop, AStormOfThreads) {
  for (uint64_t seed = 1; seed <= 3; ++seed) run_storm(FakeRoles::kAgree, seed);
}
TEST(EngineLoop, AStormWhereGeneratedBlocksMayNotBeShared) {
  for (uint64_t seed = 4; seed <= 6; ++seed) run_storm(FakeRoles::kDiffer, seed);
}

TEST(EngineLoop, AStormWithTwoStepsUnderWay) {
  for (uint64_t seed = 7; seed <= 9; ++seed) run_storm(FakeRoles::kAgree, seed, 2);
  for (uint64_t seed = 10; seed <= 12; ++seed) run_storm(FakeRoles::kDiffer, seed, 2);
}

TEST(EngineLoop, OptionsOutOfRangeAreNamed) {
  EXPECT_TRUE(validate_options(small_options()).ok());
  EngineOptions options = small_options();
  options.step_tokens_max = options.running_max - 1;
  EXPECT_EQ(validate_options(options).error().field, "step_tokens_max");
  options = small_options();
  options.kv_blocks = 0;
  EXPECT_EQ(validate_options(options).error().field, "kv_blocks");
}

}  // namespace
}  // namespace hussar
