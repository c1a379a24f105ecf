#include "kernels/cpu/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/cpu/float16.h"

namespace hussar::cpu {
namespace {

// What another implementation (the PyPI package gguf) makes of stored bytes.
struct Golden {
  DType dtype;
  std::vector<uint8_t> stored;
  std::vector<uint32_t> values;  // bits of floats
};

const std::vector<Golden>& goldens() {
  static const std::vector<Golden> all = {
#include "kernels/cpu/testdata/dequantize_golden.inc"
  };
  return all;
}

TEST(Dequantize, AgreesWithGgufBitForBit) {
  ASSERT_EQ(goldens().size(), 10u);
  for (const Golden& golden : goldens()) {
    std::vector<float> out(golden.values.size());
    dequantize(golden.dtype, reinterpret_cast<const std::byte*>(golden.stored.data()),
               static_cast<int64_t>(out.size()), out.data());
    for (size_t i = 0; i < out.size(); i++) {
      const float wanted = std::bit_cast<float>(golden.values[i]);
      ASSERT_EQ(out[i], wanted) << dtype_info(golden.dtype).name << " element " << i;
    }
  }
}

TEST(Dequantize, CopiesFloats) {
  const float values[3] = {1.5f, -0.0f, 1e-42f};
  float out[3] = {};
  dequantize(DType::kF32, reinterpret_cast<const std::byte*>(values), 3, out);
  for (int i = 0; i < 3; i++) EXPECT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(values[i]));
}

// All 65536 numbers: their value by definition, and back.
TEST(Float16, ConvertsEveryNumberBothWays) {
  for (uint32_t bits = 0; bits < 65536; bits++) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const auto fraction = static_cast<float>(bits & 1023);
    const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(value), fraction != 0) << bits;
      ASSERT_TRUE(std::isnan(value) || value == sign * INFINITY) << bits;
    } else {
      const float magnitude =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      ASSERT_EQ(value, sign * magnitude) << bits;
      ASSERT_EQ(std::signbit(value), sign < 0) << bits;
    }
    if (!std::isnan(value)) {
      ASSERT_EQ(f32_to_f16(value), half);
    } else {
      ASSERT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    }
    const float brain = bf16_to_f32(half);
    if (!std::isnan(brain)) {
      ASSERT_EQ(f32_to_bf16(brain), half);
    } else {
      ASSERT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(brain))));
    }
  }
}

TEST(Float16, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7bff; bits++) {  // neighbours that are both finite
    const auto low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    const float a = f16_to_f32(low), b = f16_to_f32(high), middle = a + (b - a) / 2;  // exact in float
    ASSERT_EQ(f32_to_f16(middle), bits % 2 == 0 ? low : high) << bits;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, a)), low) << bits;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, b)), high) << bits;
  }
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(1e30f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(f32_to_bf16(3.4e38f), 0x7f80);
}

}  // namespace
}  // namespace hussar::cpu
