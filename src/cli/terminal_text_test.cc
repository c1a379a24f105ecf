#include "cli/terminal_text.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(TerminalText, KeepsTextAndDropsWhatATerminalWouldObey) {
  EXPECT_EQ(safe_for_terminal("a\x1B[2J\tb\n\x7F\xC2\x9B"
                              "3J \xE4\xBD\xA0\xC2\xA0\xF0\x9F\x98\x80\r"),
            "a[2J\tb\n3J \xE4\xBD\xA0\xC2\xA0\xF0\x9F\x98\x80");
}

}  // namespace
}  // namespace hussar
