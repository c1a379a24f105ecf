// Inside net: one thread that waits for sockets and for points in time. Not for servers of many handlers (see
// http_server.h) but where punctuality is the purpose: nothing stands between the system's wake-up and the
// handler, and a timed task waits for one socket's handler at most.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace hussar {

// Something with a file descriptor. `events` are those of epoll(7).
class Watched {
 public:
  virtual ~Watched() = default;
  virtual void on_ready(uint32_t events) = 0;
};

// How late timed tasks ran, by the later of the time asked for and the time of asking.
struct TimerDelays {
  // Bucket i counts delays in [2^(i-1), 2^i) microseconds, bucket 0 those below one.
  std::vector<uint64_t> counts;
  int64_t max_ns = 0;

  void add(int64_t delay_ns);
};

// Not thread-safe but for post() and stop(); everything else belongs to the thread in run(), or to its
// creator while none is.
class EventLoop {
 public:
  // Errors: kIo, when the process has no file descriptors left.
  static Result<std::unique_ptr<EventLoop>> create();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Level-triggered: on_ready comes as long as an event holds. Errors: kIo.
  Result<void> watch(int fd, uint32_t events, Watched* watched);
  void change(int fd, uint32_t events, Watched* watched);
  // No event of `watched` comes any more. REQUIRES: `fd` is still open.
  void unwatch(int fd, Watched* watched);
  // Destroys `object` when no handler that might be running is on the stack any more.
  void retire(std::shared_ptr<void> object);

  // Runs `task` at `at`, or soon when that has passed; tasks of one time in the order of the calls.
  void call_at(TimePoint at, std::function<void()> task);
  // Runs `task` as soon as the handler or task that runs now has returned.
  void defer(std::function<void()> task) { deferred_.push_back(std::move(task)); }
  void post(std::function<void()> task);  // any thread

  // A handler that has read the clock says so, and timed tasks that have come due need not wait for the
  // other handlers.
  void saw(TimePoint now) { now_ = now; }

  void
  run();  // until stop(); can run again. A stop() that came while nothing ran ends the next run() at once
  void stop();  // any thread

  const TimerDelays& timer_delays() const { return delays_; }
  // Of the thread in run(), over all runs up to now.
  int64_t cpu_ns() const;
  int64_t run_ns() const;

 private:
  struct Timer {
    TimePoint at;
    uint64_t order;
    TimePoint asked;
    std::function<void()> task;
  };
  struct Ready;  // epoll's events of one turn

  EventLoop(int epoll_fd, int timer_fd, int wake_fd);
  static bool later(const Timer& a, const Timer& b);
  void turn();
  void run_timers();
  void run_deferred();
  void run_posted();
  void arm();

  const int epoll_fd_, timer_fd_, wake_fd_;
  std::vector<Timer> timers_;  // a heap, the earliest in front
  uint64_t timer_order_ = 0;
  TimePoint armed_ = TimePoint::max();
  TimePoint now_{};
  std::vector<std::function<void()>> deferred_, running_;
  std::vector<std::shared_ptr<void>> retired_;
  std::unique_ptr<Ready> ready_;
  TimerDelays delays_;
  int64_t cpu_ns_ = 0, run_ns_ = 0;  // of runs that have ended
  int64_t cpu_begin_ns_ = 0;
  TimePoint run_begin_{};
  bool running_now_ = false;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  std::atomic<bool> has_posted_{false}, stopped_{false};
};

}  // namespace hussar
