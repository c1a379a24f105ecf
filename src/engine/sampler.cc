#include "engine/sampler.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/seeds.h"

namespace hussar {

namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();
// Of the attempts after a likeliest answer that did not pass its check: the likeliest one would be the same.
constexpr float kRetryTemperature = 0.7f;

// Whether the same token would be sampled again whatever is drawn.
bool is_likeliest_alone(const SampleParams& params) {
  constexpr float kTopPMin = 1e-3f;
  return params.temperature == 0 || params.top_k == 1 || params.top_p < kTopPMin || params.min_p >= 1;
}

// Forbids the token that would complete a bad word behind `generated`.
void forbid_bad_words(const Request& request, std::span<const TokenId> generated,
                      std::vector<TokenBias>* bias) {
  for (const std::vector<TokenId>& word : request.bad_words) {
    const auto begin = std::span(word).first(word.size() - 1);
    if (begin.size() <= generated.size() && std::ranges::equal(begin, generated.last(begin.size())))
      bias->push_back({word.back(), kForbidden});
  }
}

}  // namespace

void Sampler::begin(int32_t slot, const Request& request) {
  std::vector<TokenBias>& bias = biases_[static_cast<size_t>(slot)];
  const size_t stops = request.tokens_min == 0 ? 0 : request.stop_ids.size();
  bias.reserve(request.bias.size() + stops + request.bad_words.size());
  bias.assign(request.bias.begin(), request.bias.end());
  for (size_t i = 0; i < stops; ++i) bias.push_back({request.stop_ids[i], kForbidden});
}

SampleRow Sampler::row(int32_t slot, const Scheduler::SequenceView& sequence, int32_t logit_row,
                       int32_t tokens_ahead) {
  const Request& request = sequence.request;
  std::vector<TokenBias>& bias = biases_[static_cast<size_t>(slot)];
  const bool stops_forbidden = sequence.generated_tokens + tokens_ahead < request.tokens_min;
  bias.resize(request.bias.size() + (stops_forbidden ? request.stop_ids.size() : 0));
  forbid_bad_words(request, sequence.tokens.subspan(static_cast<size_t>(sequence.prompt_tokens)), &bias);
  SampleRow row;
  row.logit_row = logit_row;
  row.slot = slot;
  row.position = static_cast<int32_t>(sequence.tokens.size()) + tokens_ahead;
  // Not the seed of another choice: those are made of the seed itself.
  row.seed =
      sequence.attempt == 0 ? request.seed : nth_seed(~request.seed, static_cast<uint64_t>(sequence.attempt));
  row.params = request.sample;
  if (sequence.attempt > 0 && is_likeliest_alone(row.params)) {
    row.params.temperature = kRetryTemperature;
    row.params.top_k = 0;
    row.params.top_p = 1;
    row.params.min_p = 0;
  }
  row.allow_mask = request.allowed ? request.allowed->data() : nullptr;
  row.bias = bias;
  row.logprobs_top = request.logprobs_top;
  return row;
}

}  // namespace hussar
