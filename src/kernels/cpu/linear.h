// Matrix products y = x W^T over packed weights, for the members of a thread team.
//
// A product is two passes with a barrier between them. Inside ThreadTeam::run(), every member:
//   quantize_rows(kernels, x, stride, M, cols, blocks, member, size);   // skipped when
//   !reads_blocks(w.dtype) team.barrier(); linear(kernels, args, member, size);
// Several products of the same rows (query, key, value; gate and up) share the first pass.
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/linear_kernels.h"
#include "kernels/cpu/thread_team.h"

namespace hussar::cpu {

const LinearKernels& linear_kernels(Isa isa);

// True for the block formats, which multiply quantised rows; false for F32, F16 and BF16, which multiply
// floats.
bool reads_blocks(DType dtype);

// Quantises this member's share of M rows of `cols` floats into blocks[M, cols / 32]. REQUIRES: cols is a
// multiple of 32.
void quantize_rows(const LinearKernels& kernels, const float* x, int64_t x_stride, int32_t tokens,
                   int32_t cols, ActivationBlock* blocks, int32_t member, int32_t size);

// The panels of a matrix of so many rows that a member computes, and so the ones that it repacks: pairs of
// them, as tiles take them.
Range panel_share(int64_t rows, int32_t member, int32_t size);

// Computes this member's share of the panels.
void linear(const LinearKernels& kernels, const LinearArgs& args, int32_t member, int32_t size);

}  // namespace hussar::cpu
