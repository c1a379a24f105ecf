#include "bench/trouble.h"

#include <gtest/gtest.h>

#include <vector>

namespace hussar {
namespace {

constexpr int64_t kS = 1'000'000'000;

// One user more each second, each request taking ten seconds; from `fail_from_s` on they end with `outcome`.
std::vector<RequestRecord> ramp(double fail_from_s, Outcome outcome) {
  std::vector<RequestRecord> records;
  for (int64_t second = 0; second < 20; ++second) {
    RequestRecord record;
    record.sent_ns = second * kS;
    record.end_ns = (second + 10) * kS;
    record.outcome = static_cast<double>(second) + 10 >= fail_from_s ? outcome : Outcome::kOk;
    records.push_back(record);
  }
  return records;
}

// A sample a second; `change` fills in the rest.
std::vector<ServerSample> watch(void (*change)(ServerSample*)) {
  std::vector<ServerSample> samples;
  for (int second = 0; second < 35; ++second) {
    ServerSample sample;
    sample.at_s = second;
    change(&sample);
    samples.push_back(sample);
  }
  return samples;
}

TEST(Trouble, NothingWentWrong) {
  auto records = ramp(99, Outcome::kOk);
  records[3].outcome = Outcome::kCancelled;
  records[4].outcome = Outcome::kUnfinished;
  const Trouble trouble = find_trouble(records, {}, 0);
  EXPECT_EQ(trouble.sign, Trouble::Sign::kNone);
  EXPECT_FALSE(trouble.sentence.en.empty() || trouble.sentence.zh.empty());
}

TEST(Trouble, CountsWhatWasUnderWayAndWhatFailedFromThenOn) {
  auto records = ramp(15, Outcome::kHttp429);
  records[12].outcome = Outcome::kOk;
  const Trouble trouble = find_trouble(records, {}, 0);
  EXPECT_EQ(trouble.sign, Trouble::Sign::kErrors);
  EXPECT_EQ(trouble.at_s, 15);
  EXPECT_EQ(trouble.first_error, Outcome::kHttp429);
  EXPECT_EQ(trouble.in_flight, 11) << "those sent at 5 to 15 s";
  EXPECT_EQ(trouble.ended, 15);
  EXPECT_EQ(trouble.errors, 14);
  EXPECT_EQ(trouble.cause, TroubleCause::kRefused);
  EXPECT_EQ(
      trouble.sentence.en,
      "Errors begin at 15.0 s (http_429) with 11 requests in flight; 14 of the 15 requests that ended from "
      "then on failed; likely cause: the server refused requests, its queue was not to be seen.");
}

TEST(Trouble, FullQueueIsTheCauseOfRefusals) {
  const auto samples = watch([](ServerSample* s) {
    s->waiting = s->at_s;
    s->running = 4;
  });
  const Trouble trouble = find_trouble(ramp(15, Outcome::kHttp5xx), samples, 0);
  EXPECT_EQ(trouble.cause, TroubleCause::kQueueFull);
  EXPECT_EQ(trouble.state.waiting, 17) << "the most within 2.5 s";
  EXPECT_NE(trouble.sentence.en.find("around then: 4 running, 17 waiting;"), std::string::npos)
      << trouble.sentence.en;
}

TEST(Trouble, PreemptionsThatComeBeforeErrorsMeanAFullCache) {
  const auto samples = watch([](ServerSample* s) {
    s->preemptions = s->at_s < 12 ? 3 : 4;  // 3 stood there before
    s->kv_use = 0.9;
  });
  // The watch began two seconds before the run.
  const Trouble trouble = find_trouble(ramp(15, Outcome::kTotalTimeout), samples, -2);
  EXPECT_EQ(trouble.sign, Trouble::Sign::kPreemptions);
  EXPECT_EQ(trouble.at_s, 10);
  EXPECT_EQ(trouble.cause, TroubleCause::kKvCacheFull);
  EXPECT_EQ(trouble.first_error, Outcome::kTotalTimeout);
}

TEST(Trouble, FullKvCache) {
  const auto samples = watch([](ServerSample* s) { s->kv_use = s->at_s / 17; });
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kHttp5xx), samples, 0).cause, TroubleCause::kKvCacheFull);
  EXPECT_EQ(find_trouble(ramp(12, Outcome::kTruncated), samples, 0).cause, TroubleCause::kUnseen);
}

TEST(Trouble, GpuMemoryThatWasFullFromTheBeginningIsNoCause) {
  const auto reserved = watch([](ServerSample* s) {
    s->gpu_memory_total_bytes = 24e9;
    s->gpu_memory_bytes = 23.8e9;
  });
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kHttp5xx), reserved, 0).cause, TroubleCause::kUnseen);
  const auto grown = watch([](ServerSample* s) {
    s->gpu_memory_total_bytes = 24e9;
    s->gpu_memory_bytes = 6e9 + std::min(s->at_s, 15.0) * 1.2e9;
  });
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kHttp5xx), grown, 0).cause, TroubleCause::kGpuMemoryFull);
}

TEST(Trouble, ProcessThatEnded) {
  const auto samples = watch([](ServerSample* s) {
    if (s->at_s < 16) s->resident_bytes = 6e9, s->memory_available_bytes = 1e9;
  });
  const Trouble trouble = find_trouble(ramp(15, Outcome::kConnectFailed), samples, 0);
  EXPECT_EQ(trouble.cause, TroubleCause::kProcessEnded);
  EXPECT_EQ(trouble.state.memory_available_bytes, 1e9);
  // One that was never seen has not ended.
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kConnectFailed), watch([](ServerSample*) {}), 0).cause,
            TroubleCause::kNoConnection);
}

TEST(Trouble, MachineWithoutMemory) {
  const auto samples = watch([](ServerSample* s) {
    s->resident_bytes = 6e9;
    s->memory_available_bytes = s->at_s < 14 ? 2e9 : 0.1e9;
  });
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kStallTimeout), samples, 0).cause, TroubleCause::kMemoryFull);
}

TEST(Trouble, OtherCausesFollowFromTheErrorAlone) {
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kFirstTokenTimeout), {}, 0).cause, TroubleCause::kTooSlow);
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kHttp4xx), {}, 0).cause, TroubleCause::kBadRequests);
  EXPECT_EQ(find_trouble(ramp(15, Outcome::kInBandError), {}, 0).cause, TroubleCause::kUnseen);
}

}  // namespace
}  // namespace hussar
