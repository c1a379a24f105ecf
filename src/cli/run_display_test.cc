#include "cli/run_display.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

TEST(RunDisplayTest, SaysWhatIsKnown) {
  RunProgress progress;
  progress.elapsed_ns = 2'000'000'000;
  progress.sent = 3;
  progress.running = 3;
  EXPECT_EQ(progress_text(progress, RunDisplay::TimeLeft::kKnown), "2 s, 3 sent, 3 running, 0 errors");
  progress.sent = 30;
  progress.ok = 20;
  progress.errors = 1;
  progress.ttft_p50_ms = 41;
  progress.ttft_p99_ms = 120;
  progress.e2e_p50_ms = 1200;
  progress.e2e_p99_ms = 2100;
  progress.seconds_left = 17.4;
  EXPECT_EQ(
      progress_text(progress, RunDisplay::TimeLeft::kAtMost),
      "2 s, 30 sent, 3 running, 1 error, 10.0 answers/s, first token 41.0 ms (p99 120 ms), whole 1200 ms "
      "(p99 2100 ms), at most 18 s left");
}

}  // namespace
}  // namespace hussar
