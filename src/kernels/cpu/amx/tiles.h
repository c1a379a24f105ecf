// The configuration of AMX's eight tile registers.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace hussar::cpu::amx {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int32_t count, int32_t bytes) {
    rows[tile] = static_cast<uint8_t>(count);
    row_bytes[tile] = static_cast<uint16_t>(bytes);
  }
  // In force for this thread until _tile_release(); clears all tiles.
  void load() const {
    // GCC 12 gives the instruction an operand of 8 bytes and would drop the stores of the others.
    asm volatile("" : : "r"(this) : "memory");
    _tile_loadconfig(this);
  }
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace
}  // namespace hussar::cpu::amx
