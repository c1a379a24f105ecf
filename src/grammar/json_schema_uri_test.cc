#include "grammar/json_schema_uri.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

// The examples of RFC 3986, section 5.4, without the fragments, which are cut off.
TEST(SchemaUri, ResolvesAsTheStandardSays) {
  constexpr std::string_view kBase = "http://a/b/c/d;p?q";
  const std::string_view expected[][2] = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {";x", "http://a/b/c/;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"http:g", "http:g"},
  };
  for (const auto& [reference, uri] : expected) EXPECT_EQ(resolve_uri(kBase, reference), uri) << reference;
}

TEST(SchemaUri, RelativeBasesAndUrnsWorkToo) {
  EXPECT_EQ(resolve_uri("", "a"), "a");
  EXPECT_EQ(resolve_uri("a", "b"), "b");
  EXPECT_EQ(resolve_uri("a/b", "c"), "a/c");
  EXPECT_EQ(resolve_uri("http://a", "b"), "http://a/b");
  EXPECT_EQ(resolve_uri("urn:uuid:1-2", "#foo"), "urn:uuid:1-2");
  EXPECT_EQ(resolve_uri("urn:uuid:1-2", "urn:x?+y"), "urn:x?+y");
  EXPECT_EQ(resolve_uri("file:///folder/a.json", "b.json"), "file:///folder/b.json");
}

TEST(SchemaUri, CutsAndDecodesFragments) {
  EXPECT_EQ(uri_fragment("a#/b#c"), "/b#c");
  EXPECT_EQ(uri_fragment("a"), "");
  EXPECT_EQ(without_fragment("a#b"), "a");
  EXPECT_EQ(decode_percent_escapes("%25a%2Fb%zz%4"), "%a/b%zz%4");
}

}  // namespace
}  // namespace hussar
