// Inside the load generator: one run. It sends what its driver wants, watches the limits, and keeps the
// records.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bench/load_call.h"
#include "bench/load_driver.h"
#include "bench/load_progress.h"
#include "bench/load_proof.h"

namespace hussar {

enum class TextUse {
  kNone,
  kUntilCounted,  // kept where the server did not say how many tokens it is
  kKept,
};

// Everything happens on the client's thread, in run(). Timed tasks may outlive the run in the client, but
// hold it weakly.
class LoadRun : public LoadSender, public LoadCallOwner, public std::enable_shared_from_this<LoadRun> {
 public:
  // All outlive run().
  LoadRun(StreamClient* client, RequestSource* source, const LoadShape& shape, const LoadOptions& options,
          TextUse text, const std::atomic<bool>* stop);

  RunLog run();

 private:
  // For the driver.
  int64_t now_ns() const override { return (Clock::now() - start_).count(); }
  void at(int64_t at_ns, std::function<void()> task) override;
  std::optional<PlannedRequest> next(int32_t user) override;
  void send(const PlannedRequest& request, const SendOrder& order) override;
  size_t running() const override { return calls_.size(); }
  void end_steady(int64_t at_ns) override;
  void no_more() override;
  // For the calls.
  void on_deadline(int64_t at_ns) override { deadline_ns_ = std::min(deadline_ns_, at_ns); }
  void on_call_end(LoadCall* call) override;

  void begin();
  bool in_warmup(int64_t scheduled_ns) const;
  RequestRecord* add_record(const PlannedRequest& request, const SendOrder& order);
  void cancel_later(const RequestRecord& record, int64_t after_ns);
  void tick();
  void schedule_tick();
  void end_late(int64_t now_ns);
  void interrupt();
  void expire_calls(int64_t now_ns);
  void give_up_all(const char* why);
  void watch_cpu(int64_t now_ns);
  void show_progress(int64_t now_ns);
  void end_if_idle();
  RunLog make_log();
  ProofFacts proof_facts(const RunLog& log) const;

  StreamClient& client_;
  RequestSource& source_;
  const LoadShape shape_;
  const LoadOptions& options_;
  const TextUse text_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<LoadDriver> driver_;

  TimePoint start_{};
  double started_unix_s_ = 0;
  LoopStats loop_before_;
  std::deque<RequestRecord> records_;                             // a deque: calls point into it
  std::unordered_map<int64_t, std::unique_ptr<LoadCall>> calls_;  // by their record's index
  std::vector<std::unique_ptr<LoadCall>> ended_;  // until the next tick: they may be on the stack
  const int64_t shortest_limit_ns_;
  int64_t deadline_ns_;          // no call runs out of time before
  int64_t counted_ = 0;          // sent behind the warm-up
  int64_t warm_up_end_ns_ = -1;  // when the first of them was due
  int64_t steady_end_ns_;
  int64_t drain_end_ns_ = -1;  // set when nothing is sent any more
  bool sending_over_ = false, interrupted_ = false, over_ = false, held_up_at_end_ = false;
  std::vector<int64_t> unhindered_lateness_ns_;

  ProgressCounts counts_;
  int64_t next_progress_ns_ = 0;
  int64_t cpu_window_begin_ns_ = 0, cpu_window_cpu_ns_ = 0;
  double busy_s_ = 0, busy_s_longest_ = 0;
};

}  // namespace hussar
