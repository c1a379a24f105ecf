#include "grammar/grammar_compiler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>
#include <vector>

#include "grammar/grammar_frame.h"
#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

std::unique_ptr<GrammarCompiler> compiler(const GrammarLimits& limits) {
  return std::make_unique<GrammarCompiler>(limits, testing_token_bytes, std::vector<TokenId>{kTestEnd},
                                           GrammarCompiler::ChildCommand{HUSSAR_GRAMMAR_CHILD, {}});
}

GrammarSpec regex(std::string text) { return {GrammarKind::kRegex, std::move(text), {}}; }
GrammarSpec schema(std::string text) { return {GrammarKind::kJsonSchema, std::move(text), {}}; }

// 40 to the power of `depth` ways.
std::string nested_one_of(int depth) {
  std::string inner = R"({"type":"integer"})";
  for (int level = 0; level < depth; ++level) {
    inner = R"({"oneOf":[{"type":"object","properties":{"a":)" + inner +
            R"(},"required":["a"]},{"type":"object","properties":{"b":)" + inner + R"(},"required":["b"]}]})";
  }
  return inner;
}

TEST(GrammarCompiler, CompilesOnceAndKeepsTheResult) {
  const auto grammars = compiler({});
  EXPECT_FALSE(grammars->find(regex("a+")));
  const auto first = grammars->compile(regex("a+"));
  ASSERT_TRUE(first.ok()) << first.error().message;
  const auto second = grammars->compile(regex("a+"));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(*grammars->find(regex("a+")).value(), *first);
  EXPECT_EQ(grammars->counters().compiled, 1);
  EXPECT_EQ(grammars->counters().cache_hits, 2);
  EXPECT_FALSE(grammars->find({GrammarKind::kEbnf, "a+", {}}));
}

TEST(GrammarCompiler, ChoicesWithTheSameTextBetweenThemAreNotTheSame) {
  const auto grammars = compiler({});
  const auto one = grammars->compile({GrammarKind::kChoice, "", {"ab", "c"}});
  const auto other = grammars->compile({GrammarKind::kChoice, "", {"a", "bc"}});
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_NE(*one, *other);
}

