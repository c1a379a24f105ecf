// Scalar building blocks of the reference kernels: what one lane does in the vector kernels, operation by
// operation.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/cpu/exp_constants.h"

namespace hussar::cpu::reference {

inline constexpr int32_t kLanes = 16;

inline float max_of(float a, float b) { return a > b ? a : b; }
inline float min_of(float a, float b) { return a < b ? a : b; }

inline float exponential(float x) {
  const float clamped = min_of(max_of(x, kExpLow), kExpHigh);
  const float shifted = std::fma(clamped, kLog2E, kRoundMagic);
  const float n = shifted - kRoundMagic;
  float r = std::fma(-n, kLn2High, clamped);
  r = std::fma(-n, kLn2Low, r);
  float p = std::fma(kExp4, r, kExp3);
  p = std::fma(p, r, kExp2);
  p = std::fma(p, r, kExp1);
  p = std::fma(p, r, kExp0);
  p = std::fma(p, r * r, r) + 1.0f;
  const float scaled =
      std::bit_cast<float>(std::bit_cast<uint32_t>(p) + (std::bit_cast<uint32_t>(shifted) << 23));
  return x < kExpLow ? 0.0f : scaled;
}

inline float sum_lanes(const float* lanes) {
  float sums[kLanes];
  for (int32_t i = 0; i < kLanes; i++) sums[i] = lanes[i];
  for (int32_t half = kLanes / 2; half > 0; half /= 2) {
    for (int32_t i = 0; i < half; i++) sums[i] += sums[i + half];
  }
  return sums[0];
}

}  // namespace hussar::cpu::reference
