// When requests will end, from their sizes alone: the scheduler's own rules run ahead.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/step_cost.h"

namespace hussar {

// What a request still needs at most. It may end earlier, never later.
struct ForecastJob {
  int32_t prompt_left = 0;  // rows of its prompt that are not computed
  int32_t tokens_left = 0;  // tokens that it may still generate
  int64_t blocks = 0;       // that it holds, or will hold from its admission on
};

struct ForecastLimits {
  int32_t running_max = 0;
  int32_t step_tokens_max = 0;
  double step_seconds_max = 0;   // as SchedulerLimits has it
  int64_t blocks_available = 0;  // beside those that `running` holds
};

// Plays the steps: every decoding sequence runs in each, the oldest prompt gets half of the rest, short ones
// come first, and `waiting` is admitted in its order as soon as slots and blocks are free. Appends to `ends`
// the seconds from now until each job of `running`, then of `waiting`, ends. A job that never fits, and those
// behind it, end at infinity. The buffers that it reuses belong to the object; one thread at a time.
class Forecast {
 public:
  void run(const ForecastLimits& limits, const StepCost& cost, std::span<const ForecastJob> running,
           std::span<const ForecastJob> waiting, std::vector<double>* ends);

 private:
  struct Active {
    size_t index;
    ForecastJob job;
    int32_t rows;  // of the prompt in this step
  };
  int32_t split_prompts(int32_t budget);

  std::vector<Active> active_;  // by age
  std::vector<size_t> by_left_;
};

}  // namespace hussar
