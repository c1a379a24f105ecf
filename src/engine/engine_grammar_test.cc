// Answers within grammars: each must be what the request alone gives, token for token, whatever runs beside
// it and however late its masks are.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/json.h"
#include "engine/collected_answer.h"
#include "engine/engine_loop.h"
#include "engine/fake_backend.h"
#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

constexpr int32_t kVocabSize = 300;  // more logits than tokens
constexpr int kRequests = 40;

FakeBackend::Options device() {
  FakeBackend::Options options;
  options.vocab_size = kVocabSize;
  options.blocks = 1000;
  return options;
}

std::unique_ptr<Engine> start(int64_t mask_wait_us_max) {
  EngineOptions options;
  options.context_max = 400;
  options.kv_blocks = 1000;
  options.running_max = 8;
  options.queue_max = 2 * kRequests;
  options.step_tokens_max = 24;
  options.mask_wait_us_max = mask_wait_us_max;
  options.mask_states_max = 200'000;
  EngineParts parts;
  parts.backend = std::make_unique<FakeBackend>(device());
  parts.forward = [](Backend&, const StepShape&) {};
  parts.vocab_size = kVocabSize;
  return start_engine_loop(options, std::move(parts));
}

std::shared_ptr<const CompiledGrammar> grammar_of(GrammarKind kind, const std::string& text,
                                                  std::shared_ptr<const GrammarVocabulary> vocabulary) {
  auto grammar = CompiledGrammar::compile({kind, text, {}}, std::move(vocabulary));
  CHECK_NOTE(grammar.ok(), text.c_str());
  return *grammar;
}

std::vector<std::shared_ptr<const CompiledGrammar>> some_grammars() {
  const auto vocabulary = testing_vocabulary();
  return {nullptr, grammar_of(GrammarKind::kRegex, "[a-z]{3,9}(, [0-9]{2})*", vocabulary),
          grammar_of(GrammarKind::kJsonObject, "", vocabulary),
          grammar_of(GrammarKind::kEbnf, "root ::= \"(\" root \")\" | \"x\"", vocabulary)};
}

Request request_with(std::shared_ptr<const CompiledGrammar> grammar, std::mt19937* random) {
  Request request;
  for (int i = 0; i < 5; ++i) request.prompt.push_back(static_cast<TokenId>((*random)() % kVocabSize));
  request.tokens_max = 60;
  request.seed = (*random)();
  request.stop_ids = {kTestEnd};
  request.grammar = std::move(grammar);
  return request;
}

struct Whole {
  std::vector<TokenId> tokens;
  std::string text;
  TokenEvent last;
};

Whole whole(CollectedAnswer* collected) {
  static const std::vector<std::string> bytes = testing_token_bytes();
  Whole answer;
  answer.last = collected->wait();
  answer.tokens = collected->tokens();
  for (const TokenId token : answer.tokens) {
    if (static_cast<size_t>(token) < bytes.size()) answer.text += bytes[static_cast<size_t>(token)];
  }
  return answer;
}

Whole alone(const Request& request) {
  CollectedAnswer collected;
  const auto engine = start(1'000'000);
  CHECK(engine->submit(request, collected.sink()).ok());
  return whole(&collected);
}

void expect_answers_of_their_own(int64_t mask_wait_us_max) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto grammars = some_grammars();
  std::vector<Request> requests;
  std::vector<CollectedAnswer> answers(kRequests);
  const auto engine = start(mask_wait_us_max);  // ends before what its sinks write to, here and below
  for (int i = 0; i < kRequests; ++i) {
    requests.push_back(request_with(grammars[random() % grammars.size()], &random));
    ASSERT_TRUE(engine->submit(requests.back(), answers[static_cast<size_t>(i)].sink()).ok());
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const Whole together = whole(&answers[i]);
    EXPECT_EQ(together.tokens, alone(requests[i]).tokens);
    if (!requests[i].grammar) continue;
    EXPECT_EQ(together.last.finish, FinishReason::kStop) << together.last.error << together.text;
    EXPECT_EQ(together.last.stop_token, kTestEnd);
  }
}

TEST(EngineGrammar, AnswersAreTheRequestsOwn) { expect_answers_of_their_own(1'000'000); }

// How many come late is the machine's business: see GrammarMasks' own tests.
TEST(EngineGrammar, LateMasksChangeNoAnswer) { expect_answers_of_their_own(0); }

// Fewer and fewer tokens, down to the least that suffices: each answer is whole.
TEST(EngineGrammar, AnswersComeToTheirEndInTime) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto vocabulary = testing_vocabulary();
  const std::string person =
      R"({"type":"object","properties":{"name":{"type":"string","pattern":"^[a-z ]*$"},"tags":{"type":"array","items":)"
      R"({"type":"object","properties":{"id":{"type":"integer"},"on":{"type":"boolean"}},"required":["id","on"]}},)"
      R"("next":{"anyOf":[{"type":"null"},{"type":"array","items":{"type":"boolean"},"minItems":3}]}},)"
      R"("required":["name","tags","next"],"additionalProperties":false})";
  const auto json = grammar_of(GrammarKind::kJsonSchema, person, vocabulary);
  const auto brackets =
      grammar_of(GrammarKind::kEbnf, "root ::= \"(\" root \")\" | \"[\" root \"]\" root | \"x\"", vocabulary);
  for (const auto& grammar : {json, brackets}) {
    std::vector<Request> requests;
    for (int32_t tokens_max = grammar->tokens_min(); tokens_max < grammar->tokens_min() + 2 * kRequests;
         ++tokens_max) {
      requests.push_back(request_with(grammar, &random));
      requests.back().tokens_max = tokens_max;
    }
    std::vector<CollectedAnswer> answers(requests.size());
    const auto engine = start(2000);
    for (size_t i = 0; i < requests.size(); ++i) {
      ASSERT_TRUE(engine->submit(requests[i], answers[i].sink()).ok());
    }
    for (size_t i = 0; i < requests.size(); ++i) {
      const Whole answer = whole(&answers[i]);
      EXPECT_EQ(answer.last.finish, FinishReason::kStop) << answer.last.error << answer.text;
      EXPECT_LE(answer.last.generated_tokens, requests[i].tokens_max);
      if (grammar == brackets) {
        const auto count = [&](char c) { return std::ranges::count(answer.text, c); };
        EXPECT_EQ(count('('), count(')'));
        EXPECT_EQ(count('x'), count('[') + 1);
        continue;
      }
      const auto parsed = parse_json(answer.text, {.depth_max = 1000});
      ASSERT_TRUE(parsed.ok()) << answer.text << parsed.error().message;
      EXPECT_EQ(parsed->as_object()->size(), 3u);
    }
    Request short_one = request_with(grammar, &random);
    short_one.tokens_max = grammar->tokens_min() - 1;
    const auto refused = engine->submit(short_one, {});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().field, "max_tokens");
  }
}

