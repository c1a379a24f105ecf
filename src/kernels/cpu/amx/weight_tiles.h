// From the packed formats to the BF16 tiles that a product takes of the weights.
#pragma once

#include "kernels/cpu/tile_kernels.h"

namespace hussar::cpu::amx {

// Writes blocks [first, first + count) of 32 columns of a panel, each a tile [16 pairs of columns][16
// rows][2].
using WeightWriter = void (*)(const MatrixView& w, int64_t panel, int32_t first, int32_t count,
                              uint16_t* out);

// REQUIRES: multiplies_tiles(dtype).
WeightWriter weight_writer(DType dtype);

}  // namespace hussar::cpu::amx
