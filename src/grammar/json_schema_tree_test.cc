#include "grammar/json_schema_tree.h"

#include <gtest/gtest.h>

#include <string>

namespace hussar {
namespace {

JsonTree parsed(const std::string& text) {
  auto tree = JsonTree::parse(text, {});
  EXPECT_TRUE(tree.ok()) << text;
  return *std::move(tree);
}

TEST(JsonTree, HoldsWhatTheTextSays) {
  const JsonTree tree = parsed(R"({"z":[1,[],{"a":null}],"b":"x\u0000y","a":false})");
  const TreeValue root = tree.root();
  ASSERT_EQ(root.size(), 3U);
  EXPECT_EQ(root.key(0), "a");
  EXPECT_EQ(root.key(2), "z");
  EXPECT_FALSE(root.member(0).boolean());
  EXPECT_EQ(root.member(1).string(), std::string("x\0y", 3));
  const TreeValue list = root.member(2);
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list.item(0).number().digits, "1");
  EXPECT_EQ(list.item(1).size(), 0U);
  EXPECT_EQ(list.item(2).key_value(0).string(), "a");
  EXPECT_EQ(root.find("b"), 1U);
  EXPECT_EQ(root.find("c"), 3U);
  TreeValue value;
  EXPECT_TRUE(root.get("z", &value));
  EXPECT_EQ(value.node(), list.node());
  EXPECT_FALSE(list.get("z", &value));
}

TEST(JsonTree, RefusesAKeyThatStandsTwice) {
  const auto tree = JsonTree::parse(R"({"a":{"b":1,"c":2,"b":3}})", {});
  ASSERT_FALSE(tree.ok());
  EXPECT_NE(tree.error().message.find("the key \"b\" stands twice"), std::string::npos)
      << tree.error().message;
}

TEST(JsonTree, FindsTheWayToEachNode) {
  const JsonTree tree = parsed(R"({"b":[0,[1,{"~/":2}]],"a":{"":{}}})");
  const TreeValue root = tree.root();
  TreeValue value;
  ASSERT_TRUE(root.get("b", &value));
  EXPECT_EQ(tree.pointer_to(root.node()), "");
  EXPECT_EQ(tree.pointer_to(value.node()), "/b");
  EXPECT_EQ(tree.pointer_to(value.item(1).item(1).member(0).node()), "/b/1/1/~0~1");
  ASSERT_TRUE(root.get("a", &value));
  EXPECT_EQ(tree.pointer_to(value.member(0).node()), "/a/");
}

TEST(JsonTree, EqualValuesShareTheirHash) {
  const std::string same[][2] = {{"1", "1.0"},
                                 {R"({"a":1,"b":[2]})", R"({"b":[20e-1],"a":1.00})"},
                                 {R"("é")", R"("\u00e9")"},
                                 {"[]", "[ ]"}};
  const std::string different[][2] = {{"1", "true"},
                                      {"0", "false"},
                                      {"null", "[]"},
                                      {"[1,2]", "[2,1]"},
                                      {R"({"a":1})", R"({"b":1})"},
                                      {"[]", "{}"},
                                      {R"("1")", "1"},
                                      {"[[1],2]", "[1,[2]]"},
                                      {"1", "-1"}};
  StepBudget budget{1'000'000};
  for (const auto& [a, b] : same) {
    const JsonTree tree_a = parsed(a), tree_b = parsed(b);
    EXPECT_TRUE(equal_values(tree_a.root(), tree_b.root(), &budget)) << a << " " << b;
    EXPECT_EQ(hash_value(tree_a.root(), &budget), hash_value(tree_b.root(), &budget)) << a << " " << b;
  }
  for (const auto& [a, b] : different) {
    const JsonTree tree_a = parsed(a), tree_b = parsed(b);
    EXPECT_FALSE(equal_values(tree_a.root(), tree_b.root(), &budget)) << a << " " << b;
  }
  EXPECT_FALSE(budget.is_spent());
}

TEST(JsonTree, WorkTakesFromTheBudget) {
  const JsonTree tree = parsed("[" + std::string(2000, '1') + ",[[[1]]]]");
  StepBudget budget{3};
  hash_value(tree.root(), &budget);
  EXPECT_TRUE(budget.is_spent());
}

}  // namespace
}  // namespace hussar
