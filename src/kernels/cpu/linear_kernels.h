// What the matrix product of each ISA is given and what it promises. Plain structures only: the translation
// units of an ISA may share no inline function with the rest of the program, or the linker could pick their
// copy for a machine that lacks the ISA.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace hussar::cpu {

// Rows of a panel: what one AVX-512 register holds of 32-bit sums, or two of AVX2.
inline constexpr int32_t kPanelRows = 16;
// Columns that share a scale of the activations, and of most weight formats.
inline constexpr int32_t kBlockColumns = 32;
// Columns of a superblock: Q4_K, Q5_K and Q6_K keep their 16-bit scales once for so many.
inline constexpr int32_t kSuperblockColumns = 256;

// A block of activations that are all smaller counts as zero: 127 / amax must not overflow. No product of
// such numbers is near a useful one.
inline constexpr float kSmallestMagnitude = 1e-30f;

// Floats from one row of a matrix to the next: an odd number of cache lines, or the same column of many rows
// would compete for a few sets of the cache.
constexpr int64_t spread_stride(int64_t cols) { return ((cols + 15) / 16 | 1) * 16; }

// 32 consecutive activations of one row: x[k] is about scale * q[k]. A block with a NaN or an infinity has
// scale NaN, so that the row's results are NaN and no other row's are.
struct alignas(16) ActivationBlock {
  int8_t q[kBlockColumns];  // -127 .. 127
  float scale;              // largest |x| / 127
  float scaled_sum;         // scale * float(sum of q), for formats with a minimum
  // What centres stored quants around zero, in the 16-bit lanes that products of 4 columns are added in: -8
  // times the sum of the q[k] with k % 4 < 2, and of the others; over all columns and over the first 16.
  int16_t pairs[2];
  int16_t first_pairs[2];
};
static_assert(sizeof(ActivationBlock) == 48);

// A repacked matrix as the kernels see it; packed_matrix.h says how the bytes lie.
struct MatrixView {
  const uint8_t* panels;  // 64-byte aligned
  int64_t panel_bytes;    // one panel holds kPanelRows rows, the last one's missing rows are zero
  int32_t rows;
  int32_t cols;
  DType dtype;
};

enum class StoreMode : uint8_t { kStore, kAdd };

// y[t][r] (or +=) the sum over k of w[r][k] x[t][k], plus bias[r].
struct LinearArgs {
  MatrixView w;
  const ActivationBlock* blocks;  // [M, cols / 32]; read when w is a block format (Q...)
  const float* x;                 // [M, cols] with x_stride; read when w is F32, F16 or BF16
  int64_t x_stride;               // floats from one row to the next
  int32_t tokens;                 // M >= 1
  float* y;                       // [M, rows] with y_stride
  int64_t y_stride;
  const float* bias;  // [rows] or null
  StoreMode mode;
};

// Bit for bit, a result depends on its row of W and its row of x alone: not on M, on which panels are asked
// for together, or on the ISA. For a block format, in the order of the blocks and starting from acc = 0 (fma
// rounds once):
//   acc = fma(d_w * d_x, float(integer sum), acc), then, for formats with a minimum, acc = fma(m_w,
//   scaled_sum, acc).
// For F32, F16 and BF16, in the order of k: acc = fma(w, x, acc). Then acc += bias, and acc += y for kAdd.
struct LinearKernels {
  // Computes the rows of panels [panel_begin, panel_end). REQUIRES: w.lanes is the ISA's; FlushDenormals is
  // in force.
  void (*linear)(const LinearArgs& args, int64_t panel_begin, int64_t panel_end);
  // Quantises one row of `cols` floats (a multiple of 32) into cols / 32 blocks.
  void (*quantize_row)(const float* x, int32_t cols, ActivationBlock* blocks);
};

namespace reference {
extern const LinearKernels kLinear;
}
namespace avx2 {
extern const LinearKernels kLinear;
}
namespace avx512 {
extern const LinearKernels kLinear;
}
namespace amx {
extern const LinearKernels kLinear;
}

}  // namespace hussar::cpu
