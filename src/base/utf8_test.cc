#include "base/utf8.h"

#include <gtest/gtest.h>

#include <vector>

namespace hussar {
namespace {

constexpr char32_t kLast = 0x10FFFF;

bool is_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

TEST(Utf8, EveryCodePointEncodesDecodesAndIsValid) {
  for (char32_t c = 0; c <= kLast; ++c) {
    if (is_surrogate(c)) continue;
    std::string text;
    append_utf8(c, &text);
    ASSERT_TRUE(is_valid_utf8(text)) << static_cast<uint32_t>(c);
    size_t offset = 0;
    ASSERT_EQ(next_code_point(text, &offset), c);
    ASSERT_EQ(offset, text.size());
    ASSERT_EQ(complete_utf8_prefix_bytes(text), text.size());
    for (size_t cut = 1; cut < text.size(); ++cut) {
      ASSERT_EQ(complete_utf8_prefix_bytes("ab" + text.substr(0, cut)), 2u);
      ASSERT_FALSE(is_valid_utf8(text.substr(0, cut)));
    }
  }
}

// An oracle by another way: of all sequences of up to 4 bytes of a length, exactly those are valid that an
// encoder makes. All 1- and 2-byte strings, and all 3-byte strings that begin with a lead byte of three.
TEST(Utf8, ExactlyTheEncodersOutputIsValid) {
  std::vector<bool> two(1 << 16), three(1 << 24);
  for (char32_t c = 0; c < 0x10000; ++c) {
    if (is_surrogate(c)) continue;
    std::string t;
    append_utf8(c, &t);
    const auto byte = [&t](size_t i) { return static_cast<unsigned char>(t[i]); };
    if (t.size() == 2) two[byte(0) << 8 | byte(1)] = true;
    if (t.size() == 3) three[byte(0) << 16 | byte(1) << 8 | byte(2)] = true;
  }
  for (int a = 0; a < 256; ++a) {
    EXPECT_EQ(is_valid_utf8(std::string(1, static_cast<char>(a))), a < 0x80);
    for (int b = 0; b < 256; ++b) {
      const char text[2] = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(is_valid_utf8({text, 2}), (a < 0x80 && b < 0x80) || two[a << 8 | b]) << a << " " << b;
    }
  }
  for (int code = 0xE00000; code < 0xF00000; ++code) {
    const char text[3] = {static_cast<char>(code >> 16), static_cast<char>(code >> 8),
                          static_cast<char>(code)};
    ASSERT_EQ(is_valid_utf8({text, 3}), three[code]) << code;
  }
}

TEST(Utf8, RefusesWhatLooksLikeFourBytes) {
  EXPECT_FALSE(is_valid_utf8("\xF0\x8F\xBF\xBF"));  // overlong
  EXPECT_FALSE(is_valid_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  EXPECT_FALSE(is_valid_utf8("\xF5\x80\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("plain text of some length\x80"));
  EXPECT_FALSE(is_valid_utf8("plain text \xFF of some length"));
}

TEST(Utf8, CutsOnlyWhatMayBecomeValid) {
  EXPECT_EQ(complete_utf8_prefix_bytes(""), 0u);
  EXPECT_EQ(complete_utf8_prefix_bytes("a\xE4\xBD"), 1u);
  EXPECT_EQ(complete_utf8_prefix_bytes("a\xF0\x9F\x98"), 1u);
  EXPECT_EQ(complete_utf8_prefix_bytes("a\xE0\x80"), 3u);  // never valid
  EXPECT_EQ(complete_utf8_prefix_bytes("\x80\x80\x80\x80"), 4u);
  EXPECT_EQ(complete_utf8_prefix_bytes("\xF0\xE4"), 1u);  // the first byte is lost, the second may go on
}

// The expected texts are those of Python: bytes.decode("utf-8", "replace").
TEST(Utf8, ReplacesMaximalParts) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(replace_invalid_utf8("a\xE4\xBD"
                                 "b"),
            "a" + mark + "b");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98"), mark);
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), mark + mark + mark);
  EXPECT_EQ(replace_invalid_utf8("\xF0\x80\x80\x41"), mark + mark + mark + "A");
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF"), mark + mark);
  EXPECT_EQ(replace_invalid_utf8("\xE4\xE4\xBD\xA0"), mark + "\xE4\xBD\xA0");
  EXPECT_EQ(replace_invalid_utf8("\xE4\xBD\xA0\xF0\x9F\x98\x80"), "\xE4\xBD\xA0\xF0\x9F\x98\x80");
}

}  // namespace
}  // namespace hussar
