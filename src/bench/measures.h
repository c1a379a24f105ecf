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
  Interval mean_interval, p50_interval, p99_interval;  // 95 %; that of the mean is NaN for a single sample
  bool p50_exact = true, p99_exact = true;             // false: too few samples for that interval
};
Distribution describe(std::vector<double> samples);

struct Slo {  // negative: no limit. In ms.
  double ttft_ms = -1, tpot_ms = -1, itl_ms = -1, e2e_ms = -1;
};

// Figures of some requests over one window. All latencies in milliseconds.
struct Summary {
  int64_t requests = 0;           // that were sent, warm-up excluded: the sum of the outcomes
  std::vector<int64_t> outcomes;  // [kOutcomeCount]
  int64_t ok = 0, errors = 0, cancelled = 0, unfinished = 0;
  Interval error_rate_interval;  // Wilson, 95 %, of errors / (ok + errors)

  Distribution ttft_ms, e2e_ms;                      // from the actual send time
  Distribution ttft_scheduled_ms, e2e_scheduled_ms;  // from the scheduled time
  Distribution tpot_ms, itl_ms, normalised_ms_per_token;
  Distribution connect_ms;      // of successes that needed a new connection
  Distribution server_ttft_ms;  // what the server says of itself (the article's dialect)
  int64_t coalesced_gaps = 0;   // tokens that came in one chunk with another: their gaps can't be seen

  int64_t prompt_tokens = 0, output_tokens = 0, cached_tokens = 0;  // of successes, as far as known
  int64_t tokens_unknown = 0;   // successes whose output tokens are unknown: token rates are then left out
  int64_t prompts_unknown = 0;  // the same of prompt tokens: rates of all tokens are then left out
  Distribution prompt_tokens_each, output_tokens_each;

  double steady_s = 0, whole_s = 0;
  // Steady: answers that ended, and tokens that came, inside the steady window; what was sent before it, in
  // the warm-up, counts by what it brought inside. Whole: from the first sending to the last end.
  double qps_steady = 0, qps_whole = 0;
  std::optional<double> output_tokens_per_s_steady, output_tokens_per_s_whole, total_tokens_per_s_steady,
      total_tokens_per_s_whole;
  std::optional<double> goodput_qps;  // successes within the SLO per second of the steady window
};

struct Window {
  int64_t steady_begin_ns = 0, steady_end_ns = 0, end_ns = 0;
};

// Records of stage -1 (warm-up) count in the steady rates alone.
Summary summarize(std::span<const RequestRecord> records, const Window& window,
                  const std::optional<Slo>& slo);

// The samples that a comparison needs, by metric name ("ttft_ms", "e2e_ms", "tpot_ms", "itl_ms",
// "ttft_scheduled_ms", ...), rounded to 0.1 us; at most `count_max` of each, thinned evenly by a seeded draw.
// Beside "itl_ms" stands "itl_ms_group_sizes": how many of those gaps came from one request, in their order,
// since the gaps of one request are not independent.
std::map<std::string, std::vector<double>> metric_samples(std::span<const RequestRecord> records,
                                                          size_t count_max);
// ... and "qps_slices" and "output_tokens_per_s_slices": the rates in kRateSlices equal parts of the steady
// window. Left out where the window is empty or token counts are unknown.
inline constexpr int kRateSlices = 20;
std::map<std::string, std::vector<double>> metric_samples(std::span<const RequestRecord> records,
                                                          const Window& window, size_t count_max);

// Members as the fields are named; an interval is [low, high], `outcomes` an object without its zeros, an
// unknown rate null.
Json to_json(const Distribution& distribution);
Json to_json(const Summary& summary);

// Formula lines, {English, Chinese}, in the order of the tables.
std::vector<std::pair<std::string, std::string>> formulas();

}  // namespace hussar
