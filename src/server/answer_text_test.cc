#include "server/answer_text.h"

#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"
#include "server/testing.h"

namespace hussar {
namespace {

std::shared_ptr<const StopAutomaton> stops(const std::vector<std::string>& strings) {
  auto automaton = StopAutomaton::compile(strings, {});
  CHECK(automaton.ok());
  return *automaton;
}

class AnswerTextTest : public ::testing::Test {
 protected:
  AnswerText text(std::shared_ptr<const StopAutomaton> automaton, int32_t tokens_min = 0) {
    return text(std::move(automaton), {}, tokens_min);
  }
  AnswerText text(std::shared_ptr<const StopAutomaton> automaton, AnswerTextOptions options,
                  int32_t tokens_min = 0) {
    options.keep = AnswerTextOptions::Keep::kTextAndTokens;
    return {tokenizer_, std::move(automaton), tokens_min, options};
  }
  static std::string bytes_of(const AnswerText::Piece& piece) {
    std::string bytes;
    for (const ShownToken& token : piece.tokens) bytes += token.bytes;
    return bytes;
  }
  const Tokenizer tokenizer_ = testing_tokenizer();
};

TEST_F(AnswerTextTest, ShowsTokensAtOnceWithoutStopStrings) {
  AnswerText answer = text(nullptr);
  answer.add(token_event(kHello));
  EXPECT_EQ(answer.take().text, "hello");
  answer.add(token_event('!'));
  EXPECT_EQ(answer.take().text, "!");
  answer.add(last_event(kImEnd, FinishReason::kStop, kImEnd));
  const auto rest = answer.take();
  EXPECT_EQ(rest.text, "");
  EXPECT_TRUE(rest.tokens.empty()) << "the token that ends an answer is no part of it";
}

TEST_F(AnswerTextTest, HoldsBackWhatMightBecomeAStopString) {
  AnswerText answer = text(stops({"STOP"}));
  answer.add(token_event('a'));
  EXPECT_EQ(answer.take().text, "a");
  for (const char c : std::string("STO")) {
    answer.add(token_event(c));
    EXPECT_FALSE(answer.has_text()) << c;
  }
  answer.add(token_event('x'));
  const auto piece = answer.take();
  EXPECT_EQ(piece.text, "STOx");
  EXPECT_EQ(bytes_of(piece), "STOx");
}

TEST_F(AnswerTextTest, NeverShowsAPartOfAStopStringAcrossTokens) {
  AnswerText answer = text(stops({"lo wor"}));
  answer.add(token_event(kHello));  // "hel" can be shown, "lo" not
  const auto first = answer.take();
  EXPECT_EQ(first.text, "hel");
  EXPECT_TRUE(first.tokens.empty()) << "a token is listed when all of it is shown";
  for (const char c : std::string(" wo")) answer.add(token_event(c));
  EXPECT_FALSE(answer.has_text());
  answer.add(last_event('r', FinishReason::kStop));
  const auto rest = answer.take();
  EXPECT_EQ(rest.text, "");
  EXPECT_EQ(bytes_of(rest), "hel") << "of the token that the stop string begins in, only its front";
}

TEST_F(AnswerTextTest, ShowsWhatWasHeldWhenTheAnswerEndsOtherwise) {
  AnswerText answer = text(stops({"STOP"}));
  for (const char c : std::string("ST")) answer.add(token_event(c));
  answer.add(last_event('O', FinishReason::kLength));
  const auto piece = answer.take();
  EXPECT_EQ(piece.text, "STO");
  EXPECT_EQ(piece.tokens.size(), 3u);
}

TEST_F(AnswerTextTest, LooksForStopStringsOnlyAfterTheLeastNumberOfTokens) {
  AnswerText answer = text(stops({"ab"}), 3);
  for (const char c : std::string("abca")) answer.add(token_event(c));
  answer.add(last_event('b', FinishReason::kStop));
  EXPECT_EQ(answer.take().text, "abc");
}

TEST_F(AnswerTextTest, AStopStringDoesNotReachBackIntoTheFirstTokens) {
  AnswerText answer = text(stops({"ab"}), 1);
  for (const char c : std::string("ab")) answer.add(token_event(c));  // its 'a' lies before the border
  answer.add(last_event('c', FinishReason::kLength));
  EXPECT_EQ(answer.take().text, "abc");
}

TEST_F(AnswerTextTest, NeverBreaksACharacter) {
  AnswerText answer = text(nullptr);
  std::string shown;
  const std::string wanted = "中文 🤗 é";
  for (const char c : wanted) {
    answer.add(token_event(static_cast<unsigned char>(c)));
    const std::string piece = answer.take().text;
    EXPECT_TRUE(is_valid_utf8(piece));
    EXPECT_EQ(piece.find("\xEF\xBF\xBD"), std::string::npos);
    shown += piece;
  }
  EXPECT_EQ(shown, wanted);
  answer.add(token_event(0xE4));
  answer.add(last_event(-1, FinishReason::kLength));
  EXPECT_EQ(answer.take().text, "\xEF\xBF\xBD") << "an answer cut within a character says so";
}

TEST_F(AnswerTextTest, ShowsTheStopStringWhereItIsAskedFor) {
  AnswerText hidden = text(stops({"STOP", "END"}));
  AnswerText shown = text(stops({"STOP", "END"}), {.stop_text = AnswerTextOptions::Show::kYes});
  std::string seen;
  for (const char c : std::string("aEN")) {
    hidden.add(token_event(c));
    shown.add(token_event(c));
    seen += shown.take().text;
  }
  EXPECT_EQ(seen, "aEN") << "nothing has to be held back";
  hidden.add(last_event('D', FinishReason::kStop));
  shown.add(last_event('D', FinishReason::kStop));
  EXPECT_EQ(seen + shown.take().text, "aEND");
  EXPECT_EQ(hidden.take().text, "a");
  EXPECT_EQ(hidden.hidden_stop(), "END");
}

TEST_F(AnswerTextTest, CutsBehindAShownStopStringWithinAToken) {
  AnswerText answer = text(stops({"hel"}), {.stop_text = AnswerTextOptions::Show::kYes});
  answer.add(last_event(kHello, FinishReason::kStop));
  const auto piece = answer.take();
  EXPECT_EQ(piece.text, "hel");
  EXPECT_EQ(bytes_of(piece), "hel");
}

TEST_F(AnswerTextTest, ShowsControlTokensWhereTheyAreAskedFor) {
  AnswerText answer = text(nullptr, {.control_tokens = AnswerTextOptions::Show::kYes});
  answer.add(token_event('a'));
  answer.add(token_event(kImStart));
  answer.add(last_event(kImEnd, FinishReason::kStop, kImEnd));
  EXPECT_EQ(answer.take().text, "a<|im_start|>") << "but not the one that ended the answer";
  AnswerText whole = text(
      nullptr, {.control_tokens = AnswerTextOptions::Show::kYes, .stop_text = AnswerTextOptions::Show::kYes});
  whole.add(token_event('a'));
  whole.add(last_event(kImEnd, FinishReason::kStop, kImEnd));
  EXPECT_EQ(whole.take().text, "a<|im_end|>");
}

TEST_F(AnswerTextTest, ShowsNoControlToken) {
  AnswerText answer = text(stops({"aim"}));
  answer.add(token_event('a'));
  answer.add(token_event(kImStart));
  answer.add(token_event(kTool));
  answer.add(token_event(999'999));  // a row that only pads the model's vocabulary
  answer.add(last_event('b', FinishReason::kLength));
  EXPECT_EQ(answer.take().text, "a<tool>b");
}

TEST_F(AnswerTextTest, CountsOffsetsInCodePoints) {
  AnswerText answer = text(nullptr);
  for (const char c : std::string("é中")) answer.add(token_event(static_cast<unsigned char>(c)));
  answer.add(last_event('x', FinishReason::kLength));
  const auto piece = answer.take();
  EXPECT_EQ(piece.tokens.back().text_offset, 2);
  EXPECT_EQ(piece.tokens.front().text_offset, 0);
}

// Whatever the cuts into tokens, the shown text is what a search over the whole text gives, and at no time
// more than that.
TEST_F(AnswerTextTest, EqualsASearchOverTheWholeText) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string whole;
    for (int i = 0; i < 30; ++i) whole += static_cast<char>('a' + random() % 2);
    std::vector<std::string> strings;
    for (uint32_t i = 0; i < 1 + random() % 3; ++i) {
      std::string string;
      for (uint32_t n = 0; n < 2 + random() % 5; ++n) string += static_cast<char>('a' + random() % 2);
      strings.push_back(string);
    }
    // The first end of any string; of several that end there, the longest.
    size_t end = std::string::npos, begin = whole.size();
    for (size_t at = 1; at <= whole.size() && end == std::string::npos; ++at) {
      for (const std::string& string : strings) {
        if (std::string_view(whole).substr(0, at).ends_with(string)) {
          end = at;
          begin = std::min(begin, at - string.size());
        }
      }
    }
    AnswerText answer = text(stops(strings));
    std::string shown;
    for (size_t i = 0; i < whole.size(); ++i) {
      const bool stop = i + 1 == end;
      const bool last = stop || i + 1 == whole.size();
      answer.add(last ? last_event(whole[i], stop ? FinishReason::kStop : FinishReason::kLength)
                      : token_event(whole[i]));
      shown += answer.take().text;
      ASSERT_TRUE(whole.substr(0, begin).starts_with(shown));
      if (last) break;
    }
    EXPECT_EQ(shown, whole.substr(0, begin));
  }
}

}  // namespace
}  // namespace hussar
