#include "engine/grammar_masks.h"

#include <gtest/gtest.h>

#include <chrono>

#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

using State = GrammarMasks::State;

constexpr int32_t kVocabSize = 300;
constexpr std::chrono::hours kLong{1};

std::shared_ptr<const CompiledGrammar> regex_grammar(const std::string& regex) {
  auto grammar = CompiledGrammar::compile({GrammarKind::kRegex, regex, {}}, testing_vocabulary());
  CHECK(grammar.ok());
  return *grammar;
}

std::vector<TokenId> allowed(const GrammarMasks& masks, int32_t slot) {
  return allowed_tokens({masks.mask(slot), Matcher::mask_words(kVocabSize)});
}

TEST(GrammarMasks, FollowsEachSlotsOwnAnswer) {
  GrammarMasks masks(4, kVocabSize, 2);
  masks.begin(2, regex_grammar("xy"));
  masks.begin(0, regex_grammar("z[0-9]"));
  EXPECT_FALSE(masks.has_grammar(1));
  masks.end(1);
  EXPECT_EQ(allowed(masks, 2), std::vector<TokenId>{'x'});
  EXPECT_EQ(allowed(masks, 0), std::vector<TokenId>{'z'});
  masks.advance(2, 'x');
  masks.advance(0, 'z');
  masks.wait_until(Clock::now() + kLong);
  EXPECT_EQ(allowed(masks, 2), std::vector<TokenId>{'y'});
  EXPECT_EQ(allowed(masks, 0).size(), 10u);
  masks.end(2);
  masks.begin(2, regex_grammar("w"));
  EXPECT_EQ(allowed(masks, 2), std::vector<TokenId>{'w'});
}

TEST(GrammarMasks, ATokenThatIsNotAllowedFails) {
  GrammarMasks masks(1, kVocabSize, 1);
  masks.begin(0, regex_grammar("xy"));
  masks.advance(0, 'q');
  masks.wait_until(Clock::now() + kLong);
  EXPECT_EQ(masks.state(0), State::kFailed);
  EXPECT_FALSE(masks.error(0).empty());
}

// Without threads no mask is ever ready.
TEST(GrammarMasks, WhatIsLateIsNotWaitedForAgain) {
  GrammarMasks masks(2, kVocabSize, 0);
  masks.begin(0, regex_grammar("xy"));
  masks.begin(1, regex_grammar("xy"));
  masks.advance(0, 'x');
  masks.wait_until(Clock::now());
  EXPECT_EQ(masks.state(0), State::kUnderWay);
  masks.wait_until(Clock::now() + kLong);
  EXPECT_EQ(masks.state(0), State::kUnderWay);
  EXPECT_EQ(masks.state(1), State::kReady);
  masks.wait_for_late_until(Clock::now());
  // One that ends while its mask is under way is not waited for either.
  masks.advance(1, 'x');
  masks.end(1);
  masks.end(0);
  masks.wait_until(Clock::now() + kLong);
  EXPECT_TRUE(masks.slots().empty());
}

TEST(GrammarMasks, SlotsAreUsedAgainWhileTheirOldMasksAreUnderWay) {
  GrammarMasks masks(1, kVocabSize, 2);
  const auto grammar = regex_grammar("[a-z]*");
  for (int i = 0; i < 1000; ++i) {
    masks.begin(0, grammar);
    masks.advance(0, 'a' + i % 26);
    if (i % 3 == 0) masks.wait_until(Clock::now() + kLong);
    masks.end(0);
  }
  masks.wait_until(Clock::now() + kLong);
}

}  // namespace
}  // namespace hussar
