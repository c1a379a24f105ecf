// The load generator's own proof: it is run against a mock whose truth is known, and what it measured is
// compared with that. What is counted must be exact; what is timed has limits, of which a busy machine may
// exceed some.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hussar {

enum class ProvePart {
  kCounts,  // tokens, chunks and text of every shape of answer
  kFaults,  // every fault in its own class, none missing
  kFreeze,  // a server that stands still for two seconds under open loop
  kTiming,  // TTFT and ITL of many streams at once
  kSpeed,   // events a second, streams at once, punctual sends
};
inline constexpr ProvePart kProveParts[] = {ProvePart::kCounts, ProvePart::kFaults, ProvePart::kFreeze,
                                            ProvePart::kTiming, ProvePart::kSpeed};
const char* prove_part_name(ProvePart part);  // "counts", "faults", "freeze", "timing", "speed"

struct ProveCheck {
  ProvePart part = ProvePart::kCounts;
  std::string name;      // "TTFT error, median"
  std::string measured;  // "0.061 ms"
  std::string demanded;  // "below 0.2 ms"; empty: shown for comparison, always passes
  bool passed = true;
  bool in_summary = false;  // one of the few figures that a reader of reports wants to know
};

struct ProveOptions {
  int64_t streams = 200;  // of the timing part
  double timing_s = 8;    // how long they last
  int64_t speed_streams = 2000;
  int64_t sends_per_s = 2000;
  double sends_s = 5;
};

// Runs one part; blocks. Errors: kIo, where the machine has no ports or no files left; kCancelled after
// `stop`.
Result<std::vector<ProveCheck>> prove_part(ProvePart part, const ProveOptions& options,
                                           const std::atomic<bool>& stop);

// "passed: TTFT error 0.061 ms at the median ...": the figures that matter on one line, for reports. Without
// date and machine.
std::string prove_summary(const std::vector<ProveCheck>& checks);

}  // namespace hussar
