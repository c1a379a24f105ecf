// How fast the client is: events a second and streams at once on its one thread, and how punctual it sends.
#include <algorithm>

#include "bench/format.h"
#include "bench/prove_parts.h"

namespace hussar {

namespace {

constexpr int64_t kNsInS = 1'000'000'000;
constexpr double kEventsPerSMin = 300'000;
constexpr double kLateMaxMs = 0.5;
constexpr double kPunctualMin = 0.99;

// Of the successes: how many were under way at the same time.
int64_t most_at_once(const std::vector<RequestRecord>& records) {
  std::vector<std::pair<int64_t, int64_t>> changes;  // time, +1 or -1: at the same time the end first
  for (const RequestRecord& record : records) {
    if (record.outcome != Outcome::kOk) continue;
    changes.emplace_back(record.sent_ns, 1);
    changes.emplace_back(record.end_ns, -1);
  }
  std::sort(changes.begin(), changes.end());
  int64_t now = 0, most = 0;
  for (const auto& [at_ns, change] : changes) most = std::max(most, now += change);
  return most;
}

struct EventRate {
  int64_t events = 0;
  double per_s = 0;      // from the first event to the last
  double per_cpu_s = 0;  // of the client's thread
  int64_t streams_at_once = 0;
  int64_t failures = 0;
};

Result<EventRate> measure_events(int64_t streams, int32_t tokens, int64_t events_per_send,
                                 const std::atomic<bool>& stop) {
  RehearsalPlan plan;
  // All streams stand before the first speaks; then the mock sends as fast as it can.
  plan.mock.ttft = {MockDelay::Kind::kConstant, 500, 0};
  plan.mock.itl = {MockDelay::Kind::kConstant, 0, 0};
  plan.mock.events_per_send = events_per_send;
  plan.mock.role_ms = -1;
  plan.mock.keep_chunks = false;
  plan.shape = users_shape(streams);
  plan.requests.assign(static_cast<size_t>(streams), {.tokens = tokens});
  ASSIGN_OR_RETURN(const Rehearsal rehearsal, rehearse(plan, stop));
  EventRate rate;
  int64_t first_ns = INT64_MAX, last_ns = 0;
  for (const RequestRecord& record : rehearsal.log.records) {
    if (record.outcome != Outcome::kOk || record.output_tokens != tokens) {
      ++rate.failures;
      continue;
    }
    rate.events += static_cast<int64_t>(record.chunks.size());
    first_ns = std::min(first_ns, record.first_token_ns);
    last_ns = std::max(last_ns, record.last_token_ns);
  }
  if (last_ns > first_ns) {
    rate.per_s = static_cast<double>(rate.events) * kNsInS / static_cast<double>(last_ns - first_ns);
  }
  if (const int64_t cpu_ns = rehearsal.log.proof.loop.thread_cpu_ns; cpu_ns > 0) {
    rate.per_cpu_s = static_cast<double>(rate.events) * kNsInS / static_cast<double>(cpu_ns);
  }
  rate.streams_at_once = most_at_once(rehearsal.log.records);
  return rate;
}

std::string rate_text(const EventRate& rate) {
  std::string text = format_count(static_cast<int64_t>(rate.per_s)) + " events/s (" +
                     format_count(static_cast<int64_t>(rate.per_cpu_s)) + " a second of CPU)";
  if (rate.failures > 0) text += ", " + format_count(rate.failures) + " requests failed";
  return text;
}

}  // namespace

ProveChecks prove_speed(const ProveOptions& options, const std::atomic<bool>& stop) {
  std::vector<ProveCheck> checks;
  constexpr int64_t kEventsASend = 4;
  ASSIGN_OR_RETURN(const EventRate packed, measure_events(options.speed_streams, 600, kEventsASend, stop));
  ProveCheck rate;
  rate.name = "events on one thread, 4 a send";
  rate.measured = rate_text(packed);
  rate.demanded = "at least 300000 events/s";
  rate.passed = packed.per_s >= kEventsPerSMin && packed.failures == 0;
  rate.in_summary = true;
  checks.push_back(rate);
  ProveCheck streams;
  streams.name = "streams at once";
  streams.measured = format_count(packed.streams_at_once);
  streams.demanded = format_count(options.speed_streams);
  streams.passed = packed.streams_at_once >= options.speed_streams;
  checks.push_back(streams);
  if (stop) return checks;

  ASSIGN_OR_RETURN(const EventRate single, measure_events(options.speed_streams, 200, 1, stop));
  ProveCheck shown;
  shown.name = "events, each sent alone (the mock's own speed is the limit)";
  shown.measured = rate_text(single);
  checks.push_back(shown);
  if (stop) return checks;

  // Answers of a second each, so that as many streams are open as are sent a second.
  constexpr double kWarmupS = 1.5;
  RehearsalPlan plan;
  plan.mock.ttft = {MockDelay::Kind::kConstant, 100, 0};
  plan.mock.itl = {MockDelay::Kind::kConstant, 100, 0};
  plan.mock.keep_chunks = false;
  plan.shape.kind = LoadShape::Kind::kOpen;
  plan.shape.warmup_s = kWarmupS;
  const auto count =
      static_cast<int64_t>(static_cast<double>(options.sends_per_s) * (options.sends_s + kWarmupS));
  for (int64_t i = 0; i < count; ++i) {
    plan.requests.push_back({.tokens = 10, .at_ns = i * kNsInS / options.sends_per_s});
  }
  ASSIGN_OR_RETURN(const Rehearsal rehearsal, rehearse(plan, stop));
  std::vector<double> late_ms;
  int64_t punctual = 0, ok = 0;
  for (const RequestRecord& record : rehearsal.log.records) {
    if (record.outcome == Outcome::kOk) ++ok;
    if (record.stage < 0) continue;
    late_ms.push_back(static_cast<double>(record.sent_ns - record.scheduled_ns) / 1e6);
    if (late_ms.back() <= kLateMaxMs) ++punctual;
  }
  const double share =
      late_ms.empty() ? 0 : static_cast<double>(punctual) / static_cast<double>(late_ms.size());
  ProveCheck sends;
  sends.name = "sends within 0.5 ms of schedule";
  sends.measured = format_percent(share) + " at " + format_count(options.sends_per_s) + "/s (p50 " +
                   ms_text(quantile_of(late_ms, 0.5)) + ", p99 " + ms_text(quantile_of(late_ms, 0.99)) +
                   ", " + format_count(most_at_once(rehearsal.log.records)) + " streams at once)";
  sends.demanded = "99 %";
  sends.passed = share >= kPunctualMin && ok == count;
  sends.in_summary = true;
  if (ok != count) sends.measured += ", " + format_count(count - ok) + " requests failed";
  checks.push_back(sends);
  return checks;
}

}  // namespace hussar
