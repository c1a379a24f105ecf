#include "bench/load_proof.h"

#include <algorithm>
#include <cstdio>

namespace hussar {

namespace {

constexpr double kShareMax = 0.01;
constexpr int64_t kCountMin = 5;
constexpr double kBusyOnEndS = 3;
constexpr size_t kLateBucket = 13;  // delays from 4.096 ms
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kLatenessMinNs = kNsPerMs, kLatenessMaxNs = 10 * kNsPerMs;

bool too_many(int64_t late, int64_t all) {
  return late > 0 && static_cast<double>(late) > kShareMax * static_cast<double>(all) &&
         (late >= kCountMin || late == all);
}

std::string percent_of(int64_t part, int64_t all) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100.0 * static_cast<double>(part) / static_cast<double>(all));
  return text;
}

std::string milliseconds(int64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(ns) / kNsPerMs);
  return text;
}

// Empty where the streams were enough; so the others.
std::string judge_streams(const ProofFacts& facts, const SelfProof& proof) {
  const std::string advice =
      " for one of " + std::to_string(facts.streams_max) + " streams: allow more, or ask for fewer at once";
  if (facts.held_up_at_end) return "requests that were due waited in vain" + advice;
  const auto all = static_cast<int64_t>(proof.lateness_ns.size());
  const int64_t waited = all - static_cast<int64_t>(facts.unhindered_lateness_ns.size());
  if (static_cast<double>(waited) <= kShareMax * static_cast<double>(all)) return "";
  return percent_of(waited, all) + " of the requests waited" + advice;
}

std::string judge_cpu(const ProofFacts& facts, const SelfProof& proof) {
  const bool all_along = facts.run_s >= 1 && proof.cpu_share > kBusyShare;
  const char* advice = ": press with less, or from a faster machine";
  if (all_along) {
    return "the client's thread used " + percent_of(static_cast<int64_t>(proof.cpu_share * 1000), 1000) +
           " of a core" + advice;
  }
  if (facts.busy_s_longest < kBusyOnEndS) return "";
  return "the client's thread was busy for " + std::to_string(static_cast<int64_t>(facts.busy_s_longest)) +
         " s on end" + advice;
}

std::string judge_loop(const SelfProof& proof) {
  int64_t late = 0, all = 0;
  for (size_t bucket = 0; bucket < proof.loop.timer_delay_counts.size(); ++bucket) {
    const auto count = static_cast<int64_t>(proof.loop.timer_delay_counts[bucket]);
    all += count;
    if (bucket >= kLateBucket) late += count;
  }
  if (!too_many(late, all)) return "";
  return percent_of(late, all) + " of the client's timed tasks ran over 4 ms late: its machine is too busy";
}

std::string judge_lateness(const ProofFacts& facts) {
  const int64_t limit_ns = std::clamp(facts.reference_ns / 100, kLatenessMinNs, kLatenessMaxNs);
  const auto all = static_cast<int64_t>(facts.unhindered_lateness_ns.size());
  const auto late = std::count_if(facts.unhindered_lateness_ns.begin(), facts.unhindered_lateness_ns.end(),
                                  [limit_ns](int64_t lateness_ns) { return lateness_ns > limit_ns; });
  if (!too_many(late, all)) return "";
  return percent_of(late, all) + " of the requests were sent over " + milliseconds(limit_ns) +
         " late: the client or its machine is too busy";
}

}  // namespace

void judge_proof(const ProofFacts& facts, SelfProof* proof) {
  for (const std::string& reason :
       {judge_streams(facts, *proof), judge_cpu(facts, *proof), judge_loop(*proof), judge_lateness(facts)}) {
    if (!proof->reason.empty()) break;
    proof->reason = reason;
  }
  proof->client_limited = !proof->reason.empty();
}

LoopStats loop_stats_between(const LoopStats& before, const LoopStats& after) {
  LoopStats stats = after;
  size_t top = 0;  // one behind the highest bucket with something in it
  for (size_t i = 0; i < stats.timer_delay_counts.size(); ++i) {
    if (i < before.timer_delay_counts.size()) stats.timer_delay_counts[i] -= before.timer_delay_counts[i];
    if (stats.timer_delay_counts[i] > 0) top = i + 1;
  }
  // A greatest delay that stood before may be from then; the highest bucket bounds it.
  if (after.timer_delay_max_ns == before.timer_delay_max_ns) {
    const int64_t bound_ns = top == 0 ? 0 : (int64_t{1} << (top - 1)) * 1000;
    stats.timer_delay_max_ns = std::min(after.timer_delay_max_ns, bound_ns);
  }
  stats.thread_cpu_ns -= before.thread_cpu_ns;
  stats.run_ns -= before.run_ns;
  return stats;
}

}  // namespace hussar
