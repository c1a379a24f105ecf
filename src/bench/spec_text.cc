#include "bench/spec_text.h"

#include <charconv>
#include <cmath>
#include <span>
#include <utility>

namespace hussar {
namespace {

using Unit = std::pair<std::string_view, double>;

// The longest unit first where one ends with another.
constexpr Unit kSeconds[] = {{"ms", 1e-3}, {"us", 1e-6}, {"s", 1}, {"m", 60}, {"h", 3600}};
constexpr Unit kMilliseconds[] = {{"ms", 1}, {"us", 1e-3}, {"s", 1e3}};

std::optional<double> read_with_unit(std::string_view text, std::span<const Unit> units) {
  for (const auto& [name, factor] : units) {
    if (!text.ends_with(name)) continue;
    const auto number = read_spec_number(text.substr(0, text.size() - name.size()));
    if (!number) return std::nullopt;
    return *number * factor;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string_view> split_spec(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<double> read_spec_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(number) || std::signbit(number)) return std::nullopt;
  return number;
}

std::optional<double> read_spec_seconds(std::string_view text) {
  if (const auto bare = read_spec_number(text)) return bare;
  return read_with_unit(text, kSeconds);
}

std::optional<double> read_spec_milliseconds(std::string_view text) {
  return read_with_unit(text, kMilliseconds);
}

std::optional<double> read_spec_fraction(std::string_view text) {
  if (!text.ends_with('%')) return read_spec_number(text);
  const auto percent = read_spec_number(text.substr(0, text.size() - 1));
  if (!percent) return std::nullopt;
  return *percent / 100;
}

std::string shortest_text(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace hussar
