// Chooses tokens on the device, by the contract of batch.h: bias and mask, penalties, temperature, top_k,
// top_p, min_p, then a draw that depends on (seed, position) alone. A NaN counts as -infinity.
//
// Weights are summed as integers (2^-40 of the likeliest token's), so that no order of threads can change a
// sum. What may be drawn is never gathered: cuts found by a radix search say of each token whether it is in.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "kernels/batch.h"

namespace hussar::cuda {

constexpr int kTopMax = 128;  // likeliest tokens that a row can be asked for
// Biases that the rows of one launch may have together: at least those of one row.
inline int32_t biases_max(int32_t vocab_size) { return std::max(1 << 16, vocab_size); }

// A SampleRow as the kernel reads it.
struct SampleTask {
  uint64_t seed;
  int32_t logit_row;
  int32_t slot;
  int32_t position;
  int32_t next;         // the next task of the slot, -1: none
  int32_t comes_first;  // 1: the slot's first task
  int32_t top_k;
  int32_t mask_at;  // in words; -1: none
  int32_t bias_at, bias_count;
  int32_t logprobs_top;
  float temperature, top_p, min_p;
  float repetition_penalty, presence_penalty, frequency_penalty;
};

struct SampleResult {
  TokenId token;
  float logprob;
  int32_t top_count;
};

struct SampleArgs {
  const SampleTask* tasks;
  const TokenBias* biases;
  const uint32_t* masks;
  const float* logits;  // [R, stride]
  float* changed;       // [R, stride]: room for changed logits
  uint32_t* counts;  // [slots, vocab]: how often each token was generated; the top bit: it is in the prompt
  int32_t vocab;
  int64_t stride;  // a multiple of 4
  SampleResult* results;
  TokenLogprob* top;  // [tasks, kTopMax]
};

// Tasks begin .. end - 1.
void sample_rows(const SampleArgs& args, int32_t begin, int32_t end, cudaStream_t stream);
// Takes back the counts of the first `tasks` results.
void take_back(const SampleArgs& args, int32_t tasks, cudaStream_t stream);
// Marks a slot's prompt. REQUIRES: the slot's counts are zero.
void mark_prompt(uint32_t* counts, const TokenId* prompt, int32_t tokens, cudaStream_t stream);

}  // namespace hussar::cuda
