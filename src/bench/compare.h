// Two runs of the same workload, figure by figure: the difference, its confidence interval and what may be
// said of it. B is always seen from A.
//
// Where an interval comes from:
//   percentiles of latencies   percentile bootstrap of the samples that the files keep; gaps between tokens
//   are drawn
//                              by whole requests, since those of one request resemble each other
//   rates                      Welch's t over equal slices of the two steady windows (batch means)
//   error rates, shares        Newcombe's hybrid score interval of two proportions
// Requests are taken as independent of each other; the intervals say nothing of what differs from day to day.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "bench/report.h"
#include "bench/run_results.h"
#include "bench/statistics.h"

namespace hussar {

enum class FigureVerdict {
  kBetter,
  kWorse,
  kNoDifference,  // none seen: the interval holds 0
  kTooFew,        // too few samples for an interval
  kFigureOnly,    // a figure that was measured once has no interval
};
std::string_view figure_verdict_name(
    FigureVerdict verdict);  // "better", "worse", "no_difference", "too_few_samples", "figure_only"

struct ComparedFigure {
  std::string name;  // "ttft_ms.p50", "qps", "error_rate", "extra.legal"
  Text title;        // "TTFT p50"
  std::string unit;  // "ms", "1/s"; "%" where a and b are fractions
  double a = 0, b = 0;
  int64_t count_a = 0, count_b = 0;    // samples, slices or trials behind the interval; 0: none
  std::optional<Interval> difference;  // of b - a
  std::string method;  // "bootstrap", "bootstrap by request", "welch", "newcombe"; empty: none
  FigureVerdict verdict = FigureVerdict::kFigureOnly;
};

struct ComparedRow {
  std::string id;
  std::string status_a, status_b;  // "absent" where a run has no such row
  std::vector<ComparedFigure> figures;
  std::vector<Text> notes;
};

struct CompareOptions {
  double confidence = 0.95;  // 0.5 to 0.99
};

struct Comparison {
  RunResults a, b;  // without their rows
  double confidence = 0.95;
  std::vector<ComparedRow> rows;  // in A's order, then what B alone has
  std::vector<Text> warnings;     // what makes the comparison doubtful
  int64_t intervals = 0;          // figures whose verdict stands on an interval
};

// Errors: kInvalid where the runs are of different kinds or workloads; the message names the row and the
// first member that differs. Takes some tenths of a second a row at the most.
Result<Comparison> compare_runs(RunResults a, RunResults b, const CompareOptions& options);

// Figures with the verdict kWorse that differ by more than `percent` of A's figure (of fractions: by more
// percentage points), and rows that A measured and B did not; one line each.
std::vector<std::string> regressions(const Comparison& comparison, double percent);

// Schema "hussar-bench-comparison", version 1.
Json comparison_to_json(const Comparison& comparison);
// For a terminal: aligned, about 110 columns. Names from the files stand in it as they are.
std::string comparison_to_text(const Comparison& comparison);
// For a report: a table for each row. The warnings are left to the report.
Section comparison_section(const Comparison& comparison);

}  // namespace hussar
