// The parts of a report as JSON, shared by results.json and the page.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "bench/report.h"

namespace hussar {

// What results.json begins with, without rows, sections and samples.
JsonObject report_head(const Report& report);

Json text_to_json(const Text& text);  // {"en": ..., "zh": ...}, both always there
Json section_to_json(const Section& section);

// The report's own warnings, behind those that follow from it: CLIENT-LIMITED, interrupted.
std::vector<Text> all_warnings(const Report& report);

// A command line without secrets: what follows --api-key, values of headers, a password within a URL.
std::vector<std::string> masked_command(const std::vector<std::string>& words);
std::string masked_url(const std::string& url);

}  // namespace hussar
