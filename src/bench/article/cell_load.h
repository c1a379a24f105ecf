// One use of the load generator within a cell.
#pragma once

#include <string>

#include "bench/article/cell_result.h"
#include "bench/article/cell_runner.h"
#include "bench/load.h"

namespace hussar {

enum class KeepText { kNo, kYes };

PlannedRequest planned(const Target& target, Api api, const RequestSpec& spec, std::string label);

// Runs, and adds records, self-proof and window to `result`; stages count from `stage` there (warm-up stays
// -1). True when it was interrupted.
bool run_and_keep(const ArticleBench& bench, RequestSource& source, LoadShape shape, const CellTime& time,
                  KeepText keep_text, int32_t stage, CellResult* result);

// Adds what the watch saw since `began`.
void keep_server_samples(const ArticleBench& bench, TimePoint began, CellResult* result);

}  // namespace hussar
