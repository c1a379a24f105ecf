// A weight repacked for SIMD: 16 rows interleaved, so that one lane of a register is one output row. All
// instruction sets share the layout.
//
// A panel holds L = kPanelRows consecutive rows and is one stream of bytes, in the order in which a product
// reads it. Rows that the last panel lacks are zero. A group is 4 consecutive columns: what one 32-bit lane
// of an integer dot product takes at once.
//
//   F32, F16, BF16   for each column: L numbers
//   Q8_0             for each 32 columns: 8 groups of 4L bytes, then L scales (f16)
//   Q4_0, Q4_1       for each 32 columns: 16L bytes of nibbles, then L scales and, for Q4_1, L minima (f16)
//   Q5_0, Q5_1       the same with 4L bytes of fifth bits behind the nibbles
//   Q4_K, Q5_K       for each 256 columns: L scales and L minima (f16); 8 x L scales and 8 x L minima (6
//   bits, a byte each); then 8 times the
//                    nibbles (and fifth bits) of 32 columns
//   Q6_K             for each 256 columns: L scales (f16); 8 x L pairs of scales (bytes with a sign, for
//   columns 0 .. 15 and 16 .. 31); then
//                    8 times 16L bytes of nibbles and 8L bytes of bits 4 and 5
//
// Nibbles: byte 4L v + 4l + i (v < 4, l < L, i < 4) holds column 4v + i of row l in its low half and column
// 4(v + 4) + i in its high half. Fifth bits: bit g of byte 4l + i belongs to column 4g + i. Bits 4 and 5:
// bits 2g and 2g + 1 of byte 4Lh + 4l + i belong to column 4(g + 4h) + i, g < 4, h < 2.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/linear_kernels.h"
#include "kernels/cpu/thread_team.h"
#include "kernels/weight.h"

namespace hussar::cpu {

// Bytes of one 32-column block within a panel, without what a superblock keeps for all of its blocks; and
// those.
struct PanelLayout {
  int32_t block_bytes;       // for each block of 32 columns (for each column for F32, F16, BF16)
  int32_t superblock_bytes;  // before each 8 blocks; 0 for formats without superblocks
};
PanelLayout panel_layout(DType dtype);

class PackedMatrix {
 public:
  // Copies, converts where tensor.kept_as says so, and repacks in parallel. Errors: kInvalid (the byte count
  // doesn't fit the shape), kUnsupported (a shape that isn't positive, is too large for 32 bits or isn't a
  // multiple of the format's block), kOutOfMemory.
  static Result<PackedMatrix> pack(const TensorView& tensor, ThreadTeam& team);

  const MatrixView& view() const { return view_; }
  int64_t bytes() const { return bytes_; }

  // The row as floats: exactly what dequantize() makes of the stored row. For embeddings. REQUIRES: row <
  // rows. Any thread.
  void dequantize_row(int32_t row, float* out) const;

 private:
  struct Free {
    void operator()(uint8_t* memory) const;
  };
  MatrixView view_{};
  int64_t bytes_ = 0;
  std::unique_ptr<uint8_t, Free> memory_;
};

// Block `index` (32 columns) of one row of a packed block format, as it was stored. For the scalar reference
// and for embeddings.
void read_packed_block(const MatrixView& matrix, int32_t row, int64_t index, StoredBlock* out);

}  // namespace hussar::cpu
