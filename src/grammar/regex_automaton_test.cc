#include "grammar/regex_automaton.h"

#include <gtest/gtest.h>

#include <string>

namespace hussar {
namespace {

bool matches(std::string_view pattern, std::string_view text, RegexMatch match = RegexMatch::kSearch) {
  const Result<StringAutomaton> automaton = regex_automaton(pattern, match, {});
  EXPECT_TRUE(automaton.ok()) << pattern << ": " << (automaton.ok() ? "" : automaton.error().message);
  return automaton.ok() && automaton->matches(text);
}

ErrorCode fault(std::string_view pattern) {
  const Result<StringAutomaton> automaton = regex_automaton(pattern, RegexMatch::kSearch, {});
  EXPECT_FALSE(automaton.ok()) << pattern;
  return automaton.ok() ? ErrorCode::kIo : automaton.error().code;
}

TEST(RegexAutomaton, SearchesUnlessAnchored) {
  EXPECT_TRUE(matches("a", "xay"));
  EXPECT_TRUE(matches("^a", "ay"));
  EXPECT_FALSE(matches("^a", "xa"));
  EXPECT_TRUE(matches("a$", "xa"));
  EXPECT_FALSE(matches("a$", "ax"));
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("^$", ""));
  EXPECT_FALSE(matches("^$", "a"));
  EXPECT_FALSE(matches("a", "xay", RegexMatch::kWhole));
}

TEST(RegexAutomaton, AnchorsMeanThePlaceWhereTheyStand) {
  EXPECT_TRUE(matches("^a|b$", "ax"));
  EXPECT_TRUE(matches("^a|b$", "xb"));
  EXPECT_FALSE(matches("^a|b$", "xay"));
  EXPECT_TRUE(matches("(^|-)a", "x-a"));
  EXPECT_FALSE(matches("(^|-)a", "xa"));
  EXPECT_FALSE(matches("a^b", "ab"));
  EXPECT_FALSE(matches("a$b", "ab"));
}

TEST(RegexAutomaton, QuantifiersClassesAndEscapes) {
  EXPECT_TRUE(matches("^a{2,3}$", "aaa"));
  EXPECT_FALSE(matches("^a{2,3}$", "aaaa"));
  EXPECT_TRUE(matches("^(ab)+?c*$", "ababcc"));
  EXPECT_TRUE(matches("^a{,3}$", "a{,3}"));  // no quantifier: text
  EXPECT_TRUE(matches("^[^\\d\\s]+$", "ab_"));
  EXPECT_FALSE(matches("^[^\\d\\s]+$", "a1"));
  EXPECT_TRUE(matches("^[a-c\\-]$", "-"));
  EXPECT_TRUE(matches("^[a-]$", "-"));
  EXPECT_TRUE(matches("^\\u00e9\\x41\\u{1F600}\\uD83D\\uDE00$", "\u00e9A\U0001F600\U0001F600"));
  EXPECT_TRUE(matches("^.$", "\U0001F600"));
  EXPECT_FALSE(matches("^.$", "\n"));
  EXPECT_TRUE(matches("^[^]$", "\n"));
  EXPECT_TRUE(matches("^\\cA\\0$", std::string("\x01\0", 2)));
}

TEST(RegexAutomaton, LeadingLookaheads) {
  EXPECT_TRUE(matches("^(?=.*\\d)(?=.*[a-z]).{3,}$", "a1x"));
  EXPECT_FALSE(matches("^(?=.*\\d)(?=.*[a-z]).{3,}$", "abc"));
  EXPECT_FALSE(matches("^(?!.*foo)b", "barfoo"));
  EXPECT_TRUE(matches("^(?!.*foo)b", "bar"));
  EXPECT_EQ(fault("a(?=b)"), ErrorCode::kUnsupported);
}

TEST(RegexAutomaton, RefusesWhatItCannotSay) {
  EXPECT_EQ(fault("(a)\\1"), ErrorCode::kUnsupported);
  EXPECT_EQ(fault("\\bword"), ErrorCode::kUnsupported);
  EXPECT_EQ(fault("\\p{L}"), ErrorCode::kUnsupported);
  EXPECT_EQ(fault("(?<=a)b"), ErrorCode::kUnsupported);
  EXPECT_EQ(fault("(a"), ErrorCode::kInvalid);
  EXPECT_EQ(fault("a)"), ErrorCode::kInvalid);
  EXPECT_EQ(fault("[b-a]"), ErrorCode::kInvalid);
  EXPECT_EQ(fault("*a"), ErrorCode::kInvalid);
  EXPECT_EQ(fault("a{3,2}"), ErrorCode::kInvalid);
  EXPECT_EQ(fault("\\"), ErrorCode::kInvalid);
}

TEST(RegexAutomaton, HostilePatternsAreBounded) {
  EXPECT_TRUE(matches("^(a+)+b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
  EXPECT_EQ(fault("^(((a{1,100}){1,100}){1,100})$"), ErrorCode::kTooLarge);
  EXPECT_EQ(fault("(a|b)*a(a|b){20}"), ErrorCode::kTooLarge);  // 2^20 states
  EXPECT_EQ(fault(std::string(5000, '(')), ErrorCode::kTooLarge);
  EXPECT_EQ(fault(std::string(1500, '(')), ErrorCode::kTooLarge);
}

TEST(StringAutomaton, Operations) {
  const StringAutomaton word = StringAutomaton::words({"red", "green", "blue"});
  const StringAutomaton short_ones = StringAutomaton::lengths(0, 4);
  using Operation = StringAutomaton::Operation;
  const auto both = StringAutomaton::combine(word, short_ones, Operation::kAnd, 100);
  ASSERT_TRUE(both);
  EXPECT_EQ(*both, StringAutomaton::words({"blue", "red"}));
  const auto rest = StringAutomaton::combine(word, short_ones, Operation::kMinus, 100);
  ASSERT_TRUE(rest);
  EXPECT_EQ(*rest, StringAutomaton::words({"green"}));
  EXPECT_TRUE(StringAutomaton::combine(*both, *rest, Operation::kAnd, 100)->empty());
  EXPECT_EQ(*StringAutomaton::combine(*both, *rest, Operation::kOr, 100), word);
  EXPECT_FALSE(StringAutomaton::combine(word, StringAutomaton::lengths(0, 500), Operation::kOr, 100));
}

}  // namespace
}  // namespace hussar
