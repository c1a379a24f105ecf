#include "server/fields.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(FieldsTest, IgnoredFieldsCanNotForgeAHeader) {
  std::vector<HttpHeader> headers;
  add_ignored_fields_header({"a\r\nb", "c,d", std::string(5000, 'x')}, &headers);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_TRUE(headers[0].value.starts_with("a??b, c?d, xxx"));
  EXPECT_LE(headers[0].value.size(), 2003u);
  headers.clear();
  add_ignored_fields_header({}, &headers);
  EXPECT_TRUE(headers.empty());
}

TEST(FieldsTest, JsonEqual) {
  const auto equal = [](const char* a, const char* b) {
    return json_equal(*parse_json(a, {}), *parse_json(b, {}));
  };
  EXPECT_TRUE(equal("1", "1.0"));
  EXPECT_TRUE(equal(R"({"a":[1,"x"],"b":null})", R"({"b":null,"a":[1,"x"]})"));
  EXPECT_FALSE(equal("1", "true"));
  EXPECT_FALSE(equal("[1]", "[1,1]"));
  EXPECT_FALSE(equal(R"({"a":1})", R"({"b":1})"));
  EXPECT_FALSE(equal(R"({"a":1})", R"({})"));
  EXPECT_FALSE(equal(R"("a")", R"("b")"));
}

}  // namespace
}  // namespace hussar
