// What a run of the load generator says: from its log to the sections, rows and key figures of a report.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "bench/limit_slo.h"
#include "bench/load.h"
#include "bench/report.h"

namespace hussar {

// A part of the run with a level of its own, in seconds of the run; records name it by its index.
struct StageSpan {
  Text name;  // "10 requests/s"
  double begin_s = 0, end_s = 0;
};

struct LoadFacts {
  JsonObject workload;            // what was asked, equal for runs that can be compared
  std::vector<StageSpan> stages;  // one or none: no table of stages
  std::optional<SloSpec> slo;
  double confidence = 0.95;
  std::vector<std::string> notes;  // on the workload
  double watch_start_s = 0;        // when the watch of the server began, in the run's time
};

// Fills in everything but what begin_report and the watch of the server know. `report` has the server's
// samples already.
void add_load_run(const RunLog& log, const LoadFacts& facts, Report* report);

// The row of a whole run, or of one stage of it.
MeasuredRow measured_row(std::string id, std::span<const RequestRecord> records, const Window& window,
                         const LoadFacts& facts);

// Each term with its counts and verdict.
Table slo_table(std::span<const RequestRecord> records, const SloSpec& slo, double confidence);
// Whether the share above each limit is as the objective allows, shown by statistics or not.
bool keeps_slo(std::span<const RequestRecord> records, const SloSpec& slo);

// What was said most often when requests failed: outcome, count, when first, what was said.
Table error_details_table(std::span<const RequestRecord> records);

// Over the time of the run: requests and errors a second, tokens a second, running requests, latencies.
std::vector<Chart> timeline_charts(const RunLog& log);

}  // namespace hussar
