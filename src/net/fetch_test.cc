#include "net/fetch.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(Url, IsTakenApart) {
  const auto plain = parse_url("https://Hub.Example/a/b");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->scheme, "https");
  EXPECT_EQ(plain->host, "hub.example");
  EXPECT_EQ(plain->port, "443");
  EXPECT_FALSE(plain->has_user || plain->has_query_or_fragment);
  EXPECT_EQ(parse_url("http://h")->port, "80");
  EXPECT_EQ(parse_url("http://[::1]:8080/")->host, "[::1]");
  EXPECT_EQ(parse_url("HTTP://127.0.0.1:8080/")->port, "8080");
  EXPECT_TRUE(parse_url("https://user@h/")->has_user);
  EXPECT_TRUE(parse_url("https://h/?a")->has_query_or_fragment);
  EXPECT_TRUE(parse_url("https://h/#a")->has_query_or_fragment);
}

TEST(Url, OnlyHttpAndHttpsAreTaken) {
  for (const char* url : {"", "h", "//h", "/path", "ftp://h", "file:///etc/passwd", "http://", "http:h",
                          "https://h:99999/", "https://h:x/", "javascript:alert(1)", "https://a b/"}) {
    EXPECT_FALSE(parse_url(url).ok()) << url;
  }
  EXPECT_FALSE(parse_url("https://h/" + std::string(20'000, 'a')).ok());
}

}  // namespace
}  // namespace hussar
