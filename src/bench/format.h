// Figures as text, rounded the same way wherever they stand. None of them brings separators of thousands, so
// that a table can be read by a program too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/statistics.h"

namespace hussar {

inline constexpr std::string_view kNoFigure = "\u2014";  // where nothing was measured

// Three digits that count, or all before the point, and at most three decimals: 0.012, 0.381, 1.27, 12.5,
// 2048. Below 0.001, "<0.001". NaN and infinities are kNoFigure.
std::string format_figure(double value);
std::string format_figure(double value, std::string_view unit);  // "610 tok/s"; kNoFigure without its unit

// A figure that somebody else has rounded, in the digits that it was printed with: 0.38, 8.7, 12.4.
std::string format_given(double value);

std::string format_count(int64_t count);  // kNoFigure where negative

// Of a fraction: "1.2 %", "97 %", "0 %". 0 % and 100 % are exact: what is only close is "<0.01 %" or ">99.99
// %".
std::string format_percent(double fraction);

// "1.15 – 1.31", as figures or as percentages; kNoFigure where an end is unknown.
std::string format_interval(const Interval& interval);
std::string format_percent_interval(const Interval& interval);

std::string format_bytes(double bytes);       // "6.2 GB"; kNoFigure where negative or NaN
std::string format_duration(double seconds);  // "42 s", "2 min 05 s", "3 h 07 min"

}  // namespace hussar
