// What a run of `hussar bench` leaves: a summary on standard output and the report's folder.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bench/report.h"

namespace hussar {

enum class SummaryKind { kTables, kJson };

// Writes the folder, unless `out` is empty, then prints key figures, tables and warnings, or results.json,
// and where the report is. CLIENT-LIMITED is red on a terminal. Errors: kIo.
Result<void> show_report(const Report& report, const std::vector<RequestRecord>& records,
                         const std::string& out, SummaryKind kind);

// A line on standard error.
void print_note(const std::string& line);

}  // namespace hussar
