#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace hussar {

namespace {

constexpr int kEventsMax = 128;

int64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{1'000'000'000} * time.tv_sec + time.tv_nsec;
}

Error system_error(const char* what) {
  const int code = errno;
  std::string message = std::string(what) + ": " + std::generic_category().message(code);
  if (code == EMFILE || code == ENFILE) message += "; allow more open files (ulimit -n)";
  return {ErrorCode::kIo, std::move(message), ""};
}

}  // namespace

void TimerDelays::add(int64_t delay_ns) {
  const size_t bucket = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(delay_ns) / 1000));
  if (counts.size() <= bucket) counts.resize(bucket + 1);
  ++counts[bucket];
  max_ns = std::max(max_ns, delay_ns);
}

struct EventLoop::Ready {
  std::array<epoll_event, kEventsMax> events;
  int begin = 0, end = 0;  // those that still wait for their handler
};

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  const int timer_fd = epoll_fd < 0 ? -1 : timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  const int wake_fd = timer_fd < 0 ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) {
    const Error error = system_error("can't wait for connections");
    if (epoll_fd >= 0) close(epoll_fd);
    if (timer_fd >= 0) close(timer_fd);
    return error;
  }
  std::unique_ptr<EventLoop> loop(new EventLoop(epoll_fd, timer_fd, wake_fd));
  // Edge-triggered, so that neither has to be read: each expiry and each write is an edge.
  RETURN_IF_ERROR(loop->watch(timer_fd, EPOLLIN | EPOLLET, nullptr));
  RETURN_IF_ERROR(loop->watch(wake_fd, EPOLLIN | EPOLLET, nullptr));
  return loop;
}

EventLoop::EventLoop(int epoll_fd, int timer_fd, int wake_fd)
    : epoll_fd_(epoll_fd), timer_fd_(timer_fd), wake_fd_(wake_fd), ready_(std::make_unique<Ready>()) {}

EventLoop::~EventLoop() {
  close(wake_fd_);
  close(timer_fd_);
  close(epoll_fd_);
}

Result<void> EventLoop::watch(int fd, uint32_t events, Watched* watched) {
  epoll_event event{events, {.ptr = watched}};
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return system_error("can't watch a connection");
  return {};
}

void EventLoop::change(int fd, uint32_t events, Watched* watched) {
  epoll_event event{events, {.ptr = watched}};
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::unwatch(int fd, Watched* watched) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = ready_->begin; i < ready_->end; ++i) {
    epoll_event& event = ready_->events[static_cast<size_t>(i)];
    if (event.data.ptr == watched) event.data.ptr = nullptr;
  }
}

void EventLoop::retire(std::shared_ptr<void> object) { retired_.push_back(std::move(object)); }

bool EventLoop::later(const Timer& a, const Timer& b) {
  return a.at != b.at ? a.at > b.at : a.order > b.order;
}

void EventLoop::call_at(TimePoint at, std::function<void()> task) {
  timers_.push_back({at, timer_order_++, Clock::now(), std::move(task)});
  std::push_heap(timers_.begin(), timers_.end(), later);
}

void EventLoop::post(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  posted_.push_back(std::move(task));
  if (has_posted_.exchange(true)) return;
  eventfd_write(wake_fd_, 1);
}

void EventLoop::stop() {
  stopped_ = true;
  eventfd_write(wake_fd_, 1);
}

void EventLoop::run_deferred() {
  // Tasks that defer tasks without end (a call that fails at once and is tried again) must not shut out
  // sockets and stop(): the rest waits for the next turn.
  constexpr int kRoundsMax = 16;
  for (int round = 0; round < kRoundsMax && !deferred_.empty(); ++round) {
    running_.swap(deferred_);
    for (const auto& task : running_) task();
    running_.clear();
  }
}

void EventLoop::run_timers() {
  // Always the earliest first, even among those that are late; but sockets get their turn, too.
  constexpr int kTimersMax = 256;
  for (int ran = 0; ran < kTimersMax && !timers_.empty() && timers_.front().at <= now_ && !stopped_; ++ran) {
    std::pop_heap(timers_.begin(), timers_.end(), later);
    const Timer timer = std::move(timers_.back());
    timers_.pop_back();
    now_ = Clock::now();
    delays_.add((now_ - std::max(timer.at, timer.asked)).count());
    timer.task();
    run_deferred();
  }
}

void EventLoop::run_posted() {
  if (!has_posted_) return;
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard lock(mutex_);
    tasks.swap(posted_);
    has_posted_ = false;
  }
  for (const auto& task : tasks) {
    task();
    run_deferred();
  }
}

void EventLoop::arm() {
  const TimePoint next = timers_.empty() ? TimePoint::max() : timers_.front().at;
  if (next == armed_) return;
  armed_ = next;
  itimerspec when{};  // all zero: disarmed
  if (next != TimePoint::max()) {
    const int64_t ns = std::max<int64_t>(next.time_since_epoch().count(), 1);
    when.it_value = {ns / 1'000'000'000, ns % 1'000'000'000};
  }
  CHECK(timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &when, nullptr) == 0);
}

// One wait and what it brought.
void EventLoop::turn() {
  now_ = Clock::now();
  run_timers();
  run_posted();
  run_deferred();
  std::exchange(retired_, {}).clear();
  if (stopped_) return;
  const bool busy = !deferred_.empty() || (!timers_.empty() && timers_.front().at <= Clock::now());
  if (!busy) arm();
  ready_->begin = 0;
  ready_->end = std::max(0, epoll_wait(epoll_fd_, ready_->events.data(), kEventsMax, busy ? 0 : -1));
  while (ready_->begin < ready_->end) {
    const epoll_event event = ready_->events[static_cast<size_t>(ready_->begin++)];
    if (event.data.ptr == nullptr) continue;
    static_cast<Watched*>(event.data.ptr)->on_ready(event.events);
    run_deferred();
    if (!timers_.empty() && timers_.front().at <= now_) run_timers();
  }
}

void EventLoop::run() {
  run_begin_ = Clock::now();
  cpu_begin_ns_ = thread_cpu_ns();
  running_now_ = true;
  while (!stopped_) turn();
  stopped_ = false;
  cpu_ns_ = cpu_ns();
  run_ns_ = run_ns();
  running_now_ = false;
}

int64_t EventLoop::cpu_ns() const {
  return running_now_ ? cpu_ns_ + thread_cpu_ns() - cpu_begin_ns_ : cpu_ns_;
}

int64_t EventLoop::run_ns() const {
  return running_now_ ? run_ns_ + (Clock::now() - run_begin_).count() : run_ns_;
}

}  // namespace hussar
