// Inside the proof: its parts, each a run or some of the load generator against a mock.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/prove.h"
#include "bench/prove_rehearsal.h"

namespace hussar {

using ProveChecks = Result<std::vector<ProveCheck>>;

ProveChecks prove_counts(const std::atomic<bool>& stop);
ProveChecks prove_faults(const std::atomic<bool>& stop);
ProveChecks prove_freeze(const std::atomic<bool>& stop);
ProveChecks prove_timing(const ProveOptions& options, const std::atomic<bool>& stop);
ProveChecks prove_speed(const ProveOptions& options, const std::atomic<bool>& stop);

// `count` users in closed loop, until nothing is left to send.
LoadShape users_shape(int64_t count);

// "0.061 ms"
std::string ms_text(double ms);
// The q-quantile of samples in any order; NaN of none.
double quantile_of(std::vector<double> samples, double q);

}  // namespace hussar
