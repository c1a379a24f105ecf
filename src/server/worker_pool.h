// A few threads that work off a bounded queue of tasks.
#pragma once

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/log.h"
#include "base/priority.h"

namespace hussar {

class WorkerPool {
 public:
  enum class Priority { kNormal, kWhenIdle };

  WorkerPool(int64_t threads, int64_t queue_max, Priority priority = Priority::kNormal)
      : queue_(static_cast<size_t>(queue_max)) {
    for (int64_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this, priority] {
        if (priority == Priority::kWhenIdle) run_when_idle();
        std::function<void()> task;
        while (queue_.pop(&task)) {
          run(task);
          task = nullptr;  // what it holds must not wait for the next one
        }
      });
    }
  }
  ~WorkerPool() { stop(); }

  // False when the queue is full or the pool has stopped. Any thread.
  [[nodiscard]] bool post(std::function<void()> task) { return queue_.try_push(std::move(task)); }

  // Works off what is queued and joins. Not from a task.
  void stop() {
    queue_.close();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  // Nothing of ours throws, but memory may end in the middle of a request: that ends the request, not the
  // process.
  static void run(const std::function<void()>& task) {
    try {
      task();
    } catch (const std::exception& error) {
      log_line(LogLevel::kError, "a request failed", {{"error", error.what()}});
    }
  }

  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace hussar
