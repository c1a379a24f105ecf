#include "bench/load_proof.h"

#include <gtest/gtest.h>

namespace hussar {
namespace {

constexpr int64_t kMs = 1'000'000;

// `late` of `all` sends were late by `lateness_ns`, the others not at all.
struct ProofRun {
  ProofFacts facts;
  SelfProof proof;

  ProofRun(int64_t all, int64_t late, int64_t lateness_ns) {
    facts.run_s = 10;
    facts.streams_max = 8;
    for (int64_t i = 0; i < all; ++i) facts.unhindered_lateness_ns.push_back(i < late ? lateness_ns : 0);
    proof.lateness_ns = facts.unhindered_lateness_ns;
  }
  std::string judge() {
    judge_proof(facts, &proof);
    EXPECT_EQ(proof.client_limited, !proof.reason.empty());
    return proof.reason;
  }
};

TEST(LoadProof, AcquitsAPunctualClient) {
  EXPECT_EQ(ProofRun(0, 0, 0).judge(), "");
  EXPECT_EQ(ProofRun(1000, 0, 0).judge(), "");
  EXPECT_EQ(ProofRun(1000, 10, 100 * kMs).judge(), "");  // one in a hundred may be late
  EXPECT_EQ(ProofRun(1000, 1000, kMs).judge(), "");      // all by no more than allowed
  EXPECT_EQ(ProofRun(100, 4, 100 * kMs).judge(), "");    // a hiccup
}

TEST(LoadProof, SeesLateSends) {
  EXPECT_NE(ProofRun(1000, 11, 2 * kMs).judge(), "");
  EXPECT_NE(ProofRun(100, 5, 2 * kMs).judge(), "");
  EXPECT_NE(ProofRun(2, 2, 2 * kMs).judge(), "");
  EXPECT_EQ(ProofRun(1000, 11, 2 * kMs).judge(),
            "1.1 % of the requests were sent over 1.0 ms late: the client or its machine is too busy");
}

TEST(LoadProof, MeasuresLatenessAgainstWhatItDisturbs) {
  ProofRun slow(1000, 100, 4 * kMs);
  slow.facts.reference_ns = 500 * kMs;  // answers of half a second: 5 ms are 1 %
  EXPECT_EQ(slow.judge(), "");
  ProofRun slower(1000, 100, 11 * kMs);
  slower.facts.reference_ns = 60'000 * kMs;  // but never more than 10 ms
  EXPECT_NE(slower.judge(), "");
}

TEST(LoadProof, SeesABusyThread) {
  ProofRun run(100, 0, 0);
  run.proof.cpu_share = 0.9;
  EXPECT_NE(run.judge().find("90.0 % of a core"), std::string::npos);
  ProofRun brief(100, 0, 0);
  brief.facts.run_s = 0.5;
  brief.proof.cpu_share = 0.9;
  EXPECT_EQ(brief.judge(), "");
  ProofRun bursts(100, 0, 0);
  bursts.facts.busy_s_longest = 2;
  EXPECT_EQ(bursts.judge(), "");
  bursts.facts.busy_s_longest = 3;
  EXPECT_NE(bursts.judge().find("for 3 s on end"), std::string::npos);
}

TEST(LoadProof, SeesALateLoop) {
  ProofRun run(100, 0, 0);
  run.proof.loop.timer_delay_counts.assign(20, 0);
  run.proof.loop.timer_delay_counts[12] = 1000;  // below 4.096 ms
  EXPECT_EQ(run.judge(), "");
  run.proof.loop.timer_delay_counts[13] = 10;
  EXPECT_EQ(run.judge(), "");
  run.proof.loop.timer_delay_counts[19] = 1;
  EXPECT_NE(run.judge(), "");
}

TEST(LoadProof, SeesTooFewStreams) {
  ProofRun run(100, 0, 0);
  run.proof.lateness_ns.resize(102, 500 * kMs);
  EXPECT_EQ(run.judge(),
            "2.0 % of the requests waited for one of 8 streams: allow more, or ask for fewer at once");
  ProofRun unsent(100, 0, 0);
  unsent.facts.held_up_at_end = true;
  EXPECT_EQ(
      unsent.judge(),
      "requests that were due waited in vain for one of 8 streams: allow more, or ask for fewer at once");
}

TEST(LoadProof, TakesOneRunsShareOfTheClientsStatistics) {
  LoopStats before, after;
  before.timer_delay_counts = {5, 0, 1};
  before.timer_delay_max_ns = 9000;
  before.thread_cpu_ns = 10;
  before.run_ns = 100;
  after.timer_delay_counts = {7, 3, 1, 0};
  after.timer_delay_max_ns = 9000;
  after.thread_cpu_ns = 15;
  after.run_ns = 300;
  LoopStats run = loop_stats_between(before, after);
  EXPECT_EQ(run.timer_delay_counts, (std::vector<uint64_t>{2, 3, 0, 0}));
  EXPECT_EQ(run.timer_delay_max_ns, 2000);  // the end of the bucket that holds the greatest delay
  EXPECT_EQ(run.thread_cpu_ns, 5);
  EXPECT_EQ(run.run_ns, 200);
  after.timer_delay_counts = {7, 3, 1, 2};
  after.timer_delay_max_ns = 13'000;
  run = loop_stats_between(before, after);
  EXPECT_EQ(run.timer_delay_max_ns, 13'000);
  EXPECT_EQ(loop_stats_between(after, after).timer_delay_max_ns, 0);
}

}  // namespace
}  // namespace hussar
