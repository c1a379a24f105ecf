#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/utf8.h"

namespace hussar {
namespace {

TEST(Detokenizer, HoldsASplitCharacterBack) {
  Detokenizer d;
  EXPECT_EQ(d.append("a\xE4"), "a");
  EXPECT_EQ(d.append("\xBD"), "");
  EXPECT_EQ(d.append("\xA0"), "你");
  EXPECT_EQ(d.append("\xF0\x9F"), "");
  EXPECT_EQ(d.append("\x98\x80!"), "😀!");
  EXPECT_EQ(d.finish(), "");
}

TEST(Detokenizer, BrokenBytesAreMarkedAsSoonAsTheyAreKnown) {
  Detokenizer d;
  EXPECT_EQ(d.append("\xE4"), "");
  EXPECT_EQ(d.append("x"), "\uFFFDx");
  EXPECT_EQ(d.append("\xFF"), "\uFFFD");
  EXPECT_EQ(d.append("\xF0\x9F\x98"), "");
  EXPECT_EQ(d.finish(), "\uFFFD");
  EXPECT_EQ(d.finish(), "");
}

TEST(Detokenizer, AnySplitGivesTheTextOfTheWhole) {
  constexpr unsigned kSeed = 12;
  std::mt19937 random(kSeed);
  const std::string pool[] = {"a",    "é",    "你",   "😀",    "\xE4", "\xBD", "\xF0",
                              "\x9F", "\xFF", "\xC0", "\xED", "\xA0", "\xF4", "\x90"};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (size_t i = random() % 10; i > 0; --i) bytes += pool[random() % std::size(pool)];
    Detokenizer d;
    std::string text;
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = 1 + random() % 4;
      const std::string part = d.append(std::string_view(bytes).substr(at, size));
      ASSERT_TRUE(is_valid_utf8(part)) << "seed " << kSeed << " round " << round;
      text += part;
      at += size;
    }
    text += d.finish();
    ASSERT_EQ(text, replace_invalid_utf8(bytes)) << "seed " << kSeed << " round " << round;
  }
}

}  // namespace
}  // namespace hussar
