// A few threads that work off a bounded queue of tasks.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"

namespace hussar {

class WorkerPool {
 public:
  WorkerPool(int64_t threads, int64_t queue_max) : queue_(static_cast<size_t>(queue_max)) {
    for (int64_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        std::function<void()> task;
        while (queue_.pop(&task)) {
          task();
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
  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace hussar
