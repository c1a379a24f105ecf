// How many connections and requests at once a server takes: doubled until it refuses or errors begin.
#pragma once

#include "bench/article/cell_result.h"
#include "bench/article/cell_runner.h"
#include "bench/article/plan.h"

namespace hussar {

// Opens idle connections, and asks for something short beside them after each step. extra: {"steps":
// [{"wanted", "standing", "answered"}]}.
CellResult run_connections(const ArticleBench& bench, const Cell& cell, const CellTime& time);

// Short requests all at once. The records of step i have stage i.
CellResult run_bursts(const ArticleBench& bench, const Cell& cell, const CellTime& time);

}  // namespace hussar
