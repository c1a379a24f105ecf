#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace hussar {
namespace {

using Words = std::vector<std::string_view>;

Words split(const char* name, std::string_view text) {
  const auto pretokenizer = Pretokenizer::create(name);
  EXPECT_TRUE(pretokenizer.ok());
  Words words;
  pretokenizer->split(text, &words);
  return words;
}

TEST(Pretokenizer, Gpt2) {
  EXPECT_EQ(split("gpt-2", "I'm  12 a!? \n"), (Words{"I", "'m", " ", " 12", " a", "!?", " \n"}));
  EXPECT_EQ(split("gpt-2", "I'M"), (Words{"I", "'", "M"}));
}

TEST(Pretokenizer, SmollmCutsDigitsFirst) {
  // Three spaces before a digit stay together; before a letter the last one leaves.
  EXPECT_EQ(split("smollm", "a   12   b"), (Words{"a", "   ", "1", "2", "  ", " b"}));
  EXPECT_EQ(split("smollm", "!1!Ⅷ¼"), (Words{"!", "1", "!", "Ⅷ", "¼"}));
}

TEST(Pretokenizer, Qwen2) {
  EXPECT_EQ(split("qwen2", "I'M (x) 12\r\n\r\n  y;\n"),
            (Words{"I", "'M", " (", "x", ")", " ", "1", "2", "\r\n\r\n", " ", " y", ";\n"}));
  EXPECT_EQ(split("qwen2", "你好,世界"), (Words{"你好", ",世界"}));
}

TEST(Pretokenizer, LlamaTakesThreeDigits) {
  EXPECT_EQ(split("llama-bpe", "12345 6"), (Words{"123", "45", " ", "6"}));
}

TEST(Pretokenizer, MongolianVowelSeparatorIsNoSpace) {
  EXPECT_EQ(split("gpt-2", "!\u180E!"), (Words{"!\u180E!"}));
  EXPECT_EQ(split("gpt-2", "!\u0085\u3000!"), (Words{"!", "\u0085", "\u3000", "!"}));
}

TEST(Pretokenizer, UnknownNameIsNamed) {
  const auto pretokenizer = Pretokenizer::create("deepseek-llm");
  ASSERT_FALSE(pretokenizer.ok());
  EXPECT_EQ(pretokenizer.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(pretokenizer.error().message.find("deepseek-llm"), std::string::npos);
  EXPECT_NE(pretokenizer.error().message.find("qwen2"), std::string::npos);
}

TEST(Pretokenizer, WordsJoinedAreTheText) {
  std::mt19937 random(20260101);
  const char32_t pool[] = {'a',  'S',   '\'',   ' ',   '\n',   '\r',    '\t',   '1',    '!',      0x85,
                           0xA0, 0x300, 0x4F60, 0x661, 0x2028, 0x1F469, 0x200D, 0xE000, 0x10FFFF, 0};
  for (const char* name : {"gpt-2", "smollm", "qwen2", "llama-bpe"}) {
    const auto pretokenizer = Pretokenizer::create(name);
    for (int round = 0; round < 2000; ++round) {
      std::string text;
      for (size_t i = random() % 30; i > 0; --i) append_utf8(pool[random() % std::size(pool)], &text);
      Words words;
      pretokenizer->split(text, &words);
      std::string joined;
      for (const std::string_view word : words) {
        EXPECT_FALSE(word.empty());
        joined += word;
      }
      ASSERT_EQ(joined, text) << name << " round " << round;
    }
  }
}

}  // namespace
}  // namespace hussar
