// A persistent team of threads for the kernels. The caller is member 0, so a team of one has no thread of its
// own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace hussar::cpu {

// The processors that this process may use: its affinity mask, limited by the quota of its cgroup and those
// around it. At least 1.
int32_t available_processors();

// The cores of these processors, limited by the same quota: two threads of one core share its arithmetic, so
// that a team with both waits for the slower one. At least 1.
int32_t available_cores();

// While it lives, this thread treats denormal numbers as zero (FTZ, DAZ), so that speed doesn't depend on the
// numbers and every thread computes the same. run() sets it; kernels called outside run() need one of their
// own.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  const uint32_t before_;
};

struct Range {
  int64_t begin;
  int64_t end;
};

// Part `member` of `count` items cut into `size` nearly equal ranges.
constexpr Range split_range(int64_t count, int32_t member, int32_t size) {
  return {count * member / size, count * (member + 1) / size};
}

class ThreadTeam {
 public:
  // Starts size - 1 threads. Errors: kIo when the system refuses a thread. REQUIRES: size >= 1.
  static Result<std::unique_ptr<ThreadTeam>> create(int32_t size);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int32_t size() const { return size_; }

  // Calls fn(member) on every member, 0 .. size - 1, and returns when all have returned; what they wrote is
  // visible to the caller then. Never allocates. REQUIRES: one caller at a time, not from inside a run(); fn
  // doesn't throw.
  template <typename Fn>
  void run(Fn&& fn) {
    using Plain = std::remove_reference_t<Fn>;
    run_job([](void* state, int32_t member) { (*static_cast<Plain*>(state))(member); },
            const_cast<void*>(static_cast<const void*>(&fn)));
  }

  // run() over [0, count) cut into one contiguous range for each member: fn(begin, end), not called for an
  // empty range.
  template <typename Fn>
  void parallel_for(int64_t count, Fn&& fn) {
    run([&](int32_t member) {
      const Range range = split_range(count, member, size_);
      if (range.begin < range.end) fn(range.begin, range.end);
    });
  }

  // Waits until every member has come here; what each wrote before is visible to all after. REQUIRES: inside
  // run(), called by every member.
  void barrier();

  // Memory that the calling member reads next: brought near while it waits for others, here or for the next
  // run(). It replaces what an earlier call has left.
  static void prefetch_while_waiting(const uint8_t* begin, const uint8_t* end);

 private:
  using Job = void (*)(void* state, int32_t member);

  // A counter that threads wait on: spinning for a short time, then asleep in the kernel.
  class Gate {
   public:
    uint32_t value() const { return value_.load(std::memory_order_acquire); }
    void advance();
    void wait_while(uint32_t value, int32_t spin_us);

   private:
    std::atomic<uint32_t> value_{0};
    std::atomic<int32_t> sleepers_{0};
  };

  explicit ThreadTeam(int32_t size);
  void run_job(Job job, void* state);
  void work(int32_t member);

  const int32_t size_;
  const int32_t spin_us_;
  Job job_ = nullptr;  // null tells the threads to end
  void* state_ = nullptr;
  alignas(64) Gate start_;
  alignas(64) Gate phase_;
  alignas(64) std::atomic<int32_t> arrived_{0};
  std::vector<std::thread> threads_;
};

}  // namespace hussar::cpu
