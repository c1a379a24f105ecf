#include "cli/table_text.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(TableTextTest, SetsFiguresToTheRight) {
  Table table;
  table.title = {"Rates", "速率"};
  table.columns = {{"measure"}, {"value"}};
  table.rows = {{{"answers"}, {"12.5"}}, {{"tokens — all"}, {"2048"}}};
  table.notes = {{"a note"}};
  EXPECT_EQ(table_text(table),
            "Rates\n"
            "  measure        value\n"
            "  answers         12.5\n"
            "  tokens — all    2048\n"
            "  a note\n");
}

TEST(TableTextTest, ForeignTextCannotMoveTheCursor) {
  Table table;
  table.title = {"T"};
  table.columns = {{"a"}};
  table.rows = {{{"x\x1B[2Jy\nz\xFF"}}};
  EXPECT_EQ(table_text(table), "T\n  a\n  x[2Jy z\uFFFD\n");
}

}  // namespace
}  // namespace hussar
