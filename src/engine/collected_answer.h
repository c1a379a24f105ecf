// Test support: what an engine answers to one request.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "engine/request.h"

namespace hussar {

// Collects the events of one request; a second last event, or one after it, fails the test. It must outlive
// the engine.
class CollectedAnswer {
 public:
  EventSink sink() {
    return [this](std::span<const TokenEvent> events) {
      std::lock_guard lock(mutex_);
      ++deliveries_;
      for (const TokenEvent& event : events) {
        EXPECT_FALSE(last_.has_value()) << "an event after the last one";
        if (event.token >= 0) {
          tokens_.push_back(event.token);
          logprobs_.push_back(event.logprob);
        }
        if (event.finish) last_ = event;
      }
      changed_.notify_all();
    };
  }
  TokenEvent wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return last_.has_value(); });
    return *last_;
  }
  void wait_for_tokens(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return tokens_.size() >= count || last_.has_value(); });
  }
  std::vector<TokenId> tokens() {
    std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::vector<float> logprobs() {
    std::lock_guard lock(mutex_);
    return logprobs_;
  }
  int deliveries() {  // calls of the sink
    std::lock_guard lock(mutex_);
    return deliveries_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<TokenId> tokens_;
  std::vector<float> logprobs_;
  std::optional<TokenEvent> last_;
  int deliveries_ = 0;
};

}  // namespace hussar
