// Tables and charts that reports of several kinds share, made from summaries.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/measures.h"
#include "bench/report.h"

namespace hussar {

// A row a measure (TTFT, E2E, TPOT, ITL ...), a column a percentile, the mean and p50 and p99 with their
// intervals. Measures without samples are left out.
Table distributions_table(std::string id, Text title, const Summary& summary);

// Requests by outcome: what occurred, and successes always.
Table outcomes_table(std::string id, Text title, const Summary& summary);

// Requests and tokens per second, over the steady window and over the whole run, and goodput where there is
// an SLO.
Table rates_table(std::string id, Text title, const Summary& summary);

// Distribution of samples: below which value (x) which share of them (y, in percent) lies.
struct NamedSamples {
  Text name;
  std::span<const double> samples;
};
Chart cumulative_chart(std::string id, Text title, Text x_label, std::span<const NamedSamples> named);

}  // namespace hussar
