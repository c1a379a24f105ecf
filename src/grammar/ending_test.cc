#include "grammar/ending.h"

#include <gtest/gtest.h>

#include <map>
#include <queue>
#include <random>
#include <set>

#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

std::shared_ptr<const CompiledGrammar> grammar_of(GrammarKind kind, const std::string& text) {
  auto grammar = CompiledGrammar::compile({kind, text, {}}, testing_vocabulary());
  CHECK_NOTE(grammar.ok(), text.c_str());
  return *grammar;
}

// Follows the shortest way from where `ending` and `matcher` stand; its length with the end token.
int64_t follow(Ending* ending, Matcher* matcher) {
  const int64_t promised = ending->tokens_to_end();
  for (int64_t taken = 1;; ++taken) {
    const TokenId token = ending->next();
    EXPECT_TRUE(matcher->accept(token).ok()) << "after " << taken << " of " << promised << ": " << token;
    if (token == kTestEnd || taken > promised) {
      EXPECT_LE(taken, promised);
      return taken;
    }
    EXPECT_TRUE(ending->accept(token).ok());
  }
}

const std::pair<GrammarKind, const char*> kGrammars[] = {
    {GrammarKind::kRegex, "a"},
    {GrammarKind::kRegex, "a*"},
    {GrammarKind::kRegex, "(a{3,5}|b{2,})c{4}"},
    {GrammarKind::kRegex, "((ab){2,4}x){3,7}y?"},
    {GrammarKind::kRegex, "(a|b)*abb"},
    {GrammarKind::kRegex, "[\\u4e00-\\u9fff]{2,6}"},
    {GrammarKind::kEbnf, "root ::= \"(\" root \")\" | \"x\""},
    {GrammarKind::kEbnf, "root ::= root \"+\" term | term\nterm ::= [0-9] | \"(\" root \")\""},
    {GrammarKind::kEbnf, "root ::= \"\" | \"a\" root \"b\" | root root"},
    {GrammarKind::kEbnf,
     "root ::= a | b\na ::= \"[\" (b \",\"){2,4} \"]\"\nb ::= \"<\" a \">\" | \"bb\" | \"\""},
    {GrammarKind::kJsonObject, ""},
    {GrammarKind::kJsonSchema,
     R"({"type":"array","minItems":3,"items":{"type":"object","properties":{"a":{"type":"string","minLength":4},)"
     R"("b":{"$ref":"#"}},"required":["a"]}})"},
};

// Wherever an answer stands, the way to its end is allowed, and as long as was said.
TEST(Ending, TheShortestWayIsAllowedFromEverywhere) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const auto& [kind, text] : kGrammars) {
    SCOPED_TRACE(text);
    const auto grammar = grammar_of(kind, text);
    for (int run = 0; run < 30; ++run) {
      Ending ending(grammar);
      Matcher matcher = std::move(*Matcher::create(grammar));
      EXPECT_EQ(ending.tokens_to_end(), grammar->tokens_min());
      std::vector<uint32_t> mask(Matcher::mask_words(grammar->vocab_size()));
      for (int steps = static_cast<int>(random() % 25); steps > 0; --steps) {
        ASSERT_TRUE(matcher.fill_mask(mask).ok());
        const std::vector<TokenId> allowed = allowed_tokens(mask);
        const TokenId token = allowed[random() % allowed.size()];
        if (token == kTestEnd) break;
        const int64_t before = ending.tokens_to_end();
        ASSERT_TRUE(ending.accept(token).ok()) << token;
        if (random() % 4 == 0) {
          ending.take_back();
          EXPECT_EQ(ending.tokens_to_end(), before);
          ASSERT_TRUE(ending.accept(token).ok());
        }
        ASSERT_TRUE(matcher.accept(token).ok());
      }
      follow(&ending, &matcher);
    }
  }
}

// Against a search that knows nothing of rules: breadth first over bytes, by the matcher alone.
TEST(Ending, NoWayHasFewerBytes) {
  for (const auto& [text, least] : std::map<std::string, int64_t>{
           {"root ::= \"aaaa\" | \"b\" c\nc ::= \"x\" | \"yy\"", 2},
           {"root ::= ([ab]{3}){2} | [c]{7}", 6},
           {"root ::= \"[\" (root (\",\" root){1,3})? \"]\" | \"{\" root \"}\"", 2},
           {"root ::= a a a\na ::= b b | \"xxx\"\nb ::= \"y\" | a", 6}}) {
    SCOPED_TRACE(text);
    const auto grammar = grammar_of(GrammarKind::kEbnf, text);
    std::queue<std::string> queue;
    queue.push("");
    int64_t found = -1;
    while (found < 0) {
      const std::string answer = queue.front();
      queue.pop();
      Matcher matcher = std::move(*Matcher::create(grammar));
      for (const char c : answer) ASSERT_TRUE(matcher.accept(static_cast<unsigned char>(c)).ok());
      if (matcher.may_end()) found = static_cast<int64_t>(answer.size());
      std::vector<uint32_t> mask(Matcher::mask_words(grammar->vocab_size()));
      ASSERT_TRUE(matcher.fill_mask(mask).ok());
      for (const TokenId token : allowed_tokens(mask)) {
        if (token < 256) queue.push(answer + static_cast<char>(token));
      }
    }
    EXPECT_EQ(found, least);
    EXPECT_LE(grammar->tokens_min(), least + 1);
    Ending ending(grammar);
    EXPECT_FALSE(ending.fits(0));
    EXPECT_TRUE(ending.fits(least + 1));
    EXPECT_TRUE(ending.is_pressed(grammar->tokens_min()));
    EXPECT_FALSE(ending.is_pressed(least + 3));
  }
}

TEST(Ending, TokensOfSeveralBytesMakeTheWayShorter) {
  const auto grammar = grammar_of(GrammarKind::kEbnf, "root ::= \"{\\\"name\\\": \" [0-9]+ \"}}\"");
  EXPECT_EQ(grammar->tokens_min(), 6);  // {" name ":  0 }} and the end
}

TEST(Ending, AnAnswerThatCanBeReadInTooManyWaysIsAnError) {
  const auto grammar = CompiledGrammar::compile({GrammarKind::kEbnf, "root ::= root root root | [a-z]", {}},
                                                testing_vocabulary());
  ASSERT_TRUE(grammar.ok());
  Ending ending(*grammar);
  Result<void> done;
  for (int tokens = 0; done.ok() && tokens < 2000; ++tokens) {
    done = ending.accept('a');
    EXPECT_TRUE(!done.ok() || ending.fits(100'000));
  }
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::kTooLarge);
}

TEST(Ending, WhatIsNotAllowedChangesNothing) {
  const auto grammar = grammar_of(GrammarKind::kRegex, "abc");
  Ending ending(grammar);
  ASSERT_TRUE(ending.accept('a').ok());
  for (const TokenId token : {TokenId{'a'}, kTestControl, TokenId{-1}, TokenId{99999}}) {
    EXPECT_FALSE(ending.accept(token).ok()) << token;
  }
  EXPECT_EQ(ending.tokens_to_end(), 3);
  EXPECT_EQ(ending.next(), 'b');
}

}  // namespace
}  // namespace hussar
