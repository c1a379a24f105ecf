#include "kernels/cpu/peaks_kernels.h"

#include <immintrin.h>

#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/avx512/peaks.h"

namespace hussar::cpu::amx {
namespace {

int64_t multiply(int64_t rounds) {
  TileConfig config;
  for (int tile = 0; tile < 8; tile++) config.set(tile, 16, 64);
  config.load();
  // As many as the dot products of AVX-512's loop take, so that both run for about as long.
  for (int64_t i = 0; i < rounds; i++) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 6, 7);
    _tile_dpbf16ps(3, 6, 7);
  }
  _tile_release();
  return rounds * 4 * 16 * 16 * 32;
}

}  // namespace

const PeakKernels kPeaks = {avx512::read, multiply};

}  // namespace hussar::cpu::amx
