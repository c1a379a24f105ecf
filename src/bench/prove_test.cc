// What the proof counts is asserted here; what it times is a benchmark.
#include "bench/prove.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

void expect_all_passed(ProvePart part, size_t checks_min) {
  const std::atomic<bool> stop{false};
  const auto checks = prove_part(part, {}, stop);
  ASSERT_TRUE(checks.ok()) << checks.error().message;
  EXPECT_GE(checks->size(), checks_min);
  for (const ProveCheck& check : *checks) {
    EXPECT_TRUE(check.passed) << check.name << ": " << check.measured << ", demanded " << check.demanded;
    EXPECT_EQ(check.part, part);
  }
}

TEST(Prove, EveryShapeOfAnswerIsCountedExactly) { expect_all_passed(ProvePart::kCounts, 12); }

TEST(Prove, EveryFaultIsCountedInItsClass) { expect_all_passed(ProvePart::kFaults, 19); }

TEST(Prove, AFreezeShowsInEveryRequestThatItDelayed) { expect_all_passed(ProvePart::kFreeze, 2); }

TEST(Prove, StopsWhenItIsTold) {
  const std::atomic<bool> stop{true};
  for (const ProvePart part : kProveParts) {
    const auto checks = prove_part(part, {}, stop);
    ASSERT_FALSE(checks.ok()) << prove_part_name(part);
    EXPECT_EQ(checks.error().code, ErrorCode::kCancelled);
  }
}

TEST(Prove, SumsUpOnOneLine) {
  std::vector<ProveCheck> checks = {{ProvePart::kCounts, "tokens", "5", "5", true, false},
                                    {ProvePart::kTiming, "TTFT error", "0.1 ms", "below 0.2 ms", true, true}};
  EXPECT_EQ(prove_summary(checks), "passed 2 checks: TTFT error 0.1 ms");
  checks[0].passed = false;
  EXPECT_EQ(prove_summary(checks), "failed 1 of 2 checks: tokens 5");
}

}  // namespace
}  // namespace hussar
