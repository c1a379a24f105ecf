// A first-in first-out queue between threads with a hard limit. Any thread may push and pop.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "base/types.h"

namespace hussar {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t count_max) : count_max_(count_max) {}

  // False, and `item` untouched, when the queue is full or closed.
  [[nodiscard]] bool try_push(T&& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= count_max_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify_one();
    return true;
  }

  // Moves everything that is queued to the end of `out` without waiting.
  void drain(std::vector<T>* out) {
    std::lock_guard lock(mutex_);
    for (T& item : items_) out->push_back(std::move(item));
    items_.clear();
  }

  // Waits for an item; false when the queue is closed and empty.
  [[nodiscard]] bool pop(T* out) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !items_.empty(); });
    if (items_.empty()) return false;
    *out = std::move(items_.front());
    items_.pop_front();
    return true;
  }

  // Waits until something is queued, the queue is closed, or `deadline` has come.
  void wait_until(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    ready_.wait_until(lock, deadline, [this] { return closed_ || !items_.empty(); });
  }

  // Nothing can be pushed from now on; what is queued can still be taken.
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

  size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }

 private:
  const size_t count_max_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace hussar
