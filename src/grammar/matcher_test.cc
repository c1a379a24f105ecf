#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include "grammar/testing_vocabulary.h"

namespace hussar {
namespace {

std::shared_ptr<const CompiledGrammar> regex_grammar(const std::string& regex) {
  auto grammar = CompiledGrammar::compile({GrammarKind::kRegex, regex, {}}, testing_vocabulary());
  CHECK(grammar.ok());
  return *grammar;
}

class MatcherTest : public testing::Test {
 protected:
  std::vector<TokenId> allowed(Matcher& matcher) {
    EXPECT_TRUE(matcher.fill_mask(mask_).ok());
    return allowed_tokens(mask_);
  }
  // Longer than needed, and dirty: a model may have more logits than tokens.
  std::vector<uint32_t> mask_ = std::vector<uint32_t>(Matcher::mask_words(1000), ~0u);
};

TEST_F(MatcherTest, TheEndIsAllowedOnlyWhereTheAnswerIsWhole) {
  const auto grammar = regex_grammar("ab?");
  Matcher matcher = std::move(*Matcher::create(grammar));
  const TokenId ab = 256 + 18;
  EXPECT_EQ(testing_token_bytes()[ab], "ab");
  EXPECT_EQ(allowed(matcher), (std::vector<TokenId>{'a', ab}));
  EXPECT_EQ(allowed_tokens(grammar->first_mask()), (std::vector<TokenId>{'a', ab}));
  EXPECT_FALSE(matcher.may_end());
  EXPECT_FALSE(matcher.accept(kTestEnd).ok());
  ASSERT_TRUE(matcher.accept('a').ok());
  EXPECT_TRUE(matcher.may_end());
  EXPECT_EQ(allowed(matcher), (std::vector<TokenId>{'b', kTestEnd}));
  ASSERT_TRUE(matcher.accept('b').ok());
  EXPECT_EQ(allowed(matcher), (std::vector<TokenId>{kTestEnd}));
  ASSERT_TRUE(matcher.accept(kTestEnd).ok());
  EXPECT_TRUE(matcher.is_terminated());
  EXPECT_FALSE(matcher.fill_mask(mask_).ok());
  EXPECT_FALSE(matcher.accept('a').ok());
}

TEST_F(MatcherTest, ARefusedTokenChangesNothing) {
  Matcher matcher = std::move(*Matcher::create(regex_grammar("[0-9]{3}")));
  ASSERT_TRUE(matcher.accept('1').ok());
  const auto before = allowed(matcher);
  for (const TokenId token : {TokenId{'x'}, kTestControl, kTestEnd, TokenId{-1}, TokenId{100'000}}) {
    EXPECT_FALSE(matcher.accept(token).ok()) << token;
  }
  EXPECT_EQ(allowed(matcher), before);
  EXPECT_EQ(matcher.accepted(), 1);
}

TEST_F(MatcherTest, AnAnswerThatCanBeReadInTooManyWaysIsAnError) {
  const auto grammar = CompiledGrammar::compile({GrammarKind::kEbnf, "root ::= root root root | [a-z]", {}},
                                                testing_vocabulary());
  ASSERT_TRUE(grammar.ok());
  const auto accepted = [&](int64_t states_max) {
    Matcher matcher = std::move(*Matcher::create(*grammar, states_max));
    for (int tokens = 0; tokens < 300; ++tokens) {
      Result<void> done = matcher.accept('a');
      if (done.ok()) done = matcher.fill_mask(mask_);
      if (done.ok()) continue;
      EXPECT_EQ(done.error().code, ErrorCode::kTooLarge) << done.error().message;
      return tokens;
    }
    return -1;
  };
  const int few = accepted(5'000), more = accepted(50'000);
  EXPECT_GT(few, 0);
  EXPECT_GT(more, few);
  EXPECT_EQ(accepted(5'000), few) << "counted, not timed";
}

TEST_F(MatcherTest, RollbackAndResetGoBack) {
  Matcher matcher = std::move(*Matcher::create(regex_grammar("a[bc]d")));
  const auto first = allowed(matcher);
  ASSERT_TRUE(matcher.accept('a').ok());
  const auto second = allowed(matcher);
  ASSERT_TRUE(matcher.accept('c').ok());
  ASSERT_TRUE(matcher.accept('d').ok());
  ASSERT_TRUE(matcher.accept(kTestEnd).ok());
  matcher.rollback(3);
  EXPECT_EQ(matcher.accepted(), 1);
  EXPECT_FALSE(matcher.is_terminated());
  EXPECT_EQ(allowed(matcher), second);
  matcher.reset();
  EXPECT_EQ(matcher.accepted(), 0);
  EXPECT_EQ(allowed(matcher), first);
}

TEST_F(MatcherTest, NoTokenBeyondTheVocabularyAndNoneWithoutBytes) {
  Matcher matcher = std::move(*Matcher::create(regex_grammar("[\\s\\S]*")));
  for (const TokenId token : allowed(matcher)) {
    EXPECT_LT(token, static_cast<TokenId>(testing_token_bytes().size()));
    EXPECT_NE(token, kTestControl);
  }
}

}  // namespace
}  // namespace hussar
