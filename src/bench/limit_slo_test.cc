#include "bench/limit_slo.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(LimitSloTest, ReadsTermsWithUnits) {
  const auto slo = SloSpec::parse("ttft_p99=500ms,tpot_p99.9=0.05s,itl_p999=80000us,e2e_p50=2s,error=0.1%");
  ASSERT_TRUE(slo.ok()) << slo.error().message;
  ASSERT_EQ(slo->terms.size(), 5u);
  EXPECT_EQ(slo->terms[0].metric, SloMetric::kTtft);
  EXPECT_DOUBLE_EQ(slo->terms[0].over_fraction, 0.01);
  EXPECT_DOUBLE_EQ(slo->terms[0].limit_ms, 500);
  EXPECT_DOUBLE_EQ(slo->terms[1].over_fraction, 0.001);
  EXPECT_DOUBLE_EQ(slo->terms[1].limit_ms, 50);
  EXPECT_DOUBLE_EQ(slo->terms[2].over_fraction, 0.001);
  EXPECT_DOUBLE_EQ(slo->terms[2].limit_ms, 80);
  EXPECT_DOUBLE_EQ(slo->terms[3].over_fraction, 0.5);
  EXPECT_DOUBLE_EQ(slo->terms[4].over_fraction, 0.001);
  EXPECT_TRUE(slo->has(SloMetric::kError));
  EXPECT_EQ(slo->text(), "ttft_p99=500ms,tpot_p99.9=50ms,itl_p99.9=80ms,e2e_p50=2000ms,error=0.1%");
  EXPECT_EQ(SloSpec::parse(slo->text())->text(), slo->text());
}

TEST(LimitSloTest, OneRequestMustKeepTheStrictestLimits) {
  const auto slo = SloSpec::parse("ttft_p50=100ms,ttft_p99=500ms,error=1%");
  ASSERT_TRUE(slo.ok());
  const Slo each = slo->each_request();
  EXPECT_EQ(each.ttft_ms, 100);
  EXPECT_LT(each.e2e_ms, 0);
}

struct BadCase {
  const char* text;
  const char* says;
};

TEST(LimitSloTest, SaysWhatIsWrong) {
  const BadCase cases[] = {
      {"", "no '='"},
      {"ttft_p99", "no '='"},
      {"ttft_p99=500ms,", "'': it has no '='"},
      {"ttft=500ms", "needs a percentile"},
      {"ttft_99=500ms", "needs a percentile"},
      {"ttft_=500ms", "needs a percentile"},
      {"speed_p99=500ms", "the metrics are"},
      {"TTFT_p99=500ms", "the metrics are"},
      {"=500ms", "the metrics are"},
      {"ttft_p0=500ms", "a percentile is"},
      {"ttft_p=500ms", "a percentile is"},
      {"ttft_p100=500ms", "a percentile is"},
      {"ttft_p99x=500ms", "a percentile is"},
      {"ttft_p99.99999999=500ms", "a percentile is"},
      {"ttft_p-9=500ms", "a percentile is"},
      {"ttft_p99=500", "with its unit"},
      {"ttft_p99=ms", "with its unit"},
      {"ttft_p99=-5ms", "with its unit"},
      {"ttft_p99=0ms", "with its unit"},
      {"ttft_p99=nanms", "with its unit"},
      {"ttft_p99=2h", "with its unit"},
      {"ttft_p99=99999s", "with its unit"},
      {"error=0%", "an error rate is"},
      {"error=100%", "an error rate is"},
      {"error=5ms", "an error rate is"},
      {"error_p99=5%", "the metrics are"},
      {"error=1%,error=2%", "more than once"},
      {"ttft_p99=500ms,ttft_p99=400ms", "more than once"},
      {"ttft_p99=500ms,ttft_p990=400ms", "more than once"},
  };
  for (const BadCase& bad : cases) {
    const auto slo = SloSpec::parse(bad.text);
    ASSERT_FALSE(slo.ok()) << bad.text;
    EXPECT_NE(slo.error().message.find(bad.says), std::string::npos) << slo.error().message;
    EXPECT_NE(slo.error().message.find("ttft_p99=500ms"), std::string::npos);
  }
  std::string many = "ttft_p1=1ms";
  for (int i = 2; i < 30; ++i) many += ",ttft_p" + std::to_string(i) + "=1ms";
  EXPECT_FALSE(SloSpec::parse(many).ok());
}

}  // namespace
}  // namespace hussar
