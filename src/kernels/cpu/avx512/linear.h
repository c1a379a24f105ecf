// What AVX-512's kLinear is made of, for the instruction sets that add to it.
#pragma once

#include "kernels/cpu/linear_kernels.h"

namespace hussar::cpu::avx512 {

void linear(const LinearArgs& args, int64_t panel_begin, int64_t panel_end);
void quantize_row(const float* x, int32_t cols, ActivationBlock* blocks);

}  // namespace hussar::cpu::avx512
