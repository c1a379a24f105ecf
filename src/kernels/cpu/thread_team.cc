#include "kernels/cpu/thread_team.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <string>
#include <system_error>

#include "base/processors.h"
#include "base/types.h"

namespace hussar::cpu {
namespace {

constexpr int32_t kSpinUs = 20;
constexpr int64_t kLineBytes = 64;
constexpr uint32_t kFlushBits = 0x8040;  // FTZ and DAZ of MXCSR

struct Ahead {
  const uint8_t *at = nullptr, *end = nullptr;
};
thread_local Ahead ahead;

void futex_wait(std::atomic<uint32_t>* word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futex_wake_all(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

int32_t available_processors() {
  const auto allowed = static_cast<int32_t>(allowed_processors().size());
  const int32_t count = allowed > 0 ? allowed : static_cast<int32_t>(std::thread::hardware_concurrency());
  return within_grant(count, granted_processors());
}

int32_t available_cores() {
  const std::vector<int32_t> allowed = allowed_processors();
  return allowed.empty() ? available_processors() : within_grant(count_cores(allowed), granted_processors());
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
      if (ahead.at >= ahead.end) {
        _mm_pause();
        continue;
      }
      _mm_prefetch(ahead.at, _MM_HINT_T1);
      ahead.at += kLineBytes;
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

void ThreadTeam::prefetch_while_waiting(const uint8_t* begin, const uint8_t* end) { ahead = {begin, end}; }

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
