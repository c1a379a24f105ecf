#include "grammar/stop_automaton.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace hussar {
namespace {

StopMatcher matcher(const std::vector<std::string>& strings) {
  auto automaton = StopAutomaton::compile(strings, {});
  EXPECT_TRUE(automaton.ok());
  return StopMatcher(std::move(automaton).value());
}

TEST(StopAutomaton, MatchesAcrossPieces) {
  StopMatcher m = matcher({"\n\n", "User:"});
  EXPECT_FALSE(m.advance("Hello Us"));
  EXPECT_EQ(m.held_bytes(), 2);
  EXPECT_FALSE(m.advance("e U"));
  EXPECT_EQ(m.held_bytes(), 1);
  const auto match = m.advance("ser: and more");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->begin_byte, 10);
  EXPECT_EQ(match->end_byte, 15);
}

TEST(StopAutomaton, OfSeveralThatEndTogetherTheLongest) {
  const auto match = matcher({"c", "abc", "bc"}).advance("xabc");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->begin_byte, 1);
  EXPECT_EQ(match->end_byte, 4);
}

TEST(StopAutomaton, NoStringsNeverMatchAndHoldNothing) {
  StopMatcher m = matcher({});
  EXPECT_FALSE(m.advance("anything"));
  EXPECT_EQ(m.held_bytes(), 0);
}

TEST(StopAutomaton, LimitsAreErrors) {
  const StopAutomaton::Limits limits{.strings_max = 2, .bytes_max = 8};
  EXPECT_TRUE(StopAutomaton::compile({"1234", "5678"}, limits).ok());
  EXPECT_EQ(StopAutomaton::compile({"a", ""}, limits).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(StopAutomaton::compile({"a", "b", "c"}, limits).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(StopAutomaton::compile({"1234", "56789"}, limits).error().code, ErrorCode::kTooLarge);
}

// The definitions, by comparing every string with every place.
std::optional<StopMatcher::Match> search_slowly(const std::vector<std::string>& strings,
                                                const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& s : strings) {
      if (s.size() <= end && s.size() > longest && text.compare(end - s.size(), s.size(), s) == 0)
        longest = s.size();
    }
    if (longest > 0)
      return StopMatcher::Match{static_cast<int64_t>(end - longest), static_cast<int64_t>(end)};
  }
  return std::nullopt;
}

int64_t held_slowly(const std::vector<std::string>& strings, const std::string& text) {
  size_t held = 0;
  for (const std::string& s : strings) {
    for (size_t size = 1; size < s.size() && size <= text.size(); ++size) {
      if (text.compare(text.size() - size, size, s, 0, size) == 0) held = std::max(held, size);
    }
  }
  return static_cast<int64_t>(held);
}

TEST(StopAutomaton, EqualsANaiveSearchOnRandomStrings) {
  constexpr unsigned kSeed = 31337;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    const auto letters = 1 + random() % 3;
    const auto random_string = [&](size_t size) {
      std::string s;
      while (s.size() < size) s.push_back(static_cast<char>('a' + random() % letters));
      return s;
    };
    std::vector<std::string> strings;
    for (size_t i = random() % 5; i > 0; --i) strings.push_back(random_string(1 + random() % 7));
    const std::string text = random_string(random() % 40);
    StopMatcher m = matcher(strings);
    const auto expected = search_slowly(strings, text);
    std::optional<StopMatcher::Match> found;
    for (size_t at = 0; at < text.size() && !found;) {
      const size_t size = random() % 5;
      found = m.advance(std::string_view(text).substr(at, size));
      at = std::min(at + size, text.size());
      if (!found) {
        ASSERT_EQ(m.held_bytes(), held_slowly(strings, text.substr(0, at)))
            << "seed " << kSeed << " round " << round;
      }
    }
    ASSERT_EQ(found.has_value(), expected.has_value()) << "seed " << kSeed << " round " << round;
    if (found) {
      ASSERT_EQ(found->begin_byte, expected->begin_byte) << "seed " << kSeed << " round " << round;
      ASSERT_EQ(found->end_byte, expected->end_byte) << "seed " << kSeed << " round " << round;
    }
  }
}

}  // namespace
}  // namespace hussar
