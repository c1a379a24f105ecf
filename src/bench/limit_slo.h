// A service level objective as it is written on the command line: "ttft_p99=500ms,tpot_p99=50ms,error=0.1%".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/measures.h"

namespace hussar {

enum class SloMetric : uint8_t { kTtft, kTpot, kItl, kE2e, kError };
std::string_view slo_metric_name(SloMetric metric);  // "ttft", "tpot", "itl", "e2e", "error"

// At most `over_fraction` of the samples may be above `limit_ms`; of kError: of the requests may fail.
struct SloTerm {
  SloMetric metric = SloMetric::kTtft;
  double over_fraction = 0.01;  // 0.01 for p99; in (0, 1)
  double limit_ms = 0;          // not for kError
  std::string text() const;     // "ttft_p99=500ms", "error=0.1%"
};

struct SloSpec {
  std::vector<SloTerm> terms;  // at least one, no metric and percentile twice

  // Metrics are ttft, tpot, itl and e2e with a percentile (_p50, _p99, _p99.9) and a time with its unit (us,
  // ms, s); error is a percentage or a fraction. Errors: kInvalid, one line that shows how it is written.
  static Result<SloSpec> parse(std::string_view text);

  std::string text() const;
  bool has(SloMetric metric) const;
  // What one request must keep to count as goodput: the strictest limit of each metric.
  Slo each_request() const;
};

}  // namespace hussar
