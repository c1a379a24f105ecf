// Turns a request's parameters and where it stands into rows for Backend::sample.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/scheduler.h"
#include "kernels/batch.h"

namespace hussar {

// Keeps for each slot what does not change from token to token, so that a step allocates nothing. The engine
// thread owns it.
class Sampler {
 public:
  explicit Sampler(int32_t slots) : biases_(static_cast<size_t>(slots)) {}

  void begin(int32_t slot, const Request& request);
  void end(int32_t slot) { biases_[static_cast<size_t>(slot)].clear(); }

  // How the next token of the slot is sampled, or the one behind `tokens_ahead` more that aren't known yet.
  // The row points into this sampler and the request, and is valid until the slot's next begin(), row() or
  // end(). REQUIRES: tokens_ahead is 0 for a request with bad words.
  SampleRow row(int32_t slot, const Scheduler::SequenceView& sequence, int32_t logit_row,
                int32_t tokens_ahead = 0);

 private:
  // By slot: the request's own bias, then its stop ids as forbidden ones, which are left off once tokens_min
  // is reached, then what bad words forbid at this place.
  std::vector<std::vector<TokenBias>> biases_;
};

}  // namespace hussar
