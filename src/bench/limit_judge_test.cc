#include "bench/limit_judge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/random.h"

namespace hussar {
namespace {

// The binomial by adding up, in long doubles and from the largest term on: nothing of the code under test.
long double brute_cdf(int64_t k, int64_t n, long double q) {
  long double sum = 0;
  for (int64_t i = 0; i <= k; ++i) {
    const long double log_term =
        lgammal(n + 1) - lgammal(i + 1) - lgammal(n - i + 1) + i * logl(q) + (n - i) * log1pl(-q);
    sum += expl(log_term);
  }
  return sum;
}

TEST(LimitJudgeTest, AllowedOversAreTheBinomials) {
  for (const double q : {0.5, 0.1, 0.05, 0.01, 0.001}) {
    for (const double alpha : {0.05, 0.01, 0.05 / 64}) {
      for (const int64_t n : {1, 8, 50, 299, 473, 1000, 5000}) {
        const int64_t allowed = over_max(n, q, alpha);
        // Of -1 it is 0.
        EXPECT_LE(brute_cdf(allowed, n, q), alpha) << n << " " << q << " " << alpha;
        EXPECT_GT(brute_cdf(allowed + 1, n, q), alpha) << n << " " << q << " " << alpha;
      }
    }
  }
  EXPECT_EQ(over_max(298, 0.01, 0.05), -1);
  EXPECT_EQ(over_max(299, 0.01, 0.05), 0);
  EXPECT_EQ(over_max(473, 0.01, 0.05), 1);
}

TEST(LimitJudgeTest, TheFewestSamplesAreThoseWithNoneAbove) {
  for (const double q : {0.5, 0.1, 0.01, 0.001}) {
    for (const double alpha : {0.05, 0.025, 0.001}) {
      const int64_t n = samples_min(q, alpha);
      EXPECT_GE(over_max(n, q, alpha), 0);
      EXPECT_EQ(over_max(n - 1, q, alpha), -1);
    }
  }
}

TEST(LimitJudgeTest, WhatShowsMissedIsTheUpperTail) {
  for (const double q : {0.5, 0.1, 0.01}) {
    for (const int64_t n : {8, 64, 500}) {
      for (int64_t over = 0; over <= std::min<int64_t>(n, 60); ++over) {
        const long double tail = over == 0 ? 1 : 1 - brute_cdf(over - 1, n, q);
        if (std::abs(static_cast<double>(tail) - 0.01) < 1e-9) continue;
        EXPECT_EQ(shows_missed(over, n, q, 0.01), tail <= 0.01) << over << " of " << n << " at " << q;
      }
    }
  }
}

RequestRecord answer(int64_t index, double ttft_ms, double gap_ms = 1, int32_t tokens = 3) {
  RequestRecord record;
  record.index = index;
  record.outcome = Outcome::kOk;
  record.scheduled_ns = index * 10'000'000;
  record.first_token_ns = record.scheduled_ns + static_cast<int64_t>(ttft_ms * 1e6);
  record.output_tokens = tokens;
  for (int32_t i = 0; i < tokens; ++i) {
    record.chunks.push_back({record.first_token_ns + static_cast<int64_t>(i * gap_ms * 1e6), 1});
  }
  record.last_token_ns = record.chunks.back().at_ns;
  return record;
}
RequestRecord failure(int64_t index) {
  RequestRecord record;
  record.index = index;
  record.outcome = Outcome::kHttp5xx;
  record.scheduled_ns = index * 10'000'000;
  return record;
}

SloSpec slo_of(const char* text) { return SloSpec::parse(text).value(); }

// Adds samples until it is decided; how many that took.
template <typename Make>
int64_t run(SloJudge* judge, int64_t samples_max, Make make) {
  for (int64_t i = 0; i < samples_max; ++i) {
    judge->add(make(i));
    if (judge->verdict() != Verdict::kUndecided) return i + 1;
  }
  return samples_max;
}

TEST(LimitJudgeTest, GoodAnswersAreShownToMeetAtTheFirstLook) {
  SloJudge judge(slo_of("ttft_p99=100ms"), {});
  const int64_t took = run(&judge, 10'000, [](int64_t i) { return answer(i, 50); });
  EXPECT_EQ(judge.verdict(), Verdict::kMet);
  EXPECT_EQ(took, samples_min(0.01, 0.025));
  EXPECT_EQ(judge.reason(), "");
  EXPECT_EQ(judge.terms()[0].over_max, 0);
}

TEST(LimitJudgeTest, BadAnswersAreShownToMissSoon) {
  SloJudge judge(slo_of("ttft_p99=100ms"), {});
  EXPECT_EQ(run(&judge, 10'000, [](int64_t i) { return answer(i, 150); }), 8);
  EXPECT_EQ(judge.verdict(), Verdict::kMissed);
  EXPECT_NE(judge.reason().find("8 of 8 above"), std::string::npos) << judge.reason();
}

TEST(LimitJudgeTest, JustEnoughTimeIsNotAboveTheLimit) {
  SloJudge judge(slo_of("ttft_p90=100ms"), {});
  run(&judge, 1000, [](int64_t i) { return answer(i, 100); });
  EXPECT_EQ(judge.verdict(), Verdict::kMet);
}

TEST(LimitJudgeTest, EachMetricIsTakenFromItsOwnTimes) {
  struct Case {
    const char* slo;
    RequestRecord good, bad;
  };
  const Case cases[] = {
      {"tpot_p90=20ms", answer(0, 500, 10), answer(0, 5, 30)},
      {"itl_p90=20ms", answer(0, 500, 10), answer(0, 5, 30)},
      {"e2e_p90=100ms", answer(0, 50, 10), answer(0, 50, 30)},
      {"error=10%", answer(0, 500, 100), failure(0)},
  };
  for (const Case& each : cases) {
    for (const bool good : {true, false}) {
      SloJudge judge(slo_of(each.slo), {});
      run(&judge, 1000, [&](int64_t i) {
        RequestRecord record = good ? each.good : each.bad;
        record.index = i;
        return record;
      });
      EXPECT_EQ(judge.verdict(), good ? Verdict::kMet : Verdict::kMissed) << each.slo;
    }
  }
}

TEST(LimitJudgeTest, GapsCountAsAsManySamplesAsThereAreAnswers) {
  // 100 gaps an answer, one of them long: a hundredth of all gaps, but each answer is one sample.
  SloJudge judge(slo_of("itl_p90=20ms"), {});
  const int64_t took = run(&judge, 1000, [](int64_t i) {
    RequestRecord record = answer(i, 5, 10, 101);
    for (size_t k = 50; k < record.chunks.size(); ++k) record.chunks[k].at_ns += 90'000'000;
    return record;
  });
  EXPECT_EQ(judge.verdict(), Verdict::kMet);
  EXPECT_EQ(judge.terms()[0].samples, took);
  EXPECT_EQ(judge.terms()[0].over, (took + 99) / 100);
}

TEST(LimitJudgeTest, ErrorsAreNoLatenciesAndCancelledOnesNothing) {
  SloJudge judge(slo_of("ttft_p50=100ms,error=50%"), {});
  for (int64_t i = 0; i < 6; ++i) {
    RequestRecord record = i < 2 ? answer(i, 50) : failure(i);
    if (i == 5) record.outcome = Outcome::kCancelled;
    if (i == 4) record.outcome = Outcome::kUnfinished;
    judge.add(record);
  }
  EXPECT_EQ(judge.terms()[0].samples, 2);
  EXPECT_EQ(judge.terms()[1].samples, 4);
  EXPECT_EQ(judge.terms()[1].over, 2);
}

TEST(LimitJudgeTest, TheWarmUpIsNoSample) {
  SloJudge judge(slo_of("ttft_p50=100ms"), {});
  for (int64_t i = 0; i < 20; ++i) {
    RequestRecord record = answer(i, 5000);
    record.stage = -1;
    judge.add(record);
  }
  EXPECT_EQ(judge.terms()[0].samples, 0);
  EXPECT_EQ(judge.verdict(), Verdict::kUndecided);
  EXPECT_NE(judge.reason().find("no sample"), std::string::npos);
}

TEST(LimitJudgeTest, QuickAnswersDoNotComeFirst) {
  // The answers to the odd ones come at once, the even ones never within the limit but later.
  SloJudge judge(slo_of("ttft_p90=100ms"), {});
  for (int64_t i = 1; i < 1000; i += 2) judge.add(answer(i, 5));
  EXPECT_EQ(judge.terms()[0].samples, 0);
  for (int64_t i = 0; i < 1000; i += 2) judge.add(answer(i, 5000));
  EXPECT_EQ(judge.verdict(), Verdict::kMissed);
}

TEST(LimitJudgeTest, AGrowingQueueIsNotMet) {
  // Latency grows by 1 ms a request: the first hundred look fine.
  SloJudge judge(slo_of("ttft_p50=100ms"), {.seconds_min = 1.5});
  run(&judge, 400, [](int64_t i) { return answer(i, static_cast<double>(i)); });
  EXPECT_EQ(judge.verdict(), Verdict::kMissed);
  // So do the first 150 of these; at 1.5 s the later half does not, though less than half of all is above.
  SloJudge halves(slo_of("ttft_p50=100ms"), {.seconds_min = 1.5});
  run(&halves, 153, [](int64_t i) { return answer(i, i < 92 ? 1 : 200); });
  EXPECT_EQ(halves.verdict(), Verdict::kUndecided);
  EXPECT_FALSE(halves.keeps());
}

TEST(LimitJudgeTest, NothingIsMetBeforeItsTime) {
  SloJudge judge(slo_of("ttft_p50=100ms"), {.seconds_min = 3});
  EXPECT_EQ(run(&judge, 1000, [](int64_t i) { return answer(i, 5); }), 301);  // 10 ms apart
  EXPECT_EQ(judge.verdict(), Verdict::kMet);
}

TEST(LimitJudgeTest, ADecisionStays) {
  SloJudge judge(slo_of("ttft_p90=100ms"), {});
  const int64_t took = run(&judge, 1000, [](int64_t i) { return answer(i, 5); });
  for (int64_t i = took; i < took + 500; ++i) judge.add(answer(i, 5000));
  EXPECT_EQ(judge.verdict(), Verdict::kMet);
  EXPECT_EQ(judge.terms()[0].samples, took);
}

// However often it looks, a server that is exactly at the limit is called met, or missed, at most as often as
// alpha says.
TEST(LimitJudgeTest, LookingAgainAndAgainKeepsTheConfidence) {
  const uint64_t seed = 20;
  const int runs = 3000;
  const double confidence = 0.9, q = 0.1;
  Random random(seed);
  int met = 0, missed = 0;
  for (int i = 0; i < runs; ++i) {
    SloJudge judge(slo_of("ttft_p90=100ms"), {.confidence = confidence});
    run(&judge, 3000, [&](int64_t k) { return answer(k, random.uniform() < q ? 200 : 5, 1, 2); });
    met += judge.verdict() == Verdict::kMet;
    missed += judge.verdict() == Verdict::kMissed;
  }
  const double alpha = 1 - confidence;
  const double slack = 4 * std::sqrt(alpha * (1 - alpha) / runs);
  EXPECT_LE(static_cast<double>(met) / runs, alpha + slack) << "seed " << seed;
  EXPECT_LE(static_cast<double>(missed) / runs, alpha + slack) << "seed " << seed;
}

// Clearly better or worse than the limit is shown nearly always.
TEST(LimitJudgeTest, ClearCasesAreDecided) {
  const uint64_t seed = 21;
  Random random(seed);
  for (const double q : {0.02, 0.3}) {
    int right = 0;
    for (int i = 0; i < 300; ++i) {
      SloJudge judge(slo_of("ttft_p90=100ms"), {});
      run(&judge, 2000, [&](int64_t k) { return answer(k, random.uniform() < q ? 200 : 5, 1, 2); });
      right += judge.verdict() == (q < 0.1 ? Verdict::kMet : Verdict::kMissed);
    }
    // Wrong, or undecided, with at most alpha and a little: 300 runs, 5 %, five standard deviations.
    EXPECT_GE(right, 300 * 0.95 - 5 * std::sqrt(300 * 0.05 * 0.95)) << "seed " << seed << ", q " << q;
  }
}

TEST(LimitJudgeTest, ARunThatHasEndedIsJudgedByOneLook) {
  std::vector<RequestRecord> records;
  for (int64_t i = 0; i < 299; ++i) records.push_back(answer(i, 5));
  const SloSpec slo = slo_of("ttft_p99=100ms,error=50%,tpot_p50=1us");
  auto states = judge_records(records, slo, 0.95);
  ASSERT_EQ(states.size(), 3u);
  EXPECT_EQ(states[0].verdict, Verdict::kMet);
  EXPECT_EQ(states[0].samples, 299);
  EXPECT_EQ(states[0].over_max, 0);
  EXPECT_EQ(states[1].verdict, Verdict::kMet);
  EXPECT_EQ(states[2].verdict, Verdict::kMissed);
  EXPECT_EQ(states[2].over, 299);
  records.pop_back();
  states = judge_records(records, slo, 0.95);
  EXPECT_EQ(states[0].verdict, Verdict::kUndecided);
  EXPECT_EQ(judge_records({}, slo, 0.95)[0].verdict, Verdict::kUndecided);
}

TEST(LimitJudgeTest, SeveralTermsMustAllBeMet) {
  SloJudge judge(slo_of("ttft_p50=100ms,e2e_p99=1s"), {});
  const int64_t took = run(&judge, 1000, [](int64_t i) { return answer(i, 5); });
  EXPECT_EQ(judge.verdict(), Verdict::kMet);
  EXPECT_EQ(took, samples_min(0.01, 0.025));  // what the stricter one needs
}

}  // namespace
}  // namespace hussar
