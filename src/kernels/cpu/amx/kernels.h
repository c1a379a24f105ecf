// Parts of AMX's kTiles.
#pragma once

#include "kernels/cpu/tile_kernels.h"

namespace hussar::cpu::amx {

void linear(const TiledLinearArgs& args, int64_t panel_begin, int64_t panel_end);
void gated(const TiledGatedArgs& args, int64_t panel_begin, int64_t panel_end);
void store_row(const float* x, int32_t cols, int64_t row, int64_t first, int64_t across, uint16_t* tiles);

}  // namespace hussar::cpu::amx
