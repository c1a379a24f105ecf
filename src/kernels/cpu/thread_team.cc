#include "kernels/cpu/thread_team.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <string>
#include <system_error>

#include "base/types.h"

namespace hussar::cpu {
namespace {

constexpr int32_t kSpinUs = 20;
constexpr uint32_t kFlushBits = 0x8040;  // FTZ and DAZ of MXCSR

// The quota of the process's own cgroup (version 2) as a number of processors, rounded up; INT_MAX where
// there is none.
int32_t cgroup_processors() {
  std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "re");
  if (file == nullptr) return INT_MAX;
  long long quota_us = 0, period_us = 0;
  const int fields = std::fscanf(file, "%lld %lld", &quota_us, &period_us);  // "max 100000" reads no field
  std::fclose(file);
  if (fields != 2 || quota_us <= 0 || period_us <= 0) return INT_MAX;
  return static_cast<int32_t>(std::min<long long>((quota_us + period_us - 1) / period_us, INT_MAX));
}

void futex_wait(std::atomic<uint32_t>* word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futex_wake_all(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

int32_t available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int32_t count = 0;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    count = CPU_COUNT(&set);
  } else {
    count = static_cast<int32_t>(std::thread::hardware_concurrency());
  }
  return std::max(1, std::min(count, cgroup_processors()));
}

FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushBits); }
FlushDenormals::~FlushDenormals() { _mm_setcsr(before_); }

// A waiter announces itself before it looks at the value for the last time, and advance() looks for sleepers
// after it changed the value; both in one total order, so that one of them sees the other.
void ThreadTeam::Gate::advance() {
  value_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) futex_wake_all(&value_);
}

void ThreadTeam::Gate::wait_while(uint32_t value, int32_t spin_us) {
  const TimePoint deadline = Clock::now() + std::chrono::microseconds(spin_us);
  while (spin_us > 0) {
    for (int i = 0; i < 16; i++) {
      if (value_.load(std::memory_order_acquire) != value) return;
      _mm_pause();
    }
    if (Clock::now() >= deadline) break;
  }
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (value_.load(std::memory_order_seq_cst) == value) futex_wait(&value_, value);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

Result<std::unique_ptr<ThreadTeam>> ThreadTeam::create(int32_t size) {
  CHECK(size >= 1);
  std::unique_ptr<ThreadTeam> team(new ThreadTeam(size));
  team->threads_.reserve(static_cast<size_t>(size - 1));
  for (int32_t member = 1; member < size; member++) {
    try {
      team->threads_.emplace_back([raw = team.get(), member] { raw->work(member); });
    } catch (const std::system_error& error) {
      return Error{ErrorCode::kIo,
                   "can't start thread " + std::to_string(member) + " of " + std::to_string(size) + ": " +
                       error.what(),
                   "threads"};
    }
  }
  return team;
}

// With more members than processors a spinning member would keep the one it waits for from running.
ThreadTeam::ThreadTeam(int32_t size) : size_(size), spin_us_(size <= available_processors() ? kSpinUs : 0) {}

ThreadTeam::~ThreadTeam() {
  job_ = nullptr;
  start_.advance();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run_job(Job job, void* state) {
  const FlushDenormals flush;
  if (size_ > 1) {
    job_ = job;
    state_ = state;
    start_.advance();
  }
  job(state, 0);
  barrier();
}

void ThreadTeam::work(int32_t member) {
  const FlushDenormals flush;
  for (uint32_t seen = 0;; seen++) {
    start_.wait_while(seen, spin_us_);
    if (job_ == nullptr) return;
    job_(state_, member);
    barrier();
  }
}

void ThreadTeam::barrier() {
  if (size_ == 1) return;
  const uint32_t phase = phase_.value();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.advance();
  } else {
    phase_.wait_while(phase, spin_us_);
  }
}

}  // namespace hussar::cpu
