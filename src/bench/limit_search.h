// Where to look next for the highest level (requests a second, or users) that a server bears: doubling until
// it does not, then halving the distance. Pure.
//
// It takes for granted that who bears a level bears a lower one too. Doubling is done by short probes,
// "scouts", whose samples need only keep the objective; what the search ends with was shown to be met by a
// full probe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/limit_judge.h"

namespace hussar {

enum class ProbeKind : uint8_t { kScout, kFull };

struct ProbePlan {
  double level = 0;
  ProbeKind kind = ProbeKind::kFull;
};

struct LimitOptions {
  double start = 1;
  double min = 0.01, max = 10'000;
  double resolution = 0.05;    // the search ends when bounds differ by less than this share
  bool whole_numbers = false;  // users
  int32_t probes_max = 40;
};

class LimitSearch {
 public:
  explicit LimitSearch(const LimitOptions& options);

  // The next probe; nothing when the search has ended. Then finish() it.
  std::optional<ProbePlan> next();
  // `keeps`: a scout that is undecided passes when its samples keep the objective.
  void finish(const ProbePlan& probe, Verdict verdict, bool keeps);

  // The highest level that a full probe has shown to be met.
  std::optional<double> met() const { return met_; }
  // The lowest that was not met, missed or undecided.
  std::optional<double> not_met() const { return not_met_; }
  bool at_most_probed() const { return met_ && *met_ >= options_.max; }  // more was never tried
  bool out_of_probes() const { return probes_ >= options_.probes_max; }

 private:
  std::optional<double> between() const;
  double rounded(double level) const;

  LimitOptions options_;
  int32_t probes_ = 0;
  std::optional<double> kept_;  // the highest level that a scout's samples kept; never shown
  std::optional<double> met_, not_met_;
};

}  // namespace hussar
