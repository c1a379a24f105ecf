// What a validation may cost.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hussar {

// Work that may be done yet; whoever works takes what it uses, a step being some nanoseconds. Below zero the
// budget is spent, and whatever was computed must not be used.
struct StepBudget {
  int64_t steps_left = 0;

  bool take(int64_t steps) { return (steps_left -= steps) >= 0; }
  // For work that goes over text at memory's speed.
  bool take_bytes(size_t bytes) { return take(1 + static_cast<int64_t>(bytes / 64)); }
  bool is_spent() const { return steps_left < 0; }
};

}  // namespace hussar
