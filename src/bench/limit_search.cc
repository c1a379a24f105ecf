#include "bench/limit_search.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hussar {

LimitSearch::LimitSearch(const LimitOptions& options) : options_(options) {
  CHECK(options.min > 0 && options.min <= options.start && options.start <= options.max &&
        options.resolution > 0);
}

double LimitSearch::rounded(double level) const { return options_.whole_numbers ? std::round(level) : level; }

// The level to halve the distance with; nothing when the bounds are close enough.
std::optional<double> LimitSearch::between() const {
  const double low = std::max(kept_.value_or(0), met_.value_or(0)), high = *not_met_;
  if (low <= 0 || high <= low * (1 + options_.resolution)) return std::nullopt;
  const double middle = rounded(std::sqrt(low * high));
  if (middle > low && middle < high) return middle;
  // Whole numbers: neighbours are the end, others have one between.
  if (!options_.whole_numbers || high - low < 2) return std::nullopt;
  return low + 1;
}

std::optional<ProbePlan> LimitSearch::next() {
  if (out_of_probes()) return std::nullopt;
  const double known = std::max(kept_.value_or(0), met_.value_or(0));
  if (!not_met_) {
    if (known <= 0) return ProbePlan{rounded(options_.start), ProbeKind::kScout};
    if (known < options_.max) {
      return ProbePlan{std::min(rounded(known * 2), options_.max), ProbeKind::kScout};
    }
    if (!met_ || *met_ < known) return ProbePlan{known, ProbeKind::kFull};
    return std::nullopt;
  }
  if (known <= 0) {  // below the start
    const double lower = rounded(*not_met_ / 2);
    if (lower < options_.min || lower >= *not_met_) return std::nullopt;
    return ProbePlan{lower, ProbeKind::kScout};
  }
  if (const auto middle = between()) return ProbePlan{*middle, ProbeKind::kFull};
  if (!met_ || *met_ < known) return ProbePlan{known, ProbeKind::kFull};
  return std::nullopt;
}

void LimitSearch::finish(const ProbePlan& probe, Verdict verdict, bool keeps) {
  ++probes_;
  if (probe.kind == ProbeKind::kFull && verdict == Verdict::kMet) {
    met_ = std::max(met_.value_or(0), probe.level);
    return;
  }
  if (probe.kind == ProbeKind::kScout && verdict != Verdict::kMissed && keeps) {
    kept_ = std::max(kept_.value_or(0), probe.level);
    return;
  }
  not_met_ = std::min(not_met_.value_or(probe.level), probe.level);
  // What a scout believed of this level or above is taken back.
  if (kept_ && *kept_ >= *not_met_) kept_ = std::nullopt;
}

}  // namespace hussar
