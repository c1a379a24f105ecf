// Scalar conversions of 16-bit floats. Not for the translation units of an ISA, which have instructions for
// it.
#pragma once

#include <bit>
#include <cstdint>

namespace hussar::cpu {

// IEEE 754 binary16 to binary32: exact, whatever the processor does with denormal numbers.
inline float f16_to_f32(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t exponent = half >> 10 & 31, fraction = half & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  if (fraction == 0) return std::bit_cast<float>(sign);
  const auto shift =
      static_cast<uint32_t>(std::countl_zero(fraction)) - 21;  // brings the leading one to bit 10
  return std::bit_cast<float>(sign | (113 - shift) << 23 | (fraction << shift & 1023u) << 13);
}

inline float bf16_to_f32(uint16_t half) { return std::bit_cast<float>(uint32_t{half} << 16); }

// Round to nearest even; too large numbers become infinities, NaNs stay NaNs.
inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffffu;
  const uint32_t sign = bits >> 16 & 0x8000u;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above
  const uint32_t exponent = magnitude >> 23;
  if (exponent < 102) return static_cast<uint16_t>(sign);  // below half of the smallest denormal
  const uint32_t drop = exponent < 113 ? 126 - exponent : 13;
  const uint32_t fraction = exponent < 113 ? (magnitude & 0x7fffffu) | 0x800000u : magnitude - (112u << 23);
  const uint32_t rest = fraction & ((1u << drop) - 1), half_way = 1u << (drop - 1);
  uint32_t result = fraction >> drop;
  if (rest > half_way || (rest == half_way && (result & 1) != 0)) result++;
  return static_cast<uint16_t>(sign | result);
}

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

}  // namespace hussar::cpu
