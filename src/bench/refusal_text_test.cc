#include "bench/refusal_text.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace hussar {
namespace {

TEST(RefusalText, FindsTheMessage) {
  EXPECT_EQ(refusal_text(R"({"error":{"message":"no such model","type":"x"}})"), "no such model");
  EXPECT_EQ(refusal_text(R"({"error":"overloaded"})"), "overloaded");
  EXPECT_EQ(refusal_text(R"({"object":"error","message":"too long","code":400})"), "too long");
  EXPECT_EQ(refusal_text(R"({"detail":"Not Found"})"), "Not Found");
  EXPECT_EQ(refusal_text(R"({"error":{"code":1},"message":"said elsewhere"})"), "said elsewhere");
}

TEST(RefusalText, ShowsTheBeginningOfAnythingElse) {
  EXPECT_EQ(refusal_text("<html>\r\n\t<b>Bad\x7FGateway</b>\n"), "<html> <b>Bad Gateway</b>");
  EXPECT_EQ(refusal_text(R"({"error":{}})"), R"({"error":{}})");
  EXPECT_EQ(refusal_text(""), "");
  EXPECT_EQ(refusal_text("\n \x01"), "");
}

TEST(RefusalText, IsShortAndWhole) {
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string text(shift, 'a');
    for (int i = 0; i < 100; ++i) text += "\xF0\x9F\x90\x8E";
    const std::string line = refusal_text(text);
    EXPECT_TRUE(is_valid_utf8(line));
    EXPECT_LE(line.size(), kRefusalBytesMax);
    EXPECT_TRUE(line.ends_with("\x8E..."));
  }
  EXPECT_LE(one_line(std::string(10'000, '\xFF')).size(), kRefusalBytesMax);
}

}  // namespace
}  // namespace hussar
