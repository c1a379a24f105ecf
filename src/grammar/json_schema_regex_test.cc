#include "grammar/json_schema_regex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hussar {
namespace {

SchemaRegex compiled(const std::string& pattern) {
  auto regex = SchemaRegex::compile(pattern, {});
  EXPECT_TRUE(regex.ok()) << pattern << ": " << (regex.ok() ? "" : regex.error().message);
  return *std::move(regex);
}

bool found(const std::string& pattern, const std::string& text) {
  StepBudget budget{1'000'000};
  RegexScratch scratch;
  const bool matches = compiled(pattern).search(text, &budget, &scratch);
  EXPECT_FALSE(budget.is_spent());
  return matches;
}

ErrorCode refused(const std::string& pattern) {
  const auto regex = SchemaRegex::compile(pattern, {});
  EXPECT_FALSE(regex.ok()) << pattern;
  return regex.ok() ? ErrorCode::kIo : regex.error().code;
}

TEST(SchemaRegex, FindsAnywhereUnlessAnchored) {
  EXPECT_TRUE(found("b", "abc"));
  EXPECT_FALSE(found("^b", "abc"));
  EXPECT_TRUE(found("^abc$", "abc"));
  EXPECT_FALSE(found("^abc$", "abc\n"));
  EXPECT_TRUE(found("", ""));
  EXPECT_TRUE(found("$", "x"));
  EXPECT_TRUE(found("a|^$", ""));
}

TEST(SchemaRegex, RepeatsWithinItsBounds) {
  EXPECT_TRUE(found("^a{2,3}$", "aa"));
  EXPECT_TRUE(found("^a{2,3}$", "aaa"));
  EXPECT_FALSE(found("^a{2,3}$", "a"));
  EXPECT_FALSE(found("^a{2,3}$", "aaaa"));
  EXPECT_TRUE(found("^(ab){2,}?$", "ababab"));
  EXPECT_FALSE(found("^(ab){2,}$", "ab"));
  EXPECT_TRUE(found("^(a*)*$", "aaa"));
  EXPECT_TRUE(found("^(?:a?){3}b{0}$", "aa"));
  EXPECT_TRUE(found("^(|a)+$", "aa"));
}

TEST(SchemaRegex, ReadsCodePoints) {
  EXPECT_TRUE(found("^.$", "\U0001F432"));
  EXPECT_TRUE(found("^\\uD83D\\uDC32$", "\U0001F432"));
  EXPECT_TRUE(found("^[\\u{1F432}-\\u{1F433}]$", "\U0001F433"));
  EXPECT_TRUE(found("^[^a]$", "\U0001F432"));
  EXPECT_FALSE(found("^.$", "\u2028"));
  EXPECT_TRUE(found("^\\p{Lu}\\P{Lu}$", "Éé"));
  EXPECT_FALSE(found("^\\p{Lu}\\P{Lu}$", "ÉÉ"));
  EXPECT_TRUE(found("^[\\p{L}\\d_-]+$", "héllo_4-"));
  EXPECT_FALSE(found("^[^\\P{Lu}]$", "é"));
}

TEST(SchemaRegex, LooksAheadAndBehind) {
  const std::string password = "^(?=.*[A-Z])(?=.*\\d)(?!.*\\s).{6,}$";
  EXPECT_TRUE(found(password, "abcDe1"));
  EXPECT_FALSE(found(password, "abcde1"));
  EXPECT_FALSE(found(password, "abcD e1"));
  EXPECT_TRUE(found("(?<=\\$)\\d+(?!\\d|\\.)", "cost $42"));
  EXPECT_FALSE(found("(?<!\\$)\\b\\d+", "$42"));
  EXPECT_TRUE(found("(?=a(?!b(?=c)))a", "abd"));
  EXPECT_FALSE(found("(?=a(?!b(?=c)))a", "abc"));
  EXPECT_TRUE(found("^(?:(?=a)a|(?=b)b)+$", "abba"));
  EXPECT_TRUE(found("(?<=^ab*)c", "abbbc"));
}

TEST(SchemaRegex, KnowsWordBorders) {
  EXPECT_TRUE(found("\\bfoo\\b", "a foo b"));
  EXPECT_FALSE(found("\\bfoo\\b", "afoo"));
  EXPECT_TRUE(found("\\Bo\\b", "foo"));
}

TEST(SchemaRegex, RefusesWhatIsNoRegularExpression) {
  for (const char* pattern : {"(",
                              ")",
                              "(a",
                              "[a",
                              "a**",
                              "*",
                              "{1}",
                              "a{2,1}",
                              "a{",
                              "}",
                              "]",
                              "\\",
                              "\\a",
                              "\\Z",
                              "\\c1",
                              "\\x1",
                              "\\u12",
                              "\\u{110000}",
                              "\\p{",
                              "\\p",
                              "\\1",
                              "(?<a>x)\\k<b>",
                              "(?<a>.)(?<a>.)",
                              "[b-a]",
                              "(?x)",
                              "(?=a)*",
                              "\\01",
                              "(?<1>a)",
                              "\\k"})
    EXPECT_EQ(refused(pattern), ErrorCode::kInvalid) << pattern;
}

TEST(SchemaRegex, RefusesByNameWhatItCantFollow) {
  EXPECT_EQ(refused("(a)\\1"), ErrorCode::kUnsupported);
  EXPECT_EQ(refused("(?<n>a)\\k<n>"), ErrorCode::kUnsupported);
  EXPECT_EQ(refused("\\p{Script=Greek}"), ErrorCode::kUnsupported);
  EXPECT_EQ(refused("(?i:a)"), ErrorCode::kUnsupported);
  const auto property = SchemaRegex::compile("\\p{Script=Greek}", {});
  EXPECT_NE(property.error().message.find("\"Script=Greek\""), std::string::npos);
}

TEST(SchemaRegex, TakesPunctuationThatIsEscapedWithoutNeed) {
  EXPECT_TRUE(found("^\\d{3}\\-\\d{4}\\@$", "555-1234@"));
  EXPECT_TRUE(found("^[\\w-.]+$", "a-b.c"));
  EXPECT_FALSE(parse_regex("\\-", RegexDialect::kStrict, {}).ok());
  EXPECT_FALSE(parse_regex("[\\w-.]", RegexDialect::kStrict, {}).ok());
}

TEST(SchemaRegex, LetsGroupsOfDifferentAlternativesShareAName) {
  EXPECT_TRUE(found("^(?:(?<year>\\d{4})-x|x-(?<year>\\d{4}))$", "x-2024"));
  EXPECT_EQ(refused("(?<a>x)(?:(?<a>y)|z)"), ErrorCode::kInvalid);
  EXPECT_EQ(refused("(?<a>x(?<a>y))"), ErrorCode::kInvalid);
  EXPECT_EQ(refused("(?:(?<a>x)|y)(?:z|(?<a>x))"), ErrorCode::kInvalid);
}

TEST(SchemaRegex, IsBoundedInSize) {
  EXPECT_EQ(refused("a{1000000000}"), ErrorCode::kTooLarge);
  EXPECT_EQ(refused("(?:){1000000000}"), ErrorCode::kTooLarge);
  EXPECT_EQ(refused("((((a{99}){99}){99}){99}){99}"), ErrorCode::kTooLarge);
  EXPECT_EQ(refused("((a{0,99}){0,99}){0,99}"), ErrorCode::kTooLarge);
  EXPECT_EQ(refused(std::string(200, '(') + std::string(200, ')')), ErrorCode::kTooLarge);
  EXPECT_EQ(refused(std::string(100'000, 'a')), ErrorCode::kTooLarge);
  EXPECT_TRUE(SchemaRegex::compile("^.{0,9000}$", {}).ok());
}

// Twice the text costs twice the steps: patterns that bring a backtracking engine to its knees too.
TEST(SchemaRegex, CostsLinearTime) {
  for (const char* pattern : {"(a+)+b", "^(a|aa)+$", "(.*)*x", "(?=(a+)+b)a", "(a?){30}a{30}b"}) {
    const SchemaRegex regex = compiled(pattern);
    RegexScratch scratch;
    const auto steps = [&](size_t size) {
      StepBudget budget{1'000'000'000};
      EXPECT_FALSE(regex.search(std::string(size, 'a') + "c", &budget, &scratch)) << pattern;
      return 1'000'000'000 - budget.steps_left;
    };
    const int64_t once = steps(5'000);
    EXPECT_LE(steps(10'000), 2 * once + 1'000) << pattern;
    EXPECT_LE(once, 5'001 * 8 * static_cast<int64_t>(regex.instructions() + 1)) << pattern;
  }
}

TEST(SchemaRegex, StopsWhenTheBudgetIsSpent) {
  StepBudget budget{1'000};
  RegexScratch scratch;
  compiled("(a+)+b").search(std::string(100'000, 'a'), &budget, &scratch);
  EXPECT_TRUE(budget.is_spent());
}

}  // namespace
}  // namespace hussar
