#include "bench/format.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/memory.h"

namespace hussar {
namespace {

constexpr char kBetween[] = " \u2013 ";  // the same in every language
constexpr double kDisplayedMax = 1e15;   // beyond it a double has no exact integers to print

std::string fixed(double value, int decimals) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return buffer;
}

std::string in_digits(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.3g", value);
  return buffer;
}

// Decimals that leave three digits that count, at most three. What rounds up to the next power of ten loses
// one.
int decimals_for(double magnitude) {
  if (magnitude >= 99.95) return 0;
  if (magnitude >= 9.995) return 1;
  if (magnitude >= 0.9995) return 2;
  return 3;
}

std::string percent_digits(double percent) {
  const double magnitude = std::abs(percent);
  std::string text = fixed(percent, magnitude >= 9.95 ? 1 : 2);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string format_figure(double value) {
  if (!std::isfinite(value)) return std::string(kNoFigure);
  const double magnitude = std::abs(value);
  if (magnitude == 0) return "0";
  if (magnitude < 0.001) return value < 0 ? ">-0.001" : "<0.001";
  if (magnitude >= kDisplayedMax) return in_digits(value);
  return fixed(value, decimals_for(magnitude));
}

std::string format_figure(double value, std::string_view unit) {
  if (!std::isfinite(value)) return std::string(kNoFigure);
  return format_figure(value) + " " + std::string(unit);
}

std::string format_given(double value) {
  if (!std::isfinite(value)) return std::string(kNoFigure);
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

std::string format_count(int64_t count) { return count < 0 ? std::string(kNoFigure) : std::to_string(count); }

std::string format_percent(double fraction) {
  if (!std::isfinite(fraction)) return std::string(kNoFigure);
  const double percent = fraction * 100;
  if (fraction > 0 && percent < 0.01) return "<0.01 %";
  if (fraction < 0 && percent > -0.01) return ">-0.01 %";
  if (fraction < 1 && percent > 99.99) return ">99.99 %";
  // One decimal would show as whole what is not.
  if (fraction < 1 && percent >= 99.95) return fixed(percent, 2) + " %";
  return percent_digits(percent) + " %";
}

std::string format_interval(const Interval& interval) {
  if (!std::isfinite(interval.low) || !std::isfinite(interval.high)) return std::string(kNoFigure);
  return format_figure(interval.low) + kBetween + format_figure(interval.high);
}

std::string format_percent_interval(const Interval& interval) {
  if (!std::isfinite(interval.low) || !std::isfinite(interval.high)) return std::string(kNoFigure);
  return format_percent(interval.low) + kBetween + format_percent(interval.high);
}

std::string format_bytes(double bytes) {
  if (!(bytes >= 0) || bytes > kDisplayedMax) return std::string(kNoFigure);
  return bytes_text(static_cast<int64_t>(bytes));
}

std::string format_duration(double seconds) {
  if (!(seconds >= 0) || seconds > kDisplayedMax) return std::string(kNoFigure);
  if (seconds < 10) return format_figure(seconds) + " s";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  char buffer[64];
  if (whole < 60) {
    std::snprintf(buffer, sizeof buffer, "%d s", static_cast<int>(whole));
  } else if (whole < 3600) {
    std::snprintf(buffer, sizeof buffer, "%d min %02d s", static_cast<int>(whole / 60),
                  static_cast<int>(whole % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld h %02d min", static_cast<long long>(whole / 3600),
                  static_cast<int>(whole % 3600 / 60));
  }
  return buffer;
}

}  // namespace hussar
