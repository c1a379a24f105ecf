// How models stretch rotary embeddings over contexts longer than those that they were first trained on.
#pragma once

#include <cstdint>

#include "kernels/weight.h"

namespace hussar {

// Llama 3.1: long waves are slowed by `factor`, short ones stay, those between are mixed.
struct Llama3Scaling {
  double factor = 8.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  int64_t context_original = 8192;
};
// Fills rope->frequency_divisors from rope->base and dims. Source: Hugging Face transformers,
// _compute_llama3_parameters.
void apply_llama3_scaling(const Llama3Scaling& scaling, RopeParams* rope);

// YaRN (arXiv 2309.00071): pairs that turn more than `beta_fast` times within the original context stay,
// those below `beta_slow` turns are slowed by `factor`, with a ramp between.
struct YarnScaling {
  double factor = 1.0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  int64_t context_original = 32768;
  double attention_factor = 1.0;  // what queries and keys are multiplied by
  bool whole_pairs = true;        // the ramp's ends are rounded to whole pairs
};
// The attention factor that the paper gives for a stretch: 0.1 ln(factor) + 1.
double yarn_attention_factor(double factor, double mscale = 1.0);
// Fills rope->frequency_divisors and rope->attention_factor.
void apply_yarn_scaling(const YarnScaling& scaling, RopeParams* rope);
// Tokens that a model takes whose file states `context`: the stretched original context where that is more.
int32_t stretched_context(int32_t context, const YarnScaling& scaling);

}  // namespace hussar
