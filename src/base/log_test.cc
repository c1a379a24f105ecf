#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <regex>
#include <thread>
#include <vector>

#include "base/json.h"

namespace hussar {
namespace {

std::string logged(LogFormat format, const std::function<void()>& write) {
  configure_log(LogLevel::kInfo, format);
  testing::internal::CaptureStderr();
  write();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesTextWithFields) {
  const std::string line = logged(LogFormat::kText, [] {
    log_line(LogLevel::kWarning, "slow {} %s request",
             {{"path", "/v1"}, {"why", "a b=\"c\""}, {"empty", ""}});
  });
  EXPECT_TRUE(std::regex_match(
      line, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning slow \{\} %s request )"
                       R"re(path=/v1 why="a b=\\"c\\""\n)re")))
      << line;
}

TEST(Log, AForeignStringCannotForgeALineOrObeyATerminal) {
  const std::string line = logged(LogFormat::kText, [] {
    log_line(LogLevel::kInfo, "a\nb\x1B[2J\x7F\xC2\x9B\xFF",
             {{"k\n", "v\r\nv \x1B"}, {"name", "\xE4\xBD\xA0"}});
  });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  for (const char* bad : {"\x1B", "\x7F", "\xC2\x9B", "\xFF", "\r"})
    EXPECT_EQ(line.find(bad), std::string::npos);
  EXPECT_NE(line.find("name=\xE4\xBD\xA0"), std::string::npos) << line;
}

TEST(Log, WritesOneJsonObjectALine) {
  const std::string line = logged(LogFormat::kJson, [] {
    log_line(LogLevel::kError, "a \"quoted\"\n{}", {{"field", "x\x01"}});
  });
  const auto parsed = parse_json(line, {});
  ASSERT_TRUE(parsed.ok()) << line;
  EXPECT_EQ(*parsed->find("message")->as_string(), "a \"quoted\"\n{}");
  EXPECT_EQ(*parsed->find("level")->as_string(), "error");
  EXPECT_EQ(*parsed->find("field")->as_string(), "x\x01");
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(Log, LevelsBelowTheChosenOneAreSilent) {
  EXPECT_EQ(logged(LogFormat::kText, [] { log_line(LogLevel::kDebug, "hidden"); }), "");
}

TEST(Log, LinesOfSeveralThreadsStayWhole) {
  const std::string text = logged(LogFormat::kJson, [] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 100; ++i) log_line(LogLevel::kInfo, "line", {{"n", std::to_string(i)}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  size_t begin = 0, count = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1, ++count) {
    ASSERT_TRUE(parse_json(std::string_view(text).substr(begin, end - begin), {}).ok());
  }
  EXPECT_EQ(count, 400u);
}

}  // namespace
}  // namespace hussar
