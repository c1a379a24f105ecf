// When to ask a hub again, and what to say when there is no more use in it.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include "base/result.h"
#include "net/fetch.h"

namespace hussar {

struct RetryPolicy {
  int64_t attempts_max = 8;     // in a row without progress
  int64_t unreachable_max = 3;  // of them, while nothing has been heard of the hub yet
  int64_t first_wait_ms = 500;
};

// Counts the attempts that brought nothing and says how long to wait before the next: twice as long each
// time, at most half a minute, with some chance in it, and never less than the hub asked for.
class Backoff {
 public:
  explicit Backoff(const RetryPolicy& policy) : policy_(policy), random_(std::random_device()()) {}

  void progressed() { failures_ = 0; }
  // False when it was the last one.
  bool may_retry() { return ++failures_ < policy_.attempts_max; }
  int64_t failures() const { return failures_; }
  int64_t wait_ms(int64_t retry_after_s);

 private:
  const RetryPolicy policy_;
  int64_t failures_ = 0;
  std::minstd_rand random_;
};

// A line for people. Called from several threads.
using Note = std::function<void(const std::string&)>;

// Waits as `backoff` says, and says so where that takes a while; false when `stopped` said so before the
// time was over.
bool wait_before_retry(Backoff* backoff, const FetchReply& reply, const Error& failure, const Note& note,
                       const std::function<bool()>& stopped);

// A longer wait than this is not worth it.
constexpr int64_t kRetryAfterMaxS = 120;

// True where asking again may help: the connection broke, the hub is busy (408, 429, 5xx).
bool is_worth_retrying(const FetchReply& reply);

// What went wrong, as one line. REQUIRES: not (kDone with a 2xx status). `asked` is what was asked for and
// where.
enum class TokenUse { kNone, kGiven };
Error describe_failure(const FetchReply& reply, const std::string& asked, TokenUse token);

}  // namespace hussar
