// What a step costs on this device with this model, learned from the steps that ran.
#pragma once

#include <cstdint>

namespace hussar {

// A value without a clock: the caller says how long a step took. Three kinds of steps are told apart, each
// nearly a straight line: prompt rows alone, generated rows alone, and what prompt rows add to generated
// ones. Old steps fade, so that a slower machine or longer contexts are noticed within some hundred steps.
class StepCost {
 public:
  // `seconds` <= 0 is ignored: a test without time, or a clock that stood still.
  void observe(int32_t prompt_rows, int32_t generated_rows, double seconds);

  // Prompts and generated rows have been seen. Until then every estimate is 0.
  bool known() const { return generated_.weight > 0 && prompt_.weight > 0; }
  // Generated rows have been seen in different numbers: what one costs is known.
  bool rows_known() const { return generated_.slope >= 0; }
  double seconds(double prompt_rows, double generated_rows) const;
  double prompt_row_seconds() const;  // in a step of its own
  double added_row_seconds() const;   // to a step that generates
  // How many prompt rows, at most `room`, a step may take beside `generated_rows` so that its estimate stays
  // within `seconds_max` (0: no bound) even when it is off by twice the mean error: a multiple of
  // kPromptRowsMin, since kernels take rows in groups. Never fewer than that where there is room: prompts go
  // on even where the answers alone take longer. Without answers in the step nobody waits, and before the
  // costs are known nobody can tell: all of the room then.
  static constexpr int32_t kPromptRowsMin = 32;
  int32_t prompt_rows_within(double seconds_max, int32_t generated_rows, int32_t room) const;
  // How far estimates were off lately, as a share of the estimate: what a promise should leave as room.
  double relative_error() const { return relative_error_; }

 private:
  // Seconds over rows: sums in which each step fades with those after it. The slope stays when all steps of
  // late were alike.
  struct Line {
    double weight = 0, rows = 0, rows_squared = 0, seconds = 0, rows_seconds = 0;
    double slope = -1;  // negative: never seen
    void add(double r, double s);
    double at(double r) const;
  };

  Line generated_, prompt_;                    // of steps that hold one kind alone
  double added_rows_ = 0, added_seconds_ = 0;  // by prompt rows to steps that hold both
  double relative_error_ = 0;
};

}  // namespace hussar
