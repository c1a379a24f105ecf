// What the bits of the stored formats mean: floats, and the integers and scales behind them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace hussar::cpu {

// Decodes `count` elements of a row as the format defines them (GGML's formats, GGUF's reference decoder).
// REQUIRES: count is a multiple of the format's block.
void dequantize(DType dtype, const std::byte* stored, int64_t count, float* out);

// 32 consecutive elements of a block format. The value of element k is d * (q[k] + offset) + m, where the
// scales are kept as they are stored: f16 bits, and for superblocks small integers beside them.
//
//   Q4_0, Q5_0, Q8_0   scale * (q + offset); offset -8, -16, 0
//   Q4_1, Q5_1         scale * q + min
//   Q4_K, Q5_K         scale * scales[0] * q - min * mins
//   Q6_K               scale * scales[k / 16] * (q - 32)
struct StoredBlock {
  int16_t q[32];      // 0 .. 15, 31 or 63 as stored; -128 .. 127 for Q8_0
  uint16_t scale;     // f16 bits
  uint16_t min;       // f16 bits; 0 for the formats that have none
  int16_t scales[2];  // 6 bits without a sign for Q4_K and Q5_K (both equal); 8 bits with a sign for Q6_K
  int16_t mins;       // 6 bits without a sign
};

// Reads block `index` (of 32 elements) of a row. REQUIRES: a block format.
void read_stored_block(DType dtype, const std::byte* row, int64_t index, StoredBlock* out);

// The values of its 32 elements.
void block_values(DType dtype, const StoredBlock& block, float* out);

// What is added to q by the formats without a minimum: -8 for Q4_0, -16 for Q5_0, -32 for Q6_K, else 0.
int32_t quant_offset(DType dtype);

}  // namespace hussar::cpu
