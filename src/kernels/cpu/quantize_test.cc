#include "kernels/cpu/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "kernels/cpu/float16.h"

namespace hussar::cpu {
namespace {

using Numbers = std::array<float, 32>;

Numbers there_and_back(DType dtype, const Numbers& x) {
  StoredBlock block;
  quantize_block(dtype, x.data(), &block);
  const int32_t low = dtype == DType::kQ8_0 ? -127 : 0, high = dtype == DType::kQ8_0 ? 127 : 15;
  for (const int16_t q : block.q) EXPECT_TRUE(q >= low && q <= high) << q;
  Numbers back{};
  block_values(dtype, block, back.data());
  return back;
}

double squared_error(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - double{b[i]}, 2);
  return sum;
}

Numbers random_numbers(std::mt19937* rng, float size) {
  std::normal_distribution<float> normal(0.0f, size);
  Numbers x{};
  std::generate(x.begin(), x.end(), [&] { return normal(*rng); });
  return x;
}

TEST(Quantize, EightBitsAreWithinHalfAStep) {
  std::mt19937 rng(7);
  for (int i = 0; i < 2000; ++i) {
    const Numbers x = random_numbers(&rng, std::pow(10.0f, static_cast<float>(i % 7 - 4)));
    const Numbers back = there_and_back(DType::kQ8_0, x);
    float largest = 0;
    for (const float v : x) largest = std::max(largest, std::fabs(v));
    // Half a step, and what rounding the scale to f16 adds up to over 127 steps; below 2^-14 f16 has a fixed
    // spacing of 2^-24.
    const float scale = largest / 127, scale_error = std::max(scale * 0x1p-11f, 0x1p-25f);
    const float allowed = 0.501f * (scale + scale_error) + 127 * scale_error;
    for (size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(back[k], x[k], allowed) << "block " << i;
  }
}

// What the plain quantiser does: the range in 15 steps.
double plain_four_bit_error(const Numbers& x) {
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  const float min = f16_to_f32(f32_to_f16(*low)), scale = f16_to_f32(f32_to_f16((*high - *low) / 15));
  Numbers back{};
  for (size_t k = 0; k < x.size(); ++k) {
    const float q = scale > 0 ? std::clamp(std::round((x[k] - min) / scale), 0.0f, 15.0f) : 0.0f;
    back[k] = q * scale + min;
  }
  return squared_error(x, back);
}

TEST(Quantize, FourBitsBeatThePlainQuantiser) {
  std::mt19937 rng(8);
  double ours = 0, plain = 0;
  for (int i = 0; i < 2000; ++i) {
    const Numbers x = random_numbers(&rng, 0.02f);
    const double error = squared_error(x, there_and_back(DType::kQ4_1, x));
    // A line refitted to the same quants can only be better, but for its own rounding to f16.
    ASSERT_LE(error, plain_four_bit_error(x) * 1.01) << "block " << i;
    ours += error;
    plain += plain_four_bit_error(x);
  }
  EXPECT_LT(ours, 0.93 * plain);  // measured: 0.87
}

TEST(Quantize, ExactBlocksStayExact) {
  Numbers x{};
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_1}) EXPECT_EQ(there_and_back(dtype, x), x);
  x.fill(-0.375f);
  EXPECT_EQ(there_and_back(DType::kQ4_1, x), x);
  for (size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k % 16) * 0.25f - 1.0f;
  EXPECT_EQ(there_and_back(DType::kQ4_1, x), x);
  for (size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k) - 16.0f;
  x[31] = -127.0f;
  EXPECT_EQ(there_and_back(DType::kQ8_0, x), x);
}

TEST(Quantize, TinyNumbersAreFinite) {
  Numbers x{};
  for (const float size : {1e-38f, 1e-45f, 1e-9f}) {
    for (size_t k = 0; k < x.size(); ++k) x[k] = (k % 2 == 0 ? size : -size) * static_cast<float>(k % 3);
    for (const DType dtype : {DType::kQ8_0, DType::kQ4_1}) {
      for (const float v : there_and_back(dtype, x)) EXPECT_LE(std::fabs(v), 4 * std::max(size, 6e-8f));
    }
  }
}

TEST(Quantize, WhatIsNotFiniteStaysSo) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), 3e38f}) {
    for (const size_t at : {size_t{0}, size_t{17}, size_t{31}}) {
      Numbers x{};
      x[at] = bad;
      for (const DType dtype : {DType::kQ8_0, DType::kQ4_1}) {
        EXPECT_FALSE(std::isfinite(there_and_back(dtype, x)[at])) << bad << " at " << at;
      }
    }
  }
}

}  // namespace
}  // namespace hussar::cpu
