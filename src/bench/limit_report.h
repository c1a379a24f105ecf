// What a search for the limit says: each probe, the level that was shown to be met, and how that was decided.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/limit_search.h"
#include "bench/load_report.h"
#include "bench/report.h"

namespace hussar {

struct ProbeResult {
  ProbePlan plan;
  Verdict verdict = Verdict::kUndecided;
  bool keeps = false;  // the samples kept the objective, shown or not
  std::vector<TermState> terms;
  std::string reason;  // why it is not met
  double seconds = 0;
  Summary summary;
  bool client_limited = false;
};

struct LimitFacts {
  SloSpec slo;
  double confidence = 0.95;
  bool users = false;  // levels are users, not requests a second
  JsonObject workload;
  std::vector<std::string> notes;
  std::optional<double> met, not_met;
  bool at_most_probed = false;
};

// "12.5 requests/s", "8 users".
Text level_text(double level, bool users);
// One line on a probe that has ended: "probe 3, full, 12 requests/s: met (ttft_p99=500ms: 2 of 752 above, at
// most 3) in 63 s".
std::string probe_line(size_t number, const ProbeResult& probe, bool users);
// "ttft_p99=500ms: 368, error=1%: 368".
std::string least_answers_text(const SloSpec& slo, double confidence);
// How it is decided, for people.
Text early_stopping_text(const SloSpec& slo, double confidence);

// Key figures, the section with the table and chart of probes, a row each, and the one of the limit.
void add_limit(const std::vector<ProbeResult>& probes, const LimitFacts& facts, Report* report);

}  // namespace hussar
