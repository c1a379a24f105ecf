#include "hub/retry.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/types.h"

namespace hussar {
namespace {

constexpr int64_t kWaitMsMax = 30'000;
constexpr int64_t kSilentMsMax = 2'000;
constexpr std::chrono::milliseconds kSlice(50);

std::string status_text(const FetchReply& reply, TokenUse token) {
  switch (reply.head.status) {
    case 401:
    case 403:
      return token == TokenUse::kGiven
                 ? "the hub refuses the token of --token-file (" + std::to_string(reply.head.status) +
                       "); check that it is valid and may read this repository"
                 : "the hub wants an access token (" + std::to_string(reply.head.status) +
                       "): the repository is private, gated or not there; give one with --token-file";
    case 404:
      return "there is no such repository, revision or file (404); check its name";
    case 429:
      return "the hub says that there are too many requests (429); try again later";
    default:
      return "the hub answers with status " + std::to_string(reply.head.status);
  }
}

}  // namespace

int64_t Backoff::wait_ms(int64_t retry_after_s) {
  const int64_t doublings = std::min<int64_t>(std::max<int64_t>(failures_ - 1, 0), 16);
  const int64_t wait = std::min(policy_.first_wait_ms << doublings, kWaitMsMax);
  // Up to half as long again, so that connections that broke together don't come back together.
  const int64_t chance = static_cast<int64_t>(random_() % static_cast<uint64_t>(wait / 2 + 1));
  return std::max(wait + chance, retry_after_s * 1000);
}

bool wait_before_retry(Backoff* backoff, const FetchReply& reply, const Error& failure, const Note& note,
                       const std::function<bool()>& stopped) {
  const int64_t ms = backoff->wait_ms(reply.head.retry_after_s);
  if (ms >= kSilentMsMax && note)
    note(failure.message + "; asking again in " + std::to_string(ms / 1000) + " s");
  const TimePoint end = Clock::now() + std::chrono::milliseconds(ms);
  while (!stopped()) {
    const auto left = end - Clock::now();
    if (left <= Clock::duration::zero()) return true;
    std::this_thread::sleep_for(std::min<Clock::duration>(left, kSlice));
  }
  return false;
}

bool is_worth_retrying(const FetchReply& reply) {
  switch (reply.end) {
    case FetchEnd::kUnreachable:
    case FetchEnd::kStalled:
    case FetchEnd::kBroken:
      return true;
    case FetchEnd::kDone: {
      const int32_t status = reply.head.status;
      return (status == 408 || status == 429 || status >= 500) && reply.head.retry_after_s <= kRetryAfterMaxS;
    }
    default:
      return false;
  }
}

Error describe_failure(const FetchReply& reply, const std::string& asked, TokenUse token) {
  ErrorCode code = ErrorCode::kIo;
  std::string what;
  switch (reply.end) {
    case FetchEnd::kDone:
      code = reply.head.status == 404 ? ErrorCode::kNotFound : ErrorCode::kIo;
      what = status_text(reply, token);
      break;
    case FetchEnd::kBadUrl:
      code = ErrorCode::kInvalid;
      what = reply.message;
      break;
    case FetchEnd::kUnreachable:
      what = "no connection: " + reply.message;
      break;
    case FetchEnd::kUntrusted:
      what = "its certificate is not trusted: " + reply.message +
             "; where a company's own authority signs, name its file with --ca-file";
      break;
    case FetchEnd::kStalled:
      what = "nothing more came: " + reply.message;
      break;
    case FetchEnd::kStopped:
      code = ErrorCode::kCancelled;
      what = "interrupted";
      break;
    default:
      what = reply.message;
  }
  return {code, asked + ": " + what, ""};
}

}  // namespace hussar
