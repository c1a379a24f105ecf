// What a report says in order: its own sections, then those that every report has.
#pragma once

#include <span>
#include <vector>

#include "bench/report.h"

namespace hussar {

// The report's sections, then "server" (where anything is known of it), "self-proof", "environment" and
// "formulas".
std::vector<Section> all_sections(const Report& report);

// The server while it was pressed: a chart for each kind of figure that was seen at least once. Long runs are
// thinned to their highest value in equal spans of time.
Section server_section(std::span<const ServerSample> samples, const std::vector<std::string>& missing);

// "Pressure test in five dimensions", by the report's kind.
Text report_title(const Report& report);

// Name and value, as the tables of the environment show them: bytes as GB, nested values as JSON.
Table object_table(std::string id, Text title, const JsonObject& object);

}  // namespace hussar