TEST(GrammarCompiler, WhatCostsTooMuchIsRefusedAndTheNextIsCompiled) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a process under ThreadSanitizer comes to a standstill where its memory is limited";
#endif
  GrammarLimits limits;
  limits.cpu_ms_max = 200;
  limits.memory_bytes_max = 256 << 20;
  const auto grammars = compiler(limits);
  std::string alternatives;
  for (int i = 0; i < 60'000; ++i) alternatives += (i == 0 ? "v" : "|v") + std::to_string(i);
  std::string any_of = R"({"enum":[)";
  for (int i = 0; i < 20'000; ++i) any_of += (i == 0 ? "\"v" : ",\"v") + std::to_string(i) + "\"";
  for (const GrammarSpec& spec :
       {schema(nested_one_of(14)), regex(alternatives), schema(any_of + "]}"),
        regex("((a{1,500}b?){1,500}c?){1,500}"), regex(std::string(100'000, '('))}) {
    const auto hostile = grammars->compile(spec);
    ASSERT_FALSE(hostile.ok()) << spec.text.substr(0, 100);
    EXPECT_TRUE(hostile.error().code == ErrorCode::kTooLarge || hostile.error().code == ErrorCode::kInvalid);
    EXPECT_EQ(hostile.error().message.find('\n'), std::string::npos);
    RecordProperty(spec.text.substr(0, 40), hostile.error().message);
    const auto next = grammars->compile(regex("b{" + std::to_string(grammars->counters().refused) + "}"));
    ASSERT_TRUE(next.ok()) << next.error().message;
  }
  EXPECT_EQ(grammars->counters().refused, 5);
}

TEST(GrammarCompiler, TextsAndResultsHaveALimit) {
  GrammarLimits limits;
  limits.text_bytes_max = 100;
  limits.result_bytes_max = 1000;
  const auto grammars = compiler(limits);
  const auto text = grammars->compile(regex(std::string(101, 'a')));
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code, ErrorCode::kTooLarge);
  EXPECT_NE(text.error().message.find("100 bytes"), std::string::npos);
  const auto result = grammars->compile({GrammarKind::kJsonObject, "", {}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kTooLarge);
  EXPECT_NE(result.error().message.find("1000 bytes"), std::string::npos);
}

TEST(GrammarCompiler, TheCacheForgetsTheOldestFirst) {
  GrammarLimits limits;
  {
    const auto grammars = compiler({});
    ASSERT_TRUE(grammars->compile(regex("a1")).ok());
    limits.cache_bytes_max = grammars->counters().cache_bytes * 5 / 2;
  }
  const auto grammars = compiler(limits);
  ASSERT_TRUE(grammars->compile(regex("a1")).ok());
  ASSERT_TRUE(grammars->compile(regex("a2")).ok());
  EXPECT_TRUE(grammars->find(regex("a1")));
  ASSERT_TRUE(grammars->compile(regex("a3")).ok());
  EXPECT_TRUE(grammars->find(regex("a1")));
  EXPECT_FALSE(grammars->find(regex("a2")));
  EXPECT_TRUE(grammars->find(regex("a3")));
  EXPECT_LE(grammars->counters().cache_bytes, limits.cache_bytes_max);
}

TEST(GrammarCompiler, AProgramThatIsNotThereIsNotTheSendersFault) {
  GrammarCompiler grammars({}, testing_token_bytes, {kTestEnd}, {"/nowhere/hussar", {}});
  const auto none = grammars.compile(regex("a"));
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorCode::kIo);
  EXPECT_FALSE(grammars.find(regex("a")));  // it is tried again
  GrammarCompiler ends_at_once({}, testing_token_bytes, {kTestEnd}, {"/bin/true", {}});
  EXPECT_EQ(ends_at_once.compile(regex("a")).error().code, ErrorCode::kIo);
}

TEST(GrammarCompiler, AProcessThatSomethingElseEndedIsStartedAnew) {
  const auto grammars = compiler({});
  ASSERT_TRUE(grammars->compile(regex("a")).ok());
  std::ifstream children("/proc/thread-self/children");
  pid_t child = 0;
  if (!(children >> child)) GTEST_SKIP() << "this system does not list a thread's children";
  ASSERT_EQ(kill(child, SIGKILL), 0);
  const auto next = grammars->compile(regex("b"));
  EXPECT_TRUE(next.ok()) << next.error().message;
}

TEST(GrammarCompiler, WhatTheMachineHadNoTimeForIsNotRemembered) {
  GrammarAnswerFrame busy;
  busy.outcome = GrammarOutcome::kBusy;
  std::string escaped;
  for (const char c : encode_frame(busy)) {
    char octal[8];
    std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned char>(c));
    escaped += octal;
  }
  ASSERT_EQ(encode_frame(busy).size(), 24u);
  // Whatever it is asked, it says so once.
  const std::string script = "printf '\\030\\0\\0\\0\\0\\0\\0\\0" + escaped + "' >&0; exec cat > /dev/null";
  GrammarCompiler grammars({}, testing_token_bytes, {kTestEnd}, {"/bin/sh", {"-c", script}});
  const auto refused = grammars.compile(regex("a+"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kFull) << refused.error().message;
  EXPECT_FALSE(grammars.find(regex("a+")));
  EXPECT_EQ(grammars.counters().refused, 0);
}

TEST(GrammarCompiler, StoppedItEndsWhatItCompiles) {
  GrammarLimits limits;
  limits.cpu_ms_max = 600'000;
  limits.memory_bytes_max = 64LL << 30;
  const auto grammars = compiler(limits);
  ASSERT_TRUE(grammars->compile(regex("a")).ok());
  std::thread hostile([&] { EXPECT_FALSE(grammars->compile(regex("((a{1,500}b?){1,500}c?){1,500}")).ok()); });
  grammars->stop();
  hostile.join();
  EXPECT_EQ(grammars->compile(regex("b")).error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(grammars->find(regex("a")));
}

TEST(GrammarCompiler, ManyThreadsGetTheirGrammars) {
  const auto grammars = compiler({});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3; ++i) {
        const auto grammar = grammars->compile(regex(std::string(1, static_cast<char>('a' + (t + i) % 4))));
        right += grammar.ok() && allowed_tokens((*grammar)->first_mask())[0] == 'a' + (t + i) % 4;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 24);
  EXPECT_EQ(grammars->counters().compiled, 4);
}

// Compiling waits for processors that nobody else wants, but not for ever.
TEST(GrammarCompiler, AMachineThatIsBusyStillCompiles) {
  std::atomic<bool> done{false};
  std::vector<std::jthread> others;
  for (unsigned i = 0; i < 2 * std::thread::hardware_concurrency(); ++i) {
    others.emplace_back([&done] {
      while (!done) {
      }
    });
  }
  const auto grammars = compiler({});
  const auto compiled =
      grammars->compile(schema(R"({"type":"array","items":{"type":"string","maxLength":40}})"));
  done = true;
  EXPECT_TRUE(compiled.ok()) << compiled.error().message;
}

}  // namespace
}  // namespace hussar
