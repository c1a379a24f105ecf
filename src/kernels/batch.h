// What one step computes: rows of several sequences, and what is wanted of their logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"

namespace hussar {

// Prompt tokens and generated tokens may take different arithmetic paths; the path depends on the role and on
// nothing else about the batch.
enum class RowRole : uint8_t { kPrompt, kGenerated };

// Consecutive rows of one sequence, at consecutive positions.
struct BatchPart {
  int32_t slot;  // the sequence's slot, where the backend keeps its token counts
  int32_t first_position;
  int32_t rows;
  int32_t logit_rows;  // of its last rows: 0 for a prompt's middle chunk
  RowRole role;
  std::span<const int32_t> blocks;  // KV blocks of positions 0 .. at least first_position + rows - 1
};

// Stands among a batch's tokens for the one that row `row` of the sample() before brings, which need not have
// come back from the device yet. Where that row brings none (-1), any token is computed in its place.
constexpr TokenId token_sampled_by(int32_t row) { return ~row; }

// T = the sum of the parts' rows, R = the sum of their logit_rows. Parts of generated rows come first, then
// prompts.
struct Batch {
  std::span<const TokenId> tokens;  // [T], in the order of the parts; negative: token_sampled_by()
  std::span<const BatchPart> parts;
};

struct TokenBias {
  TokenId token;
  float bias;  // added to the logit; -infinity forbids the token
};

struct SampleParams {
  float temperature = 1.0f;         // 0 is greedy: the highest logit, ties to the lower id
  int32_t top_k = 0;                // 0: off
  float top_p = 1.0f;               // 1: off
  float min_p = 0.0f;               // 0: off
  float repetition_penalty = 1.0f;  // over prompt and generated tokens; 1: off
  float presence_penalty = 0.0f;    // over generated tokens
  float frequency_penalty = 0.0f;   // over generated tokens
};

// How one of the R rows is sampled. Its randomness comes from (seed, position) alone, so that the same seed
// gives the same text whatever else runs. The order of changes: bias and mask, penalties, temperature, top_k,
// top_p, min_p.
struct SampleRow {
  int32_t logit_row = 0;  // index among the R rows
  int32_t slot = 0;
  int32_t position = 0;  // of the token being sampled
  uint64_t seed = 0;
  SampleParams params;
  const uint32_t* allow_mask = nullptr;  // [ceil(vocab / 32)], bit set = allowed; null: all
  std::span<const TokenBias> bias;
  int32_t logprobs_top =
      -1;  // -1: no log-probabilities; 0: the sampled token's; n: and those of the n likeliest
};

struct TokenLogprob {
  TokenId token;
  float logprob;  // natural logarithm, of the model's own distribution before any change
};

struct SampledToken {
  TokenId token = -1;                 // -1: nothing was allowed by the mask
  float logprob = 0.0f;               // when logprobs_top >= 0
  std::span<const TokenLogprob> top;  // the logprobs_top likeliest, highest first, ties to the lower id
};

// Valid until the next forward() or finish_step().
struct StepOutput {
  std::span<const SampledToken> rows;  // in the order of the SampleRows
};

}  // namespace hussar
