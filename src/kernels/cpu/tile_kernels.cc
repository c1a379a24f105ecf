#include "kernels/cpu/tile_kernels.h"

#include "kernels/cpu/isa.h"

namespace hussar::cpu {

const TileKernels* tile_kernels(Isa isa) {
  if (isa == Isa::kReferenceTiles) return &reference::kTiles;
  return isa == Isa::kAmx ? &amx::kTiles : nullptr;
}

bool multiplies_tiles(DType dtype) { return dtype != DType::kF32 && dtype != DType::kF16; }

}  // namespace hussar::cpu
