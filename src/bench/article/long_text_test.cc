#include "bench/article/long_text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hussar {
namespace {

TEST(LengthScore, FollowsItsFormula) {
  EXPECT_DOUBLE_EQ(length_score(5000, 5000), 100);
  EXPECT_DOUBLE_EQ(length_score(5000, 2500), 50);    // (2 - 1) / 2 lost
  EXPECT_DOUBLE_EQ(length_score(5000, 4000), 87.5);  // (1.25 - 1) / 2
  EXPECT_DOUBLE_EQ(length_score(5000, 10000), 100 - 100.0 / 3);
  EXPECT_DOUBLE_EQ(length_score(5000, 12500), 50);  // (2.5 - 1) / 3
  EXPECT_DOUBLE_EQ(length_score(5000, 20000), 0);   // four times is the end above ...
  EXPECT_DOUBLE_EQ(length_score(6000, 2000), 0);    // ... and a third below
  EXPECT_DOUBLE_EQ(length_score(6000, 100), 0);
  EXPECT_DOUBLE_EQ(length_score(6000, 0), 0);
  EXPECT_DOUBLE_EQ(length_score(1, 1000000), 0);
}

TEST(NGrams, CountAllAndDifferent) {
  const TextUnits units = split_units("a b a b a b c");  // 4-grams: abab baba abab babc
  const NGrams four = count_ngrams(units, 4);
  EXPECT_EQ(four.all, 4);
  EXPECT_EQ(four.different, 3);
  EXPECT_DOUBLE_EQ(*four.repeated_share(), 0.25);
  EXPECT_DOUBLE_EQ(*four.distinct_share(), 0.75);
  EXPECT_EQ(count_ngrams(units, 1).different, 3);
  EXPECT_EQ(count_ngrams(units, 2).different, 3);  // ab ba bc
  EXPECT_EQ(count_ngrams(units, 7).all, 1);
  EXPECT_EQ(count_ngrams(units, 8).all, 0);
  EXPECT_FALSE(count_ngrams(units, 8).repeated_share().has_value());
  EXPECT_FALSE(count_ngrams(split_units(""), 1).distinct_share().has_value());
}

TEST(RepeatedPhrases, ListsWhatFillsTheMost) {
  const TextUnits units = split_units(
      "总而言之，量子计算很有前途。其他的话。总而言之，量子计算很有前途。再说几句。总而言之，我们期待未来。");
  const auto phrases = repeated_phrases(units, 10);
  ASSERT_FALSE(phrases.empty());
  EXPECT_EQ(phrases[0].text, "总而言之，量子计算很有前途");
  EXPECT_EQ(phrases[0].count, 2);
  EXPECT_EQ(phrases[0].units, 12);
  EXPECT_EQ(phrases[0].first, 0);
  // The third "总而言之" stands alone once the others are taken.
  EXPECT_EQ(phrases.size(), 1u);
}

TEST(RepeatedPhrases, ALoopStandsAsWhatItConsistsOf) {
  std::string text = "start here ";
  for (int i = 0; i < 500; ++i) text += "one two three. ";
  const auto phrases = repeated_phrases(split_units(text), 10);
  ASSERT_EQ(phrases.size(), 1u);
  EXPECT_EQ(phrases[0].text, "one two three");
  EXPECT_EQ(phrases[0].units, 3);
  EXPECT_NEAR(static_cast<double>(phrases[0].count), 500, 13);  // a run of 40 units need not fit in exactly
  const auto laughter = repeated_phrases(split_units(std::string("哈哈哈哈") + "哈哈哈哈哈哈哈哈"), 10);
  ASSERT_EQ(laughter.size(), 1u);
  EXPECT_EQ(laughter[0].text, "哈");
  EXPECT_EQ(laughter[0].count, 12);
}

TEST(RepeatedPhrases, FreshTextHasNone) {
  EXPECT_TRUE(repeated_phrases(split_units(""), 10).empty());
  EXPECT_TRUE(repeated_phrases(split_units("a b c d e f g h i j k l m n o p"), 10).empty());
  // Three units in common are too few.
  EXPECT_TRUE(repeated_phrases(split_units("a b c x a b c y a b c z"), 10).empty());
}

TEST(RepeatedPhrases, DegenerateTextIsBounded) {
  std::string text;
  for (int i = 0; i < 60'000; ++i) text += "好";
  const auto phrases = repeated_phrases(split_units(text), 10);
  ASSERT_EQ(phrases.size(), 1u);
  EXPECT_EQ(phrases[0].text, "好");
  EXPECT_EQ(phrases[0].count, 60'000);
}

TEST(ClosingPhrases, AreCountedInAnyCase) {
  const auto found = closing_phrases("In conclusion, x. in conclusion y. 总而言之。总之。总而言之。OVERALL");
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].text, "总而言之");
  EXPECT_EQ(found[0].count, 2);
  EXPECT_EQ(found[1].text, "总之");
  EXPECT_EQ(found[1].count, 1);
  EXPECT_EQ(found[2].text, "in conclusion");
  EXPECT_EQ(found[2].count, 2);
  EXPECT_EQ(found[3].text, "overall");
  EXPECT_TRUE(closing_phrases("nothing of the kind").empty());
}

std::string fresh_words(int begin, int count) {
  std::string text;
  for (int i = begin; i < begin + count; ++i) text += "w" + std::to_string(i) + " ";
  return text;
}

TEST(Repetition, BeginsWhereItStaysToTheEnd) {
  EXPECT_FALSE(repetition_begins(split_units("")).has_value());
  EXPECT_FALSE(repetition_begins(split_units(fresh_words(0, 1000))).has_value());
  // 400 fresh words, then those again and again.
  const std::string again = fresh_words(0, 400) + fresh_words(0, 400) + fresh_words(0, 200);
  EXPECT_EQ(repetition_begins(split_units(again)), 400);
  // A refrain in the middle is not the beginning of the end.
  const std::string refrain = fresh_words(0, 400) + fresh_words(0, 200) + fresh_words(1000, 400);
  EXPECT_FALSE(repetition_begins(split_units(refrain)).has_value());
  const auto shares = repetition_by_window(split_units(refrain), 200);
  ASSERT_EQ(shares.size(), 5u);
  EXPECT_DOUBLE_EQ(shares[0], 0);
  EXPECT_DOUBLE_EQ(shares[1], 0);
  EXPECT_DOUBLE_EQ(shares[2], 197.0 / 200);  // the last three reach into what is new
  EXPECT_DOUBLE_EQ(shares[3], 0);
}

RequestRecord answer_with(std::vector<TextChunk> chunks, int32_t output_tokens) {
  RequestRecord record;
  record.sent_ns = 0;
  record.chunks = std::move(chunks);
  record.output_tokens = output_tokens;
  return record;
}

TEST(SpeedOverTime, CountsWhatCameAfterTheFirstChunk) {
  constexpr int64_t kSecond = 1'000'000'000;
  const auto points = speed_over_time(
      answer_with({{kSecond, 1}, {kSecond * 3 / 2, 2}, {2 * kSecond, 2}, {3 * kSecond, 6}}, 11), 2);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_DOUBLE_EQ(points[0].at_s, 1.5);
  EXPECT_DOUBLE_EQ(points[0].tokens_per_s, 2);
  EXPECT_DOUBLE_EQ(points[1].at_s, 2.5);
  EXPECT_DOUBLE_EQ(points[1].tokens_per_s, 8);
}

TEST(SpeedOverTime, SpreadsTokensThatNoChunkNames) {
  const auto points = speed_over_time(answer_with({{0, 0}, {500, 0}, {1000, 0}, {1'000'000'000, 0}}, 8), 1);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_DOUBLE_EQ(points[0].tokens_per_s, 6);
  EXPECT_TRUE(speed_over_time(answer_with({{0, 0}, {1000, 0}}, -1), 4).empty());
  EXPECT_TRUE(speed_over_time(answer_with({{0, 1}}, 1), 4).empty());
  EXPECT_TRUE(speed_over_time(answer_with({{5, 1}, {5, 1}}, 2), 4).empty());
  EXPECT_TRUE(speed_over_time(answer_with({}, 0), 4).empty());
}

TEST(LongTextScores, PutsItTogether) {
  const LongTextScores scores = score_long_text("量子计算 is new\uFFFD. 总之。", 5);
  EXPECT_EQ(scores.characters, 6);
  EXPECT_EQ(scores.words, 2);
  EXPECT_DOUBLE_EQ(scores.length_score, 100 * (1 - (8.0 / 5 - 1) / 3));
  EXPECT_EQ(scores.replacement_marks, 1);
  ASSERT_EQ(scores.distinct.size(), 4u);
  EXPECT_DOUBLE_EQ(*scores.distinct[0], 1);
  EXPECT_DOUBLE_EQ(*scores.seq_rep_4, 0);
  EXPECT_EQ(scores.closings.size(), 1u);
  const LongTextScores none = score_long_text("", 5000);
  EXPECT_EQ(none.length(), 0);
  EXPECT_EQ(none.length_score, 0);
  EXPECT_FALSE(none.seq_rep_4.has_value());
}

}  // namespace
}  // namespace hussar
