#include "bench/prompts.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/utf8.h"
#include "bench/prompt_words.h"

namespace hussar {
namespace {

// Cuts as byte-level vocabularies do: a piece is a word with the one character before it that is neither a
// letter nor a line break; a piece that is known is one token, any other takes `unknown_tokens`.
struct FakeTokenizer {
  std::set<std::string, std::less<>> unknown = {};
  int32_t unknown_tokens = 3;
  int32_t extra = 0;  // as a chat template adds
  int32_t calls = 0;
  int32_t calls_max = 1 << 20;

  static bool is_letter(char32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x4E00;
  }

  std::vector<std::string> pieces(std::string_view text) const {
    std::vector<std::string> result;
    bool in_word = false;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      const char32_t c = next_code_point(text, &at);
      const bool letter = is_letter(c) && c < 0xFF00;
      const bool joins = letter && !result.empty() && (in_word || result.back() != "\n");
      if (joins) {
        result.back() += text.substr(begin, at - begin);
      } else {
        result.emplace_back(text.substr(begin, at - begin));
      }
      in_word = letter;
    }
    return result;
  }

  Result<int32_t> count(std::string_view text) {
    if (++calls > calls_max) return Error{ErrorCode::kIo, "the server went away", ""};
    int32_t tokens = extra;
    for (const std::string& piece : pieces(text)) tokens += unknown.contains(piece) ? unknown_tokens : 1;
    return tokens;
  }
  TokenCounter counter() {
    return [this](std::string_view text) { return count(text); };
  }
};

TEST(PromptsTest, LengthsAreExactWhereEveryWordIsOneToken) {
  FakeTokenizer tokenizer;
  const PromptMaker maker = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
  EXPECT_EQ(maker.accuracy(), PromptMaker::Accuracy::kExact) << maker.note();
  EXPECT_LE(tokenizer.calls, 8);
  for (const int32_t tokens : {1, 2, 3, 4, 5, 17, 63, 64, 1000, 8192}) {
    for (uint64_t index = 0; index < 20; ++index) {
      const MadePrompt prompt = maker.make(tokens, index);
      EXPECT_EQ(prompt.tokens, tokens);
      EXPECT_EQ(tokenizer.count(prompt.text).value(), tokens) << prompt.text.substr(0, 200);
    }
  }
}

TEST(PromptsTest, LengthsAreExactWhereSomeWordsTakeMoreTokens) {
  FakeTokenizer tokenizer;
  for (const char* piece : {" work", " gold", "gold", "year", " snow", "moon"})
    tokenizer.unknown.insert(piece);
  const PromptMaker maker = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
  EXPECT_EQ(maker.accuracy(), PromptMaker::Accuracy::kExact) << maker.note();
  EXPECT_LE(tokenizer.calls, 120);
  for (uint64_t index = 0; index < 300; ++index) {
    const MadePrompt prompt = maker.make(200, index);
    EXPECT_EQ(tokenizer.count(prompt.text).value(), 200) << prompt.text;
  }
}

TEST(PromptsTest, AChatTemplatesTokensAreNotThePrompts) {
  FakeTokenizer tokenizer{.extra = 31};
  const PromptMaker maker = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
  EXPECT_EQ(maker.accuracy(), PromptMaker::Accuracy::kExact) << maker.note();
  EXPECT_EQ(tokenizer.count(maker.make(128, 3).text).value(), 128 + 31);
}

TEST(PromptsTest, ChinesePromptsAreExactThoughWordsTakeSeveralTokens) {
  FakeTokenizer tokenizer{.unknown_tokens = 2};
  for (const std::string_view word : chinese_prompt_words()) {
    tokenizer.unknown.insert("，" + std::string(word));
  }
  tokenizer.unknown.insert("，工作");
  const PromptMaker maker =
      PromptMaker::calibrate({.language = PromptLanguage::kChinese, .seed = 7}, tokenizer.counter());
  EXPECT_EQ(maker.accuracy(), PromptMaker::Accuracy::kExact) << maker.note();
  for (const int32_t tokens : {8, 33, 500}) {
    const MadePrompt prompt = maker.make(tokens, 5);
    EXPECT_EQ(tokenizer.count(prompt.text).value(), tokens) << prompt.text;
    EXPECT_TRUE(is_valid_utf8(prompt.text));
  }
}

TEST(PromptsTest, ACounterThatIsNoSumIsCalledApproximate) {
  const TokenCounter halves = [](std::string_view text) -> Result<int32_t> {
    return static_cast<int32_t>(text.size() / 3);
  };
  const PromptMaker maker = PromptMaker::calibrate({.seed = 7}, halves);
  EXPECT_EQ(maker.accuracy(), PromptMaker::Accuracy::kApproximate);
  EXPECT_NE(maker.note().find("off by"), std::string::npos) << maker.note();
}

TEST(PromptsTest, WithoutACounterLengthsAreEstimated) {
  const PromptMaker none = PromptMaker::calibrate({.seed = 7}, nullptr);
  EXPECT_EQ(none.accuracy(), PromptMaker::Accuracy::kUnknown);
  EXPECT_EQ(none.make(100, 0).tokens, 100);
  FakeTokenizer dead{.calls_max = 0};
  const PromptMaker failed = PromptMaker::calibrate({.seed = 7}, dead.counter());
  EXPECT_EQ(failed.accuracy(), PromptMaker::Accuracy::kUnknown);
  EXPECT_NE(failed.note().find("went away"), std::string::npos) << failed.note();
  EXPECT_EQ(dead.calls, 1);
}

TEST(PromptsTest, ACounterThatDiesMidwayLeavesAWorkingMaker) {
  for (int32_t calls = 1; calls < 12; ++calls) {
    FakeTokenizer tokenizer{.calls_max = calls};
    tokenizer.unknown.insert(" year");
    const PromptMaker maker = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
    EXPECT_GT(maker.make(100, 1).text.size(), 100u);
    EXPECT_LE(tokenizer.calls, calls + 1) << "a counter that failed was asked again";
  }
}

TEST(PromptsTest, CountsAreBounded) {
  FakeTokenizer tokenizer{.unknown_tokens = 5};
  for (const std::string_view word : chinese_prompt_words()) {
    tokenizer.unknown.insert("，" + std::string(word));
    tokenizer.unknown.insert(std::string(word));
  }
  for (const int32_t counts_max : {8, 40, 200}) {
    tokenizer.calls = 0;
    PromptMaker::calibrate({.language = PromptLanguage::kChinese, .counts_max = counts_max},
                           tokenizer.counter());
    EXPECT_LE(tokenizer.calls, counts_max);
  }
}

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

TEST(PromptsTest, NeighboursDifferFromTheirFirstWordOn) {
  FakeTokenizer tokenizer;
  const PromptMaker maker = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
  std::set<std::string> firsts, heads;
  const auto words = english_prompt_words().size();
  for (uint64_t index = 0; index < words; ++index) firsts.insert(first_word(maker.make(64, index).text));
  EXPECT_EQ(firsts.size(), words);
  for (uint64_t index = 0; index < 20'000; ++index) heads.insert(maker.head(index));
  EXPECT_EQ(heads.size(), 20'000u);
}

TEST(PromptsTest, AHeadCanBeOverwrittenInPlace) {
  FakeTokenizer tokenizer;
  for (const int32_t shared : {0, 100}) {
    const PromptMaker maker =
        PromptMaker::calibrate({.seed = 7, .shared_prefix_tokens = shared}, tokenizer.counter());
    MadePrompt prompt = maker.make(300, 4);
    const std::string other = maker.head(123'456);
    ASSERT_EQ(prompt.head_bytes, other.size());
    EXPECT_EQ(prompt.text.substr(prompt.head_at, prompt.head_bytes), maker.head(4));
    prompt.text.replace(prompt.head_at, prompt.head_bytes, other);
    EXPECT_EQ(tokenizer.count(prompt.text).value(), 300);
    EXPECT_EQ(prompt.text.substr(0, prompt.head_at), maker.make(300, 9).text.substr(0, prompt.head_at));
    EXPECT_EQ(prompt.head_at > 0, shared > 0);
    EXPECT_EQ(tokenizer.count(prompt.text.substr(0, prompt.head_at)).value(), shared);
  }
}

TEST(PromptsTest, ASeedMakesTheSamePrompts) {
  FakeTokenizer tokenizer;
  const PromptMaker a = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
  const PromptMaker b = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
  const PromptMaker c = PromptMaker::calibrate({.seed = 8}, tokenizer.counter());
  EXPECT_EQ(a.make(90, 5).text, b.make(90, 5).text);
  EXPECT_NE(a.make(90, 5).text, c.make(90, 5).text);
}

TEST(PromptsTest, EqualBlocksMakeEqualBeginnings) {
  FakeTokenizer tokenizer;
  const PromptMaker maker = PromptMaker::calibrate({.seed = 7}, tokenizer.counter());
  const std::vector<int64_t> ids_a = {46, 47, 48}, ids_b = {46, 47, 90};
  const MadePrompt a = maker.make_from_blocks(ids_a, 512, 1500, 1);
  const MadePrompt b = maker.make_from_blocks(ids_b, 512, 1500, 2);
  EXPECT_EQ(tokenizer.count(a.text).value(), 1500);
  EXPECT_EQ(tokenizer.count(b.text).value(), 1500);
  const auto pieces_a = tokenizer.pieces(a.text), pieces_b = tokenizer.pieces(b.text);
  size_t common = 0;
  while (pieces_a[common] == pieces_b[common]) ++common;
  EXPECT_GE(common, 1024u);
  EXPECT_LT(common, 1024u + 8);  // 8 words in a row are equal by chance once in 256^8
  // Beyond the ids, and for a length that is reached before them.
  EXPECT_NE(maker.make_from_blocks(ids_a, 512, 2000, 1).text,
            maker.make_from_blocks(ids_a, 512, 2000, 2).text);
  EXPECT_EQ(maker.make_from_blocks(ids_a, 512, 700, 1).text, maker.make_from_blocks(ids_b, 512, 700, 2).text);
  EXPECT_EQ(tokenizer.count(maker.make_from_blocks({}, 512, 40, 1).text).value(), 40);
}

}  // namespace
}  // namespace hussar
