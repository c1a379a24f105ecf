#include "engine/sampler.h"

#include <limits>
#include <span>

namespace hussar {

void Sampler::begin(int32_t slot, const Request& request) {
  std::vector<TokenBias>& bias = biases_[static_cast<size_t>(slot)];
  bias.assign(request.bias.begin(), request.bias.end());
  if (request.tokens_min == 0) return;
  for (TokenId id : request.stop_ids) bias.push_back({id, -std::numeric_limits<float>::infinity()});
}

SampleRow Sampler::row(int32_t slot, const Scheduler::SequenceView& sequence, int32_t logit_row) const {
  const Request& request = sequence.request;
  const std::span<const TokenBias> bias = biases_[static_cast<size_t>(slot)];
  const bool stops_forbidden = sequence.generated_tokens < request.tokens_min;
  SampleRow row;
  row.logit_row = logit_row;
  row.slot = slot;
  row.position = static_cast<int32_t>(sequence.tokens.size());
  row.seed = request.seed;
  row.params = request.sample;
  row.bias = stops_forbidden ? bias : bias.first(request.bias.size());
  row.logprobs_top = request.logprobs_top;
  return row;
}

}  // namespace hussar
