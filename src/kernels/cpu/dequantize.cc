#include "kernels/cpu/dequantize.h"

#include <cstring>

#include "base/check.h"
#include "kernels/cpu/float16.h"

namespace hussar::cpu {
namespace {

uint16_t read_u16(const uint8_t* at) { return static_cast<uint16_t>(at[0] | at[1] << 8); }
uint32_t read_u32(const uint8_t* at) { return read_u16(at) | uint32_t{read_u16(at + 2)} << 16; }

// Elements 0 .. 15 are the low halves, 16 .. 31 the high halves; bit j of `fifth_bits` belongs to element j.
void read_split_nibbles(const uint8_t* nibbles, uint32_t fifth_bits, StoredBlock* out) {
  for (uint32_t j = 0; j < 16; j++) {
    out->q[j] = static_cast<int16_t>((nibbles[j] & 15) | (fifth_bits >> j & 1) << 4);
    out->q[j + 16] = static_cast<int16_t>(nibbles[j] >> 4 | (fifth_bits >> (j + 16) & 1) << 4);
  }
}

// Sub-block j of Q4_K and Q5_K: 6-bit scale and minimum, out of 12 bytes that hold 8 of each.
void read_six_bit_scales(const uint8_t* packed, int32_t j, StoredBlock* out) {
  int32_t scale = 0, min = 0;
  if (j < 4) {
    scale = packed[j] & 63;
    min = packed[j + 4] & 63;
  } else {
    scale = (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4;
    min = packed[j + 4] >> 4 | packed[j] >> 6 << 4;
  }
  out->scales[0] = out->scales[1] = static_cast<int16_t>(scale);
  out->mins = static_cast<int16_t>(min);
}

// Q4_K and Q5_K: d, dmin, 12 bytes of scales, 32 bytes of fifth bits (null for Q4_K: bit j of byte k belongs
// to sub-block j), nibbles: each 32 bytes hold an even sub-block in their low halves and the odd one behind
// it in their high halves.
void read_k_block(const uint8_t* super, const uint8_t* fifth_bits, const uint8_t* nibbles, int32_t j,
                  StoredBlock* out) {
  out->scale = read_u16(super);
  out->min = read_u16(super + 2);
  read_six_bit_scales(super + 4, j, out);
  for (int32_t k = 0; k < 32; k++) {
    const int32_t nibble = nibbles[j / 2 * 32 + k] >> (j % 2 * 4) & 15;
    const int32_t fifth = fifth_bits == nullptr ? 0 : fifth_bits[k] >> j & 1;
    out->q[k] = static_cast<int16_t>(nibble | fifth << 4);
  }
}

// Q6_K: 128 bytes of nibbles, 64 of bit pairs, 16 signed scales, d. Each half of 128 elements has 64 bytes of
// nibbles (two rows of 32, low halves first) and 32 bytes of pairs.
void read_q6_block(const uint8_t* super, int32_t j, StoredBlock* out) {
  const int32_t half = j / 4, quarter = j % 4;
  const uint8_t* nibbles = super + half * 64 + quarter % 2 * 32;
  const uint8_t* pairs = super + 128 + half * 32;
  for (int32_t k = 0; k < 32; k++) {
    const int32_t low = nibbles[k] >> (quarter / 2 * 4) & 15, high = pairs[k] >> (quarter * 2) & 3;
    out->q[k] = static_cast<int16_t>(low | high << 4);
  }
  for (int32_t i = 0; i < 2; i++) out->scales[i] = static_cast<int8_t>(super[192 + j * 2 + i]);
  out->scale = read_u16(super + 208);
}

}  // namespace

void read_stored_block(DType dtype, const std::byte* row, int64_t index, StoredBlock* out) {
  const DTypeInfo& info = dtype_info(dtype);
  const int64_t stored_index = index * 32 / info.block_elements;
  const auto* at = reinterpret_cast<const uint8_t*>(row) + stored_index * info.block_bytes;
  const auto sub_block = static_cast<int32_t>(index % 8);  // of a superblock
  out->min = 0;
  out->scales[0] = out->scales[1] = out->mins = 0;
  switch (dtype) {
    case DType::kQ4_0:
      out->scale = read_u16(at);
      return read_split_nibbles(at + 2, 0, out);
    case DType::kQ4_1:
      out->scale = read_u16(at);
      out->min = read_u16(at + 2);
      return read_split_nibbles(at + 4, 0, out);
    case DType::kQ5_0:
      out->scale = read_u16(at);
      return read_split_nibbles(at + 6, read_u32(at + 2), out);
    case DType::kQ5_1:
      out->scale = read_u16(at);
      out->min = read_u16(at + 2);
      return read_split_nibbles(at + 8, read_u32(at + 4), out);
    case DType::kQ8_0:
      out->scale = read_u16(at);
      for (int32_t k = 0; k < 32; k++) out->q[k] = static_cast<int8_t>(at[2 + k]);
      return;
    case DType::kQ4_K:
      return read_k_block(at, nullptr, at + 16, sub_block, out);
    case DType::kQ5_K:
      return read_k_block(at, at + 16, at + 48, sub_block, out);
    case DType::kQ6_K:
      return read_q6_block(at, sub_block, out);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  CHECK_NOTE(false, "not a block format");
}

int32_t quant_offset(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return -8;
    case DType::kQ5_0:
      return -16;
    case DType::kQ6_K:
      return -32;
    default:
      return 0;
  }
}

void block_values(DType dtype, const StoredBlock& block, float* out) {
  const float scale = f16_to_f32(block.scale), min = f16_to_f32(block.min);
  const int32_t offset = quant_offset(dtype);
  const bool scaled = dtype == DType::kQ4_K || dtype == DType::kQ5_K || dtype == DType::kQ6_K;
  const bool has_min = dtype == DType::kQ4_K || dtype == DType::kQ5_K;
  const float base = has_min ? -(min * static_cast<float>(block.mins)) : min;
  for (int32_t k = 0; k < 32; k++) {
    const float d = scaled ? scale * static_cast<float>(block.scales[k / 16]) : scale;
    out[k] = d * static_cast<float>(block.q[k] + offset) + base;
  }
}

void dequantize(DType dtype, const std::byte* stored, int64_t count, float* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(stored);
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, stored, static_cast<size_t>(count) * sizeof(float));
      return;
    case DType::kF16:
      for (int64_t i = 0; i < count; i++) out[i] = f16_to_f32(read_u16(bytes + i * 2));
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < count; i++) out[i] = bf16_to_f32(read_u16(bytes + i * 2));
      return;
    default:
      break;
  }
  StoredBlock block;
  for (int64_t i = 0; i < count / 32; i++) {
    read_stored_block(dtype, stored, i, &block);
    block_values(dtype, block, out + i * 32);
  }
}

}  // namespace hussar::cpu
