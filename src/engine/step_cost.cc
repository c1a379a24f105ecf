#include "engine/step_cost.h"

#include <algorithm>
#include <cmath>

namespace hussar {
namespace {

constexpr double kFade = 0.98;    // of a step by the next one of its kind: some 50 steps are remembered
constexpr double kOutlier = 8.0;  // a step that took so many times its estimate tells of the machine's other
                                  // work, and counts as no more than that
constexpr double kSpreadMin = 0.02;  // standard deviation of the rows, over their mean, that shows a slope

}  // namespace

void StepCost::Line::add(double r, double s) {
  for (double* sum : {&weight, &rows, &rows_squared, &seconds, &rows_seconds}) *sum *= kFade;
  weight += 1;
  rows += r;
  rows_squared += r * r;
  seconds += s;
  rows_seconds += r * s;
  const double mean_rows = rows / weight, mean_seconds = seconds / weight;
  const double variance = rows_squared / weight - mean_rows * mean_rows;
  if (variance >= kSpreadMin * kSpreadMin * mean_rows * mean_rows) {
    slope = std::max(0.0, (rows_seconds / weight - mean_rows * mean_seconds) / variance);
  }
}

double StepCost::Line::at(double r) const {
  const double mean_rows = rows / weight, mean_seconds = seconds / weight;
  // Where all were alike, more rows cost at most in proportion, and fewer at most as much.
  if (slope < 0) return mean_seconds * std::max(1.0, r / mean_rows);
  // A step without rows costs no less than nothing.
  return mean_seconds + std::min(slope, mean_seconds / mean_rows) * (r - mean_rows);
}

double StepCost::added_row_seconds() const {
  return added_rows_ > 0 ? added_seconds_ / added_rows_ : prompt_row_seconds();
}

double StepCost::prompt_row_seconds() const {
  if (!known()) return 0;
  return prompt_.slope >= 0 ? prompt_.slope : prompt_.seconds / prompt_.rows;
}

double StepCost::seconds(double prompt_rows, double generated_rows) const {
  if (!known() || prompt_rows + generated_rows <= 0) return 0;
  if (generated_rows <= 0) return prompt_.at(prompt_rows);
  return generated_.at(generated_rows) + added_row_seconds() * prompt_rows;
}

int32_t StepCost::prompt_rows_within(double seconds_max, int32_t generated_rows, int32_t room) const {
  const double row = added_row_seconds();
  if (seconds_max <= 0 || generated_rows == 0 || !known() || row <= 0) return room;
  const double rows = (seconds_max / (1 + 2 * relative_error_) - seconds(0, generated_rows)) / row;
  if (rows >= room) return room;
  const int32_t groups = static_cast<int32_t>(std::max(rows, 0.0)) / kPromptRowsMin;
  return std::min(room, std::max(1, groups) * kPromptRowsMin);
}

void StepCost::observe(int32_t prompt_rows, int32_t generated_rows, double seconds) {
  if (!(seconds > 0) || prompt_rows + generated_rows <= 0) return;
  if (known()) {
    const double expected = this->seconds(prompt_rows, generated_rows);
    seconds = std::min(seconds, kOutlier * expected);
    relative_error_ = kFade * relative_error_ + (1 - kFade) * std::abs(seconds - expected) / expected;
  }
  if (prompt_rows == 0) return generated_.add(generated_rows, seconds);
  if (generated_rows == 0) return prompt_.add(prompt_rows, seconds);
  if (generated_.weight <= 0) return;
  // Rows are the weights, so that a long chunk says more than the last rows of a prompt.
  added_rows_ = kFade * added_rows_ + prompt_rows;
  added_seconds_ = kFade * added_seconds_ + std::max(0.0, seconds - generated_.at(generated_rows));
}

}  // namespace hussar
