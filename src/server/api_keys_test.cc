#include "server/api_keys.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace hussar {
namespace {

std::string entry(const std::string& name, const std::string& key, const std::string& more = "") {
  return R"({"name":")" + name + R"(","key":")" + key + "\"" + more + "}";
}
std::string file_of(const std::string& entries) { return R"({"keys":[)" + entries + "]}"; }

HttpRequest with_header(const std::string& name, const std::string& value) {
  HttpRequest request;
  request.headers.push_back({name, value});
  return request;
}

class KeyFile {
 public:
  KeyFile() : path_(::testing::TempDir() + "keys-" + std::to_string(getpid()) + ".json") {}
  ~KeyFile() { std::remove(path_.c_str()); }
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(ApiKeys, ReadsEveryField) {
  const auto keys = read_api_keys(file_of(
      entry("alice", "sk-alice-1", R"(,"weight":2.5,"requests_per_minute":60,"tokens_per_minute":9000)") +
      "," + entry("bob", "sk-bob-12", R"(,"concurrency_max":3)")));
  ASSERT_TRUE(keys.ok()) << keys.error().message;
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_EQ((*keys)[0].weight, 2.5);
  EXPECT_EQ((*keys)[0].requests_per_minute, 60);
  EXPECT_EQ((*keys)[0].tokens_per_minute, 9000);
  EXPECT_EQ((*keys)[0].concurrency_max, 0);
  EXPECT_EQ((*keys)[1].weight, 1);
  EXPECT_EQ((*keys)[1].concurrency_max, 3);
}

TEST(ApiKeys, WhatIsWrongIsNamedAndNoKeyIsShown) {
  const std::string secret = "sk-very-secret";
  const std::string good = entry("a", secret);
  for (const std::string& text :
       {std::string(""), std::string("[]"), std::string("{}"), std::string(R"({"keys":[]})"),
        std::string(R"({"keys":{}})"), file_of("1"), file_of(good + "," + good),
        file_of(good + "," + entry("b", secret)), file_of(entry("", secret)), file_of(entry("a b", secret)),
        file_of(entry("a", "short")), file_of(entry("a", secret + " x")),
        file_of(entry("a", secret, R"(,"x":1)")), file_of(entry("a", secret, R"(,"weight":0)")),
        file_of(entry("a", secret, R"(,"weight":"1")")),
        file_of(entry("a", secret, R"(,"requests_per_minute":-1)")), file_of(R"({"name":"a"})"),
        R"({"keys":[)" + good + R"(],"more":1})", file_of(good) + secret}) {
    const auto keys = read_api_keys(text);
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_EQ(keys.error().message.find(secret), std::string::npos) << keys.error().message;
    EXPECT_EQ(keys.error().field, "--api-keys");
  }
}

TEST(ApiKeys, ComparesWholeKeys) {
  EXPECT_TRUE(equal_in_constant_time("secret-1", "secret-1"));
  for (const char* other : {"", "s", "secret-", "secret-2", "secret-11", "Secret-1", "secret-1secret-1"})
    EXPECT_FALSE(equal_in_constant_time("secret-1", other)) << other;
  EXPECT_FALSE(equal_in_constant_time("", ""));
}

TEST(ApiKeys, FindsWhoAsks) {
  const KeyFile file;
  file.write(file_of(entry("alice", "sk-alice-1", R"(,"weight":3)") + "," + entry("bob", "sk-bob-12")));
  const auto keys = ApiKeys::open(file.path());
  ASSERT_TRUE(keys.ok()) << keys.error().message;
  EXPECT_TRUE((*keys)->required());
  const auto alice = (*keys)->find(with_header("Authorization", "Bearer sk-alice-1"));
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->key.name, "alice");
  EXPECT_EQ(alice->share, 0.75);
  const auto bob = (*keys)->find(with_header("x-api-key", "sk-bob-12"));
  ASSERT_NE(bob, nullptr);
  EXPECT_NE(alice->id, bob->id);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer sk-alice-2", "Basic sk-alice-1", "sk-alice-1"})
    EXPECT_EQ((*keys)->find(with_header("Authorization", wrong)), nullptr) << wrong;
  EXPECT_EQ((*keys)->find(HttpRequest{}), nullptr);
}

TEST(ApiKeys, AChangedFileIsReadAgainAndABrokenOneIsNot) {
  const KeyFile file;
  file.write(file_of(entry("alice", "sk-alice-1")));
  const auto keys = ApiKeys::open(file.path());
  ASSERT_TRUE(keys.ok());
  const auto before = (*keys)->find(with_header("X-Api-Key", "sk-alice-1"));
  EXPECT_FALSE(*(*keys)->reload_if_changed()) << "nothing has changed";
  file.write(file_of(entry("alice", "sk-alice-new") + "," + entry("bob", "sk-bob-12")));
  EXPECT_TRUE(*(*keys)->reload_if_changed());
  EXPECT_EQ((*keys)->find(with_header("X-Api-Key", "sk-alice-1")), nullptr);
  EXPECT_EQ((*keys)->find(with_header("X-Api-Key", "sk-alice-new")), before) << "who it is stays";
  EXPECT_EQ((*keys)->count(), 2u);
  file.write("{");
  EXPECT_FALSE((*keys)->reload_if_changed().ok());
  EXPECT_FALSE(*(*keys)->reload_if_changed()) << "a broken file is complained of once";
  EXPECT_EQ((*keys)->count(), 2u);
  EXPECT_FALSE((*keys)->reload().ok());
}

TEST(ApiKeys, AFileThatCanNotBeReadIsAnError) {
  EXPECT_FALSE(ApiKeys::open("/nonexistent/keys.json").ok());
  const auto none = ApiKeys::open("");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE((*none)->required());
}

TEST(MinuteAllowance, FillsUpEvenlyAndMayBeOverdrawn) {
  const TimePoint start{};
  const auto at = [start](int64_t ms) { return start + std::chrono::milliseconds(ms); };
  MinuteAllowance allowance;
  EXPECT_EQ(allowance.wait_seconds(1e9, at(0)), 0) << "no limit";
  allowance.set_limit(60, at(0));
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(allowance.wait_seconds(1, at(0)), 0);
    allowance.take(1);
  }
  EXPECT_DOUBLE_EQ(allowance.wait_seconds(1, at(0)), 1);
  EXPECT_DOUBLE_EQ(allowance.wait_seconds(1, at(500)), 0.5);
  EXPECT_EQ(allowance.wait_seconds(1, at(1000)), 0);
  allowance.take(121);  // known afterwards only
  EXPECT_DOUBLE_EQ(allowance.wait_seconds(1, at(1000)), 121);
  EXPECT_EQ(allowance.wait_seconds(60, at(1'000'000)), 0) << "it holds a minute's worth";
  EXPECT_GT(allowance.wait_seconds(61, at(1'000'000)), 0);
}

}  // namespace
}  // namespace hussar
