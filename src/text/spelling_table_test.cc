#include "text/spelling_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hussar {
namespace {

TEST(SpellingTable, FindsWhatWasPutIn) {
  constexpr TokenId kCount = 5000;
  std::vector<std::string> spellings;
  for (TokenId id = 0; id < kCount; ++id) {
    // Of every length, many with the same begin or end, some with NUL bytes.
    spellings.push_back(std::string(static_cast<size_t>(id % 40), 'x') + std::to_string(id) +
                        std::string(static_cast<size_t>(id % 3), '\0'));
  }
  SpellingTable table(spellings.size(),
                      [&](TokenId id) -> std::string_view { return spellings[static_cast<size_t>(id)]; });
  EXPECT_EQ(table.find("x"), -1);
  for (TokenId id = 0; id < kCount; ++id) ASSERT_TRUE(table.insert(spellings[static_cast<size_t>(id)], id));
  EXPECT_FALSE(table.insert(spellings[7], 7));
  for (TokenId id = 0; id < kCount; ++id) EXPECT_EQ(table.find(spellings[static_cast<size_t>(id)]), id);
  EXPECT_EQ(table.find(""), -1);
  EXPECT_EQ(table.find(spellings[8] + '\0'), -1);
  EXPECT_EQ(table.find("no such"), -1);
}

TEST(SpellingTable, TheEmptySpellingIsOneToo) {
  SpellingTable table(1, [](TokenId) { return std::string_view(); });
  EXPECT_TRUE(table.insert("", 3));
  EXPECT_EQ(table.find(""), 3);
}

}  // namespace
}  // namespace hussar
