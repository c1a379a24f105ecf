// What a step's kernels read about its rows: arrays on the device, filled by one copy before each step.
#pragma once

#include <cstdint>

namespace hussar::cuda {

constexpr int kBlockTokens = 32;   // positions that share a KV block
constexpr int kSplitTokens = 256;  // positions of a context that one group of threads attends to

// Part of a row's context in the attention of generated tokens.
struct DecodeItem {
  int32_t row;
  int32_t split;
};

// Some rows of a prompt.
struct PrefillItem {
  int32_t first_row;  // of the part, in the batch
  int32_t rows;       // of the part
  int32_t first_position;
  int32_t tile;   // its rows of queries (token, head of the group) tile * kPrefillQueries and on
  int32_t table;  // where the sequence's blocks begin in block_tables
};

struct StepInputs {
  const int32_t* tokens;        // [T]
  const int32_t* positions;     // [T]
  const int32_t* places;        // [T] block * kBlockTokens + offset; -1: a row that fills up a recorded step
  const int32_t* tables;        // [T] where the row's blocks begin in block_tables
  const int32_t* logit_rows;    // [R] rows of the batch
  const int32_t* decode_count;  // [1]
  const DecodeItem* decode_items;
  const PrefillItem* prefill_items;
  const int32_t* block_tables;
};

}  // namespace hussar::cuda
