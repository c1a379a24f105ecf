// From records to figures. The formulas (printed with every report by formulas()):
//   TTFT = first_token - t0, E2E = last_token - t0, TPOT = (E2E - TTFT) / (n - 1),
//   ITL  = gaps between chunks with text; a chunk of k tokens yields its gap once and k - 1 coalesced gaps,
// with t0 = the scheduled time ("scheduled") or the time the client began to send ("actual"). Only kOk
// records count in latencies.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "bench/record.h"
#include "bench/statistics.h"

namespace hussar {

struct Distribution {
  int64_t count = 0;  // 0: everything else is meaningless
  double mean = 0, min = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, p999 = 0, max = 0;
  Interval mean_interval, p50_interval, p99_interval;  // 95 %
  bool p99_exact = true;                               // false: too few samples for the interval of p99
};
Distribution describe(std::vector<double> samples);

struct Slo {  // negative: no limit. In ms.
  double ttft_ms = -1, tpot_ms = -1, itl_ms = -1, e2e_ms = -1;
};

// Figures of some requests over one window. All latencies in milliseconds.
struct Summary {
  int64_t requests = 0;           // that were sent and ended, warm-up excluded
  std::vector<int64_t> outcomes;  // [kOutcomeCount]
  int64_t ok = 0, errors = 0, cancelled = 0, unfinished = 0;
  Interval error_rate_interval;  // Wilson, 95 %, of errors / (ok + errors)

  Distribution ttft_ms, e2e_ms;                      // from the actual send time
  Distribution ttft_scheduled_ms, e2e_scheduled_ms;  // from the scheduled time
  Distribution tpot_ms, itl_ms, normalised_ms_per_token;
  Distribution connect_ms;
  int64_t coalesced_gaps = 0;

  int64_t prompt_tokens = 0, output_tokens = 0, cached_tokens = 0;  // of successes
  int64_t tokens_unknown = 0;  // successes whose output tokens are unknown: token rates are then left out
  Distribution prompt_tokens_each, output_tokens_each;

  double steady_s = 0, whole_s = 0;
  // Steady: answers that ended, and tokens that came, inside the steady window. Whole: from first to last.
  double qps_steady = 0, qps_whole = 0;
  std::optional<double> output_tokens_per_s_steady, output_tokens_per_s_whole, total_tokens_per_s_steady,
      total_tokens_per_s_whole;
  std::optional<double> goodput_qps;  // successes within the SLO per second of the steady window
};

struct Window {
  int64_t steady_begin_ns = 0, steady_end_ns = 0, end_ns = 0;
};

// Records of stage -1 (warm-up) are left out.
Summary summarize(std::span<const RequestRecord> records, const Window& window,
                  const std::optional<Slo>& slo);

// The samples that a comparison needs, by metric name ("ttft_ms", "e2e_ms", "tpot_ms", "itl_ms",
// "ttft_scheduled_ms",
// ...); at most `count_max` of each, thinned evenly by a seeded draw.
std::map<std::string, std::vector<double>> metric_samples(std::span<const RequestRecord> records,
                                                          size_t count_max);

Json to_json(const Distribution& distribution);
Json to_json(const Summary& summary);

// Formula lines, {English, Chinese}, in the order of the tables.
std::vector<std::pair<std::string, std::string>> formulas();

}  // namespace hussar
