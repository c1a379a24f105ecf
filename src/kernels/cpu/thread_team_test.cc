#include "kernels/cpu/thread_team.h"

#include <gtest/gtest.h>
#include <immintrin.h>

#include <chrono>
#include <numeric>
#include <vector>

namespace hussar::cpu {
namespace {

constexpr uint32_t kFlushBits = 0x8040;

std::unique_ptr<ThreadTeam> make_team(int32_t size) {
  auto team = ThreadTeam::create(size);
  EXPECT_TRUE(team.ok());
  return std::move(team).value();
}

TEST(ThreadTeam, RunsEveryMemberOnceAndTheCallerIsTheFirst) {
  for (int32_t size = 1; size <= 5; size++) {
    const auto team = make_team(size);
    EXPECT_EQ(team->size(), size);
    std::vector<int32_t> calls(static_cast<size_t>(size));
    std::vector<std::thread::id> ids(static_cast<size_t>(size));
    team->run([&](int32_t member) {
      calls[static_cast<size_t>(member)]++;
      ids[static_cast<size_t>(member)] = std::this_thread::get_id();
    });
    EXPECT_EQ(ids[0], std::this_thread::get_id());
    for (size_t i = 0; i < calls.size(); i++) {
      EXPECT_EQ(calls[i], 1);
      for (size_t j = 0; j < i; j++) EXPECT_NE(ids[i], ids[j]);
    }
  }
}

TEST(ThreadTeam, ParallelForCoversEachItemOnce) {
  const auto team = make_team(3);
  for (const int64_t count : {0, 1, 2, 3, 4, 100, 101}) {
    std::vector<int32_t> seen(static_cast<size_t>(count));
    team->parallel_for(count, [&](int64_t begin, int64_t end) {
      EXPECT_LT(begin, end);
      for (int64_t i = begin; i < end; i++) seen[static_cast<size_t>(i)]++;
    });
    for (const int32_t times : seen) ASSERT_EQ(times, 1);
  }
}

// What was written before a barrier is seen after it, by plain reads, again and again: a data race shows
// under the thread sanitizer, a lost wake-up as a hang, and a member that runs ahead as a wrong sum.
TEST(ThreadTeam, BarriersOrderPlainMemory) {
  for (int32_t size = 1; size <= 4; size++) {
    const auto team = make_team(size);
    std::vector<int64_t> values(static_cast<size_t>(size));
    constexpr int64_t kRuns = 300, kRounds = 10;
    for (int64_t run = 0; run < kRuns; run++) {
      team->run([&](int32_t member) {
        for (int64_t round = 0; round < kRounds; round++) {
          values[static_cast<size_t>(member)] = run * kRounds + round;
          team->barrier();
          const int64_t sum = std::accumulate(values.begin(), values.end(), int64_t{0});
          EXPECT_EQ(sum, (run * kRounds + round) * size);
          team->barrier();
        }
      });
      for (const int64_t value : values) ASSERT_EQ(value, run * kRounds + kRounds - 1);
    }
  }
}

// Pauses longer than members spin, at every place: they have to sleep and be woken.
TEST(ThreadTeam, WakesMembersThatSleep) {
  const auto team = make_team(3);
  int32_t total = 0;
  std::vector<int32_t> values(3);
  for (int32_t run = 0; run < 20; run++) {
    if (run % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    team->run([&](int32_t member) {
      if (run % 3 == member) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      values[static_cast<size_t>(member)]++;
      team->barrier();
      if ((run + 1) % 3 == member) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    total = std::accumulate(values.begin(), values.end(), 0);
    ASSERT_EQ(total, 3 * (run + 1));
  }
}

TEST(ThreadTeam, ComesAndGoesWithoutWork) {
  for (int32_t i = 0; i < 50; i++) {
    const auto team = make_team(1 + i % 4);
    if (i % 3 == 0) team->run([](int32_t) {});
  }
}

TEST(ThreadTeam, FlushesDenormalsOnEveryMemberAndNowhereElse) {
  const auto team = make_team(3);
  const uint32_t before = _mm_getcsr();
  std::vector<uint32_t> inside(3);
  for (int32_t run = 0; run < 2; run++) {
    team->run([&](int32_t member) { inside[static_cast<size_t>(member)] = _mm_getcsr(); });
    for (const uint32_t bits : inside) EXPECT_EQ(bits & kFlushBits, kFlushBits);
  }
  EXPECT_EQ(_mm_getcsr() & kFlushBits, before & kFlushBits);
  {
    const FlushDenormals flush;
    volatile float tiny = 1e-38f;
    EXPECT_EQ(tiny * 0.1f, 0.0f);
  }
  volatile float tiny = 1e-38f;
  EXPECT_NE(tiny * 0.1f, 0.0f);
}

TEST(ThreadTeam, SplitsEvenly) {
  for (const int64_t count : {0, 1, 7, 64, 1000}) {
    for (int32_t size = 1; size <= 7; size++) {
      int64_t at = 0;
      for (int32_t member = 0; member < size; member++) {
        const Range range = split_range(count, member, size);
        ASSERT_EQ(range.begin, at);
        ASSERT_LE(range.end - range.begin, count / size + 1);
        at = range.end;
      }
      ASSERT_EQ(at, count);
    }
  }
}

TEST(ThreadTeam, KnowsHowManyProcessorsItMayUse) {
  EXPECT_GE(available_processors(), 1);
  EXPECT_LE(available_processors(), static_cast<int32_t>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace hussar::cpu
