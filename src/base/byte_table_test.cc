#include "base/byte_table.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(ByteTable, GivesEachEntryBack) {
  const std::vector<std::string> entries = {"a", "", std::string("\0\xff", 2), "longer than the others"};
  const ByteTable table(entries);
  ASSERT_EQ(table.size(), entries.size());
  for (size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(table[i], entries[i]);
  EXPECT_EQ((ByteTable{"x", "yz"})[1], "yz");
  EXPECT_EQ(ByteTable().size(), 0u);
}

}  // namespace
}  // namespace hussar
