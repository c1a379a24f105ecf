// One row of two runs, figure by figure. Only compare.cc uses it.
#pragma once

#include "bench/compare.h"
#include "bench/run_results.h"

namespace hussar {

// Figures and notes; id and statuses are left to the caller.
ComparedRow compare_rows(const RunRow& a, const RunRow& b, double confidence);

}  // namespace hussar
