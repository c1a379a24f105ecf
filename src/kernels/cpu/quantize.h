// Weights of plain numbers to blocks of few bits, when a model is loaded.
#pragma once

#include "base/dtype.h"
#include "kernels/cpu/dequantize.h"

namespace hussar::cpu {

// Whether quantize_block() knows the format: Q8_0 and Q4_1.
bool can_quantize_to(DType dtype);

// 32 numbers as one block; block_values() gives about them back. Q8_0: the scale is the largest magnitude /
// 127. Q4_1: of several scales, refitted by least squares, the one with the least squared error. A block with
// a NaN, an infinity or numbers too large for a 16-bit scale gives NaNs, as the numbers themselves would have
// in every product. REQUIRES: can_quantize_to(dtype).
void quantize_block(DType dtype, const float* x, StoredBlock* out);

}  // namespace hussar::cpu
