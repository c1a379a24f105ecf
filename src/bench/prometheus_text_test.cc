#include "bench/prometheus_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace hussar {
namespace {

std::vector<PrometheusLine> lines_of(std::string_view text) {
  std::vector<PrometheusLine> lines;
  for (PrometheusLine line; next_prometheus_line(&text, &line);) lines.push_back(line);
  return lines;
}

TEST(PrometheusText, ReadsSamplesAndPassesOverTheRest) {
  const auto lines = lines_of(
      "# HELP a What it is\n# TYPE a gauge\na 1\n\nb{x=\"1\",y=\"}\"} 2.5e+03 1700000000000\n"
      "c{x=\"quote \\\" and }\"} +Inf\n  d\t{ }\t-7\r\nlast:one_2 3");
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0].name, "a");
  EXPECT_EQ(lines[0].value, 1);
  EXPECT_EQ(lines[1].labels, "x=\"1\",y=\"}\"");
  EXPECT_EQ(lines[1].value, 2500);
  EXPECT_TRUE(std::isinf(lines[2].value));
  EXPECT_EQ(lines[3].name, "d");
  EXPECT_EQ(lines[3].value, -7);
  EXPECT_EQ(lines[4].name, "last:one_2");
}

TEST(PrometheusText, LeavesBrokenLinesOut) {
  for (const char* text : {"", "a", "a ", "a one", "a 1x", "a{ 1", "a{x=\"} 1", "{} 1", "a{x=\"\\",
                           "<html>1</html>", "a 1e999999 x", "a +", "\xff\xfe 1"}) {
    EXPECT_TRUE(lines_of(text).empty()) << text;
  }
}

TEST(PrometheusText, KnowsThatNanIsANumber) {
  const auto lines = lines_of("a NaN\n");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(std::isnan(lines[0].value));
}

}  // namespace
}  // namespace hussar
