// What the sections are written with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/article/sections.h"
#include "bench/measures.h"
#include "bench/report.h"

namespace hussar {

Text plain(std::string text);  // the same in both languages
Text joined(const Text& a, const Text& b, std::string_view separator_en, std::string_view separator_zh);
// A column's head with whose figures stand below it.
Text column(const Text& name, const Text& owner);

Summary summary_of(const CellResult& cell);
bool has_figures(const CellResult* cell);  // at least one success

// "0.38 (0.37 to 0.41)": the median with the least and the greatest, in seconds from milliseconds.
Text median_s(const Distribution& distribution);
Text mean_with_interval_s(const Distribution& distribution);
Text median_count(const Distribution& distribution);
// "97 of 100: 97 % (91.5 % to 99 %)", with Wilson's interval; no figure of nothing.
Text share_of(int64_t part, int64_t all);
// "measured", "cut: ...", "not measured"
Text status_of(const CellResult* cell);
// "2 of 120: 1.7 % (HTTP 429: 2)"; counts each class.
Text errors_of(const std::vector<RequestRecord>& records);
// The first error of a kind, as the server said it; empty without one.
std::string first_error(const std::vector<RequestRecord>& records);

Text yes_or_no(bool yes);
Text no_figure();

}  // namespace hussar