TEST(EngineGrammar, ACancelledOneLeavesTheOthersAlone) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto endless = grammar_of(GrammarKind::kRegex, "[a-z]*0", testing_vocabulary());
  std::vector<Request> requests;
  std::vector<CollectedAnswer> answers(kRequests);
  const auto engine = start(2000);
  std::vector<RequestId> ids;
  for (int i = 0; i < kRequests; ++i) {
    requests.push_back(request_with(endless, &random));
    requests.back().tokens_max = 200;
    const auto id = engine->submit(requests.back(), answers[static_cast<size_t>(i)].sink());
    ASSERT_TRUE(id.ok());
    ids.push_back(*id);
  }
  for (size_t i = 0; i < ids.size(); i += 2) {
    answers[i].wait_for_tokens(1 + random() % 5);
    engine->cancel(ids[i]);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const Whole together = whole(&answers[i]);
    if (together.last.finish == FinishReason::kCancelled) {
      EXPECT_EQ(i % 2, 0u);
      continue;
    }
    EXPECT_EQ(together.tokens, alone(requests[i]).tokens);
    EXPECT_EQ(together.last.finish, FinishReason::kStop);
  }
  EXPECT_EQ(engine->counters().blocks_used, 0);
}

TEST(EngineGrammar, OneThatCanNotGoOnEndsAlone) {
  std::mt19937 random(1);
  CollectedAnswer stuck, forbidden, fine;
  const auto engine = start(2000);
  Request no_way_on = request_with(grammar_of(GrammarKind::kRegex, "cd", testing_vocabulary()), &random);
  no_way_on.bias = {{'d', -INFINITY}};
  ASSERT_TRUE(engine->submit(no_way_on, stuck.sink()).ok());
  Request no_token = request_with(grammar_of(GrammarKind::kRegex, "c", testing_vocabulary()), &random);
  no_token.bias = {{'c', -INFINITY}};
  ASSERT_TRUE(engine->submit(no_token, forbidden.sink()).ok());
  const Request good = request_with(some_grammars()[1], &random);
  ASSERT_TRUE(engine->submit(good, fine.sink()).ok());
  const TokenEvent stuck_end = stuck.wait();
  EXPECT_EQ(stuck_end.finish, FinishReason::kError);
  EXPECT_EQ(stuck_end.generated_tokens, 1);
  EXPECT_EQ(forbidden.wait().finish, FinishReason::kError);
  EXPECT_EQ(whole(&fine).tokens, alone(good).tokens);
}

// What an answer can be read as grows with the cube of its length.
TEST(EngineGrammar, OneThatCanBeReadInTooManyWaysEndsAlone) {
  std::mt19937 random(1);
  CollectedAnswer costly, fine;
  const auto engine = start(2000);
  Request ambiguous = request_with(
      grammar_of(GrammarKind::kEbnf, "root ::= root root root | [a-z]", testing_vocabulary()), &random);
  ambiguous.bias = {{kTestEnd, -INFINITY}};
  ambiguous.tokens_max = 390;
  ASSERT_TRUE(engine->submit(ambiguous, costly.sink()).ok());
  const Request good = request_with(some_grammars()[1], &random);
  ASSERT_TRUE(engine->submit(good, fine.sink()).ok());
  const Whole ended = whole(&costly);
  EXPECT_EQ(ended.last.finish, FinishReason::kError);
  EXPECT_NE(ended.last.error.find("too many ways"), std::string::npos) << ended.last.error;
  EXPECT_EQ(ended.tokens, alone(ambiguous).tokens) << "where it ends is the answer's own";
  EXPECT_EQ(whole(&fine).tokens, alone(good).tokens);
}

TEST(EngineGrammar, ARequestMustFitItsGrammar) {
  std::mt19937 random(1);
  const auto engine = start(2000);
  const auto grammar = some_grammars()[1];
  Request early = request_with(grammar, &random);
  early.tokens_min = 1;
  EXPECT_EQ(engine->submit(early, {}).error().field, "min_tokens");
  Request endless = request_with(grammar, &random);
  endless.stop_ids.clear();
  EXPECT_EQ(engine->submit(endless, {}).error().field, "stop_token_ids");
  std::vector<std::string> many = testing_token_bytes();
  many.resize(kVocabSize + 1, "q");
  const auto larger = GrammarVocabulary::create(many, {kTestEnd});
  ASSERT_TRUE(larger.ok());
  EXPECT_EQ(
      engine->submit(request_with(grammar_of(GrammarKind::kRegex, "a", *larger), &random), {}).error().field,
      "grammar");
}

}  // namespace
}  // namespace hussar
