#include "bench/article/text_units.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

std::vector<std::string> pieces(std::string_view text) {
  const TextUnits units = split_units(text);
  std::vector<std::string> all;
  for (int64_t i = 0; i < units.size(); ++i) all.emplace_back(units.slice(i, 1));
  return all;
}

using Pieces = std::vector<std::string>;

TEST(TextUnits, EnglishIsCountedInWords) {
  EXPECT_EQ(pieces("The cat, don't you see - sat."), (Pieces{"The", "cat", "don't", "you", "see", "sat"}));
  EXPECT_EQ(pieces("  'quoted' 3.14 x_1\n"), (Pieces{"quoted", "3", "14", "x", "1"}));
  EXPECT_EQ(pieces("ma\u2019am caf\u00E9 na\u00EFve \u0434\u043E\u043C"),
            (Pieces{"ma\u2019am", "caf\u00E9", "na\u00EFve", "\u0434\u043E\u043C"}));
  EXPECT_EQ(pieces("end'"), Pieces{"end"});
  EXPECT_TRUE(pieces("").empty());
  EXPECT_TRUE(pieces(" \n...!? \u2014 \u2026 \U0001F600").empty());
}

TEST(TextUnits, ChineseIsCountedInCharacters) {
  EXPECT_EQ(pieces("量子，计算。"), (Pieces{"量", "子", "计", "算"}));
  EXPECT_EQ(pieces("《ＡＢ》、「二」１２"), (Pieces{"ＡＢ", "二", "１２"}));
  EXPECT_EQ(pieces("ひらカナ々𠀀"), (Pieces{"ひ", "ら", "カ", "ナ", "々", "𠀀"}));
}

TEST(TextUnits, MixedTextCountsBoth) {
  const TextUnits units = split_units("用Python写hello world程序");
  EXPECT_EQ(units.size(), 7);
  EXPECT_EQ(units.characters, 4);
  EXPECT_EQ(units.slice(1, 4), "Python写hello world");
  EXPECT_EQ(units.slice(0, 0), "");
  EXPECT_EQ(units.slice(5, 3), "");
}

TEST(TextUnits, WordsAreComparedWithoutCase) {
  const TextUnits units = split_units("Cat cat dog CAT 量 子 量");
  EXPECT_EQ(units.ids, (std::vector<int32_t>{0, 0, 1, 0, 2, 3, 2}));
}

TEST(TextUnits, GarbledBytesAreMarkedAndCounted) {
  EXPECT_EQ(split_units("ok").replacement_marks, 0);
  EXPECT_EQ(split_units("a\xFF\xE9\x87z").replacement_marks, 2);
  EXPECT_EQ(split_units("a\uFFFD\uFFFDz").replacement_marks, 2);
  EXPECT_EQ(pieces("a\uFFFDz"), (Pieces{"a", "z"}));
}

TEST(Excerpt, CutsBetweenCharacters) {
  EXPECT_EQ(excerpt("short", 5), "short");
  EXPECT_EQ(excerpt("longer", 5), "longe...");
  EXPECT_EQ(excerpt("量子", 5), "量...");
  EXPECT_EQ(excerpt("量子", 2), "...");
  EXPECT_EQ(excerpt("a\nb\tc\x1B", 9), "a b c ");
  EXPECT_EQ(excerpt("\xFF", 9), "\uFFFD");
}

}  // namespace
}  // namespace hussar
