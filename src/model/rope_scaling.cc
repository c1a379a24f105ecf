#include "model/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/config.h"

namespace hussar {
namespace {

double frequency_of_pair(const RopeParams& rope, int32_t pair) {
  return std::pow(rope.base, -2.0 * pair / rope.dims);
}

// The pair (a fraction) that turns `turns` times within `context` positions.
double pair_of_turns(const RopeParams& rope, double turns, double context) {
  return rope.dims * std::log(context / (turns * 2.0 * std::numbers::pi)) / (2.0 * std::log(rope.base));
}

}  // namespace

void apply_llama3_scaling(const Llama3Scaling& scaling, RopeParams* rope) {
  const auto original = static_cast<double>(scaling.context_original);
  rope->frequency_divisors.clear();
  for (int32_t i = 0; i < rope->dims / 2; ++i) {
    const double wave = 2.0 * std::numbers::pi / frequency_of_pair(*rope, i);
    double divisor = 1.0;
    if (wave > original / scaling.low_frequency_factor) {
      divisor = scaling.factor;
    } else if (wave >= original / scaling.high_frequency_factor) {
      const double smooth = (original / wave - scaling.low_frequency_factor) /
                            (scaling.high_frequency_factor - scaling.low_frequency_factor);
      divisor = 1.0 / ((1.0 - smooth) / scaling.factor + smooth);
    }
    rope->frequency_divisors.push_back(static_cast<float>(divisor));
  }
}

double yarn_attention_factor(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

void apply_yarn_scaling(const YarnScaling& scaling, RopeParams* rope) {
  const auto original = static_cast<double>(scaling.context_original);
  double low = pair_of_turns(*rope, scaling.beta_fast, original);
  double high = pair_of_turns(*rope, scaling.beta_slow, original);
  if (scaling.whole_pairs) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rope->dims - 1.0);
  if (high <= low) high = low + 0.001;  // a ramp of no width
  rope->frequency_divisors.clear();
  for (int32_t i = 0; i < rope->dims / 2; ++i) {
    const double slowed = std::clamp((i - low) / (high - low), 0.0, 1.0);
    rope->frequency_divisors.push_back(static_cast<float>(1.0 / (slowed / scaling.factor + 1.0 - slowed)));
  }
  rope->attention_factor = scaling.attention_factor;
}

int32_t stretched_context(int32_t context, const YarnScaling& scaling) {
  const double stretched = scaling.factor * static_cast<double>(scaling.context_original);
  return static_cast<int32_t>(
      std::clamp(stretched, static_cast<double>(context), static_cast<double>(kContextMax)));
}

}  // namespace hussar
