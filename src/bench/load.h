// The load generator: sends planned requests in closed or open loop, on one thread, and records what comes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "bench/record.h"
#include "bench/target.h"
#include "net/stream_client.h"

namespace hussar {

struct PlannedRequest {
  std::shared_ptr<const std::string> wire;  // made by Target::wire
  int64_t at_ns = -1;            // open loop: when it should go out, since the start; in rising order
  int64_t cancel_after_ns = -1;  // -1: never; after it was sent
  // By the server's own count; stands in for usage where an answer brings none. -1: not known.
  int32_t prompt_tokens_planned = -1;
  int32_t output_tokens_max =
      -1;  // what the request allows; an answer with more is a mismatch. -1: not known
  bool streamed = true;
  std::string label;
};

// Hands out the requests of a run. Called on the load generator's thread while the clock runs, so it should
// only hand out what is ready; requests that depend on answers are the exception.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  // For the closed loop, `user` counts from 0; for the open loop it is -1. Nothing: this user has no more.
  virtual std::optional<PlannedRequest> next(int32_t user) = 0;
  // Each record as it ends, before its user's next request.
  virtual void finished(const RequestRecord& record) { (void)record; }
};

// Requests in a row; with `repeat`, from the start again (closed loop only).
class ListSource : public RequestSource {
 public:
  explicit ListSource(std::vector<PlannedRequest> requests, bool repeat = false)
      : requests_(std::move(requests)), repeat_(repeat) {}
  std::optional<PlannedRequest> next(int32_t user) override;

 private:
  std::vector<PlannedRequest> requests_;
  bool repeat_;
  size_t at_ = 0;
};

// Zero or less: no limit. How long to wait for each; the one that ends first names the outcome.
struct LoadTimeouts {
  int64_t connect_ms = 10'000;
  int64_t first_token_ms = 120'000;  // from sending; streams only
  int64_t stall_ms = 60'000;         // between two chunks of text
  int64_t total_ms = 600'000;
};

struct ClosedStage {
  int32_t users = 1;
  double seconds = 0;  // 0: until the source is empty. It ends earlier when none of its users has more to do
};

struct LoadShape {
  enum class Kind { kClosed, kOpen };
  Kind kind = Kind::kClosed;
  std::vector<ClosedStage> stages;          // closed loop; at least one
  double think_s_min = 0, think_s_max = 0;  // closed loop: uniform, before each request but a user's first
  // Closed loop: those users whom a stage adds start evenly over so long, but never longer than the stage.
  double ramp_s = 0;
  // Closed loop: a user who met an error waits at least so long, else a server that refuses at once would be
  // hit by every user in a tight circle. Retry-After is noted, not obeyed.
  double error_pause_s = 0.1;
  std::vector<double>
      open_stage_ends_s;  // open loop: where stages end; what comes after the last is not sent
  // What is scheduled earlier has stage -1. Warm-up is a part of the stages, not added to them.
  double warmup_s = 0;
  int64_t warmup_requests = 0;  // the first so many have stage -1
  int64_t requests_max = 0;     // 0: no limit; warm-up not counted
  double drain_s_max = 60;      // how long to wait for answers after the last request was sent
  int32_t streams_max = 4096;   // open loop: what is due beyond waits, and its lateness shows
  uint64_t seed = 0;            // think times
};

// How well the client kept its own promises; load_proof.h says what makes it the bottleneck.
struct SelfProof {
  std::vector<int64_t> lateness_ns;  // sent - scheduled, of every request
  double cpu_share = 0;              // of one core, of the client's thread
  LoopStats loop;
  bool client_limited = false;
  std::string reason;  // one line where client_limited
};

struct RunLog {
  std::vector<RequestRecord> records;  // in the order of sending
  TimePoint started{};                 // what all times count from
  double started_unix_s = 0;
  int64_t steady_begin_ns = 0;  // the steady window: from the end of the warm-up ...
  int64_t steady_end_ns =
      0;               // ... to the end of the last stage, or to when the first user found nothing to do
  int64_t end_ns = 0;  // the last answer ended
  bool interrupted = false;
  SelfProof proof;
};

// What a display needs, a few times a second, on the load generator's thread.
struct RunProgress {
  int64_t elapsed_ns = 0;
  double seconds_left = -1;  // -1: unknown
  int64_t sent = 0, running = 0, ok = 0, errors = 0;
  int64_t output_chunks = 0;
  double ttft_p50_ms = -1, ttft_p99_ms = -1, e2e_p50_ms = -1, e2e_p99_ms = -1;  // of what ended so far
};

struct LoadOptions {
  LoadTimeouts timeouts;
  bool keep_text = false;
  std::function<void(const RunProgress&)> on_progress;  // may be empty
  std::function<void(const RequestRecord&)> on_record;  // may be empty
};

// Blocks until the run has ended. `stop` set by another thread ends it early: running requests become
// kUnfinished. A server that can't be reached is no error of the run: its records say so.
RunLog run_load(Target& target, RequestSource& source, const LoadShape& shape, const LoadOptions& options,
                const std::atomic<bool>& stop);

}  // namespace hussar
