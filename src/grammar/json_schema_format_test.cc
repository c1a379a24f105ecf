#include "grammar/json_schema_format.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace hussar {
namespace {

// Beyond what the suite of the draft asks: the edges of each rule.
void expect(std::string_view format, FormatAnswer answer, std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) {
    StepBudget budget{1'000'000};
    EXPECT_EQ(check_format(format, text, &budget), answer) << format << " " << text;
    EXPECT_FALSE(budget.is_spent());
  }
}
void valid(std::string_view format, std::initializer_list<std::string_view> texts) {
  expect(format, FormatAnswer::kValid, texts);
}
void invalid(std::string_view format, std::initializer_list<std::string_view> texts) {
  expect(format, FormatAnswer::kInvalid, texts);
}

TEST(SchemaFormat, Dates) {
  valid("date", {"2000-02-29", "0000-02-29", "9999-12-31"});
  invalid("date", {"1900-02-29", "2001-00-10", "2001-01-00", "2001-01-1", "2001-01-011", "", "2001-01-01T"});
  valid("time", {"00:00:00+00:00", "23:59:59.999999999999Z", "00:29:60+00:30"});
  invalid("time", {"00:00:00.Z", "00:00:00", "00:00:00+0000", "00:00:60Z", "0:00:00Z", "00:00:00Z "});
  valid("date-time", {"2024-01-01T00:00:00Z", "2024-01-01t00:00:00.1-11:45"});
  invalid("date-time", {"2024-01-01 00:00:00Z", "2024-01-01T", "2024-01-01T00:00:00"});
  valid("duration", {"P1Y2M3DT4H5M6S", "PT4H5M", "P1W"});
  invalid("duration", {"P1Y3D", "PT1H6S", "P1WT1H", "P1M1Y", "PW", "p1D", "P1D ", "PT1M1M"});
}

TEST(SchemaFormat, Addresses) {
  valid("email", {"a@b", R"("\"q\\"@x.y)", "!#$%&'*+-/=?^_`{|}~@a-b.c"});
  invalid("email", {"@b", "a@", "a b@c", R"("a"b"@c)", R"("a\"@c)", "a@b@c", "a@[::1]", "a@[IPv6:1]", "é@b",
                    "\"\n\"@b"});
  valid("hostname", {"a", "a.b", "1.2", "xn--bcher-kva.example"});
  invalid("hostname", {"a.", ".a", "a..b", "a b", "é.b", "a-.b"});
  valid("ipv4", {"0.0.0.0", "255.255.255.255"});
  invalid("ipv4",
          {"256.0.0.1", "1.2.3", "1.2.3.4.", "01.2.3.4", " 1.2.3.4", "1.2.3.04", "1..3.4", "1.2.3.4444"});
  valid("ipv6", {"1:2:3:4:5:6:7::", "::8", "1::8", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4"});
  invalid("ipv6", {"", ":", ":::", "1", "1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:7:8", "1::2::3",
                   "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4"});
  valid("uuid", {"123e4567-e89b-12d3-a456-426614174000"});
  invalid("uuid", {"123e4567e89b12d3a456426614174000", "{123e4567-e89b-12d3-a456-426614174000}"});
}

TEST(SchemaFormat, UrisAndPointers) {
  valid("uri", {"a:", "a:b", "http://[::1]:80/", "http://[v1.a:b]", "file:///x", "x://u:p@h:/", "a:?#"});
  invalid("uri", {"", "a", "1:b", "http://[::1", "http://h:x/", "a:%4", "a:b c", "a:é", "a:#b#c",
                  "http://a@b@c/", "a:[", "http://[v1]/"});
  valid("uri-reference", {"", "?", "//h/p", "a/b:c", "./a:b", "%41"});
  invalid("uri-reference", {"1:b", ":", "a b", "%", "//[1]/"});
  valid("json-pointer", {"", "/", "/a~0~1"});
  invalid("json-pointer", {"a", "/~", "/~2"});
  valid("relative-json-pointer", {"0", "10#", "1/a"});
  invalid("relative-json-pointer", {"", "01", "1#a", "-1", "1a"});
}

TEST(SchemaFormat, RegularExpressionsAsTheStandardWritesThem) {
  valid("regex", {"", "^(a|b)*$", "(a)\\1", "(?<!x)\\p{L}+", "a{2,}?", "[^]"});
  invalid("regex", {"(", "\\-", "a{2", "[b-a]", "\\1"});
  // Legal perhaps, but nothing that is known here.
  expect("regex", FormatAnswer::kUnknown, {"\\p{Script=Greek}", std::string(100'000, 'a')});
}

TEST(SchemaFormat, OthersAreNotChecked) {
  for (const std::string_view name : {"iri", "iri-reference", "idn-email", "idn-hostname", "uri-template"}) {
    EXPECT_TRUE(is_unchecked_standard_format(name));
    EXPECT_FALSE(is_checked_format(name));
  }
  EXPECT_FALSE(is_unchecked_standard_format("uri"));
  EXPECT_TRUE(is_checked_format("regex"));
  expect("color", FormatAnswer::kUnknown, {"red"});
}

}  // namespace
}  // namespace hussar
