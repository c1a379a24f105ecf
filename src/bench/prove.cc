#include "bench/prove.h"

#include <algorithm>
#include <limits>

#include "bench/format.h"
#include "bench/prove_parts.h"
#include "bench/statistics.h"

namespace hussar {

const char* prove_part_name(ProvePart part) {
  switch (part) {
    case ProvePart::kCounts:
      return "counts";
    case ProvePart::kFaults:
      return "faults";
    case ProvePart::kFreeze:
      return "freeze";
    case ProvePart::kTiming:
      return "timing";
    case ProvePart::kSpeed:
      return "speed";
  }
  return "";
}

LoadShape users_shape(int64_t count) {
  LoadShape shape;
  shape.kind = LoadShape::Kind::kClosed;
  shape.stages = {{static_cast<int32_t>(count), 0}};
  shape.error_pause_s = 0;  // errors are what some of the runs are about
  return shape;
}

std::string ms_text(double ms) { return format_figure(ms, "ms"); }

double quantile_of(std::vector<double> samples, double q) {
  if (samples.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(samples.begin(), samples.end());
  return quantile(samples, q);
}

Result<std::vector<ProveCheck>> prove_part(ProvePart part, const ProveOptions& options,
                                           const std::atomic<bool>& stop) {
  ProveChecks checks = [&]() -> ProveChecks {
    switch (part) {
      case ProvePart::kCounts:
        return prove_counts(stop);
      case ProvePart::kFaults:
        return prove_faults(stop);
      case ProvePart::kFreeze:
        return prove_freeze(stop);
      case ProvePart::kTiming:
        return prove_timing(options, stop);
      case ProvePart::kSpeed:
        return prove_speed(options, stop);
    }
    return std::vector<ProveCheck>();
  }();
  if (stop) return Error{ErrorCode::kCancelled, "interrupted", ""};
  if (!checks.ok()) return checks;
  for (ProveCheck& check : *checks) check.part = part;
  return checks;
}

std::string prove_summary(const std::vector<ProveCheck>& checks) {
  std::string failed, figures;
  int64_t failures = 0;
  for (const ProveCheck& check : checks) {
    if (!check.passed) {
      ++failures;
      failed += (failed.empty() ? "" : "; ") + check.name + " " + check.measured;
    }
    if (check.in_summary) figures += (figures.empty() ? "" : ", ") + check.name + " " + check.measured;
  }
  if (failures == 0)
    return "passed " + format_count(static_cast<int64_t>(checks.size())) + " checks: " + figures;
  return "failed " + format_count(failures) + " of " + format_count(static_cast<int64_t>(checks.size())) +
         " checks: " + failed;
}

}  // namespace hussar
