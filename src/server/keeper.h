// A thread that does something every now and then.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace hussar {

// Calls `task` once in each `period` from its construction until its end.
class Keeper {
 public:
  Keeper(std::chrono::milliseconds period, std::function<void()> task)
      : thread_([this, period, run = std::move(task)] {
          std::unique_lock lock(mutex_);
          while (!changed_.wait_for(lock, period, [this] { return stopping_; })) run();
        }) {}
  ~Keeper() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace hussar
