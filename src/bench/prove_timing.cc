// What is timed: latencies under many streams at once, and those of requests that a frozen server delays.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "bench/format.h"
#include "bench/prove_parts.h"

namespace hussar {

namespace {

constexpr int64_t kNsInS = 1'000'000'000;

constexpr double kErrorMedianMaxMs = 0.2;
constexpr double kErrorP99MaxMs = 1;  // and the machine's own jitter

// Sleeps on a thread of its own until points a millisecond apart, and notes how late it wakes up: what a busy
// machine does to anybody.
class SleepJitter {
 public:
  SleepJitter() : thread_([this] { watch(); }) {}
  std::vector<double> finish() {
    stop_ = true;
    thread_.join();
    return std::move(late_ms_);
  }

 private:
  void watch() {
    TimePoint due = Clock::now();
    while (!stop_) {
      due += std::chrono::milliseconds(1);
      const int64_t ns = due.time_since_epoch().count();
      const timespec when{ns / kNsInS, ns % kNsInS};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
      const TimePoint now = Clock::now();
      late_ms_.push_back(std::chrono::duration<double, std::milli>(now - due).count());
      due = std::max(due, now - std::chrono::milliseconds(1));  // does not catch up on what it slept over
    }
  }

  std::vector<double> late_ms_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Measured and true figures beside each other, and the limits on their differences.
void add_errors(const std::string& name, const std::vector<double>& measured,
                const std::vector<double>& really, const std::vector<double>& due, double jitter_p99_ms,
                std::vector<ProveCheck>* checks) {
  for (const double q : {0.5, 0.99}) {
    ProveCheck shown;
    shown.name = name + " p" + std::to_string(static_cast<int>(q * 100));
    shown.measured = ms_text(quantile_of(measured, q)) + " measured, " + ms_text(quantile_of(really, q)) +
                     " true, " + ms_text(quantile_of(due, q)) + " as planned";
    checks->push_back(shown);
  }
  const auto errors = absolute_differences(measured, really);
  ProveCheck median;
  median.name = name + " error, median";
  median.measured = ms_text(quantile_of(errors, 0.5));
  median.demanded = "below " + ms_text(kErrorMedianMaxMs);
  median.passed = quantile_of(errors, 0.5) < kErrorMedianMaxMs;
  median.in_summary = true;
  checks->push_back(median);
  const double limit_ms = kErrorP99MaxMs + jitter_p99_ms;
  ProveCheck p99;
  p99.name = name + " error, p99";
  p99.measured = ms_text(quantile_of(errors, 0.99));
  p99.demanded = "below " + ms_text(kErrorP99MaxMs) + " and the jitter: " + ms_text(limit_ms);
  p99.passed = quantile_of(errors, 0.99) < limit_ms;
  p99.in_summary = true;
  checks->push_back(p99);
  const auto planned = absolute_differences(measured, due);
  ProveCheck shown;
  shown.name = name + " against the mock's plan, its own lateness in it";
  shown.measured =
      ms_text(quantile_of(planned, 0.5)) + " median, " + ms_text(quantile_of(planned, 0.99)) + " p99";
  checks->push_back(shown);
}

}  // namespace

ProveChecks prove_timing(const ProveOptions& options, const std::atomic<bool>& stop) {
  constexpr double kTokensPerS = 50;
  constexpr int32_t kTokens = 100;
  RehearsalPlan plan;
  plan.mock.ttft = {MockDelay::Kind::kUniform, 50, 30};
  plan.mock.itl = {MockDelay::Kind::kUniform, 1000 / kTokensPerS, 10};
  plan.shape = users_shape(options.streams);
  // A short answer each first, so that connections stand.
  plan.requests.assign(static_cast<size_t>(options.streams), {.tokens = 1});
  const double rounds = std::max(1.0, std::round(options.timing_s * kTokensPerS / kTokens));
  plan.requests.resize(static_cast<size_t>(static_cast<double>(options.streams) * (1 + rounds)),
                       {.tokens = kTokens});
  SleepJitter jitter;
  auto rehearsal = rehearse(plan, stop);
  const std::vector<double> late_ms = jitter.finish();
  if (!rehearsal.ok()) return rehearsal.error();

  const double jitter_p99_ms = quantile_of(late_ms, 0.99);
  const TimePairs pairs = pair_times(rehearsal->log.records, rehearsal->truths);
  std::vector<ProveCheck> checks;
  ProveCheck machine;
  machine.name = "the machine's sleep jitter";
  machine.measured = ms_text(quantile_of(late_ms, 0.5)) + " median, " + ms_text(jitter_p99_ms) + " p99";
  checks.push_back(machine);
  ProveCheck samples;
  samples.name = "streams at once";
  samples.measured = format_count(options.streams) + ", " +
                     format_count(static_cast<int64_t>(pairs.itl_measured_ms.size())) +
                     " gaps, CPU share of the client " + format_percent(rehearsal->log.proof.cpu_share);
  samples.demanded = "gaps of all answers";
  samples.passed = pairs.itl_measured_ms.size() ==
                   static_cast<size_t>(options.streams) * static_cast<size_t>(rounds) * (kTokens - 1);
  checks.push_back(samples);
  add_errors("TTFT", pairs.ttft_measured_ms, pairs.ttft_true_ms, pairs.ttft_due_ms, jitter_p99_ms, &checks);
  add_errors("ITL", pairs.itl_measured_ms, pairs.itl_true_ms, pairs.itl_due_ms, jitter_p99_ms, &checks);
  return checks;
}

ProveChecks prove_freeze(const std::atomic<bool>& stop) {
  constexpr int64_t kRequestsPerS = 100, kSeconds = 4, kFreezeAtMs = 1000, kFreezeMs = 2000;
  RehearsalPlan plan;
  plan.mock.ttft = {MockDelay::Kind::kConstant, 5, 0};
  plan.mock.itl = {MockDelay::Kind::kConstant, 2, 0};
  plan.shape.kind = LoadShape::Kind::kOpen;
  for (int64_t i = 0; i < kRequestsPerS * kSeconds; ++i) {
    plan.requests.push_back({.tokens = 4, .at_ns = i * kNsInS / kRequestsPerS});
  }
  plan.mock.freeze_at_ms = kFreezeAtMs;
  plan.mock.freeze_ms = kFreezeMs;
  ASSIGN_OR_RETURN(const Rehearsal rehearsal, rehearse(plan, stop));
  const int64_t begin_ns = rehearsal.freeze_begin_ns, thaw_ns = rehearsal.freeze_end_ns;
  int64_t delayed = 0, shown = 0, others = 0, ok = 0;
  for (const RequestRecord& record : rehearsal.log.records) {
    if (record.outcome != Outcome::kOk) continue;
    ++ok;
    if (record.scheduled_ns < begin_ns || record.scheduled_ns >= thaw_ns) {
      ++others;
      continue;
    }
    // Whatever the machine does, the server could not answer before the thaw.
    ++delayed;
    if (record.first_token_ns >= thaw_ns) ++shown;
  }
  const int64_t all = kRequestsPerS * kSeconds;
  ProveCheck check;
  check.name = "a freeze of 2 s, in scheduled latency";
  check.measured = format_count(shown) + " requests show the whole wait";
  check.demanded = format_count(delayed) + " that were due meanwhile";
  // The freeze may begin after one request and end before another.
  check.passed = shown == delayed && delayed >= kRequestsPerS * kFreezeMs / 1000 - 1 && ok == all;
  ProveCheck rest;
  rest.name = "requests before and after the freeze";
  rest.measured = format_count(others) + ", all in all " + format_count(ok) + " ok";
  rest.demanded = format_count(all) + " ok";
  rest.passed = ok == all;
  return std::vector<ProveCheck>{check, rest};
}

}  // namespace hussar
