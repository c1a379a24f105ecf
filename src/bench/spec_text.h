// The small notations of the pressure test's flags: lists, and numbers with units. Each function gives
// nothing where the whole text is not what it reads; the caller says what would be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hussar {

inline constexpr double kRatePerSecondMax = 1e6;
inline constexpr double kRunSecondsMax = 7 * 24 * 3600.0;

// All parts between separators, empty ones too; at least one.
std::vector<std::string_view> split_spec(std::string_view text, char separator);

// A finite decimal number, without sign: "12", "0.5".
std::optional<double> read_spec_number(std::string_view text);
std::optional<double> read_spec_seconds(std::string_view text);       // "30", "30s", "500ms", "2m", "1h"
std::optional<double> read_spec_milliseconds(std::string_view text);  // "500ms", "0.5s", "200us": unit needed
std::optional<double> read_spec_fraction(std::string_view text);      // "0.1%", "0.001"

// "12", "0.5", "1e+06": reads back as the same number.
std::string shortest_text(double value);

}  // namespace hussar
