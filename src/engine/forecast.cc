#include "engine/forecast.h"

#include <algorithm>
#include <limits>

namespace hussar {

// Gives the prompts their rows of one step and returns how many there are.
int32_t Forecast::split_prompts(int32_t budget) {
  by_left_.clear();
  for (size_t i = 0; i < active_.size(); ++i) {
    active_[i].rows = 0;
    if (active_[i].job.prompt_left > 0) by_left_.push_back(i);
  }
  if (by_left_.empty()) return 0;
  const int32_t all = budget;
  const size_t oldest = by_left_.front();
  const auto give = [&](size_t i, int32_t rows_max) {
    const int32_t rows = std::min({active_[i].job.prompt_left - active_[i].rows, rows_max, budget});
    active_[i].rows += rows;
    budget -= rows;
  };
  give(oldest, (budget + 1) / 2);
  std::ranges::sort(by_left_, [this](size_t a, size_t b) {
    const int32_t left_a = active_[a].job.prompt_left, left_b = active_[b].job.prompt_left;
    return left_a != left_b ? left_a < left_b : a < b;
  });
  for (const size_t i : by_left_) {
    if (i != oldest) give(i, budget);
  }
  give(oldest, budget);
  return all - budget;
}

void Forecast::run(const ForecastLimits& limits, const StepCost& cost, std::span<const ForecastJob> running,
                   std::span<const ForecastJob> waiting, std::vector<double>* ends) {
  const size_t first = ends->size();
  ends->resize(first + running.size() + waiting.size(), std::numeric_limits<double>::infinity());
  active_.clear();
  for (size_t i = 0; i < running.size(); ++i) active_.push_back({i, running[i], 0});
  int64_t available = limits.blocks_available;
  double now = 0;
  const auto take_out_ended = [&] {
    std::erase_if(active_, [&](const Active& active) {
      if (active.job.tokens_left > 0) return false;
      (*ends)[first + active.index] = now;
      available += active.job.blocks;
      return true;
    });
  };
  take_out_ended();
  for (size_t next = 0;;) {
    while (next < waiting.size() && active_.size() < static_cast<size_t>(limits.running_max) &&
           waiting[next].blocks <= available) {
      available -= waiting[next].blocks;
      active_.push_back({running.size() + next, waiting[next], 0});
      ++next;
    }
    if (active_.empty()) return;
    const auto decodes = [](const Active& a) { return a.job.prompt_left == 0; };
    const auto decoding = static_cast<int32_t>(std::ranges::count_if(active_, decodes));
    const int32_t room = std::max(0, limits.step_tokens_max - decoding);
    const int32_t rows = split_prompts(cost.prompt_rows_within(limits.step_seconds_max, decoding, room));
    // Until a prompt or an answer ends, all steps are alike: the shortest prompts stay the shortest.
    int32_t steps = std::numeric_limits<int32_t>::max();
    for (const Active& active : active_) {
      if (decodes(active)) {
        steps = std::min(steps, active.job.tokens_left);
      } else if (active.rows > 0) {
        steps = std::min(steps, active.job.prompt_left / active.rows);
      }
    }
    now += steps * cost.seconds(rows, decoding);
    for (Active& active : active_) {
      if (decodes(active)) {
        active.job.tokens_left -= steps;
        continue;
      }
      active.job.prompt_left -= active.rows * steps;
      active.rows = 0;
      // The last row of a prompt gives the first token.
      if (active.job.prompt_left == 0) --active.job.tokens_left;
    }
    take_out_ended();
  }
}

}  // namespace hussar
