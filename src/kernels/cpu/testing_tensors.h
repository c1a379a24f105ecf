// For tests: stored tensors of random bits, and comparisons bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/float16.h"
#include "kernels/weight.h"

namespace hussar::cpu {

// A stored tensor of random bits with sane 16-bit floats in the places of scales.
struct StoredTensor {
  std::vector<std::byte> bytes;
  TensorView view;
};

inline void put_u16(std::byte* at, uint16_t value) { std::memcpy(at, &value, sizeof(value)); }

inline StoredTensor random_tensor(DType dtype, int64_t rows, int64_t cols, std::mt19937& random) {
  const DTypeInfo& info = dtype_info(dtype);
  const int64_t blocks = rows * cols / info.block_elements;
  StoredTensor stored;
  stored.bytes.resize(static_cast<size_t>(blocks * info.block_bytes));
  for (std::byte& byte : stored.bytes) byte = static_cast<std::byte>(random());
  std::normal_distribution<float> normal(0.0f, 0.05f);
  for (int64_t i = 0; i < blocks; i++) {
    std::byte* at = stored.bytes.data() + i * info.block_bytes;
    const float value = normal(random), min = normal(random);
    switch (dtype) {
      case DType::kF32:
        std::memcpy(at, &value, sizeof(value));
        break;
      case DType::kF16:
        put_u16(at, f32_to_f16(value));
        break;
      case DType::kBF16:
        put_u16(at, f32_to_bf16(value));
        break;
      case DType::kQ6_K:
        put_u16(at + 208, f32_to_f16(value * 0.01f));
        break;
      default:
        put_u16(at, f32_to_f16(value));
        if (dtype != DType::kQ4_0 && dtype != DType::kQ5_0 && dtype != DType::kQ8_0)
          put_u16(at + 2, f32_to_f16(min));
    }
  }
  stored.view = {"test", dtype, rows, cols, stored.bytes};
  return stored;
}

inline std::vector<float> random_floats(int64_t count, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// Bit for bit, but one NaN is as good as another.
inline testing::AssertionResult same(float a, float b) {
  if (std::isnan(a) && std::isnan(b)) return testing::AssertionSuccess();
  if (std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << std::hexfloat << a << " is not " << b;
}

inline void expect_same(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); i++) ASSERT_TRUE(same(a[i], b[i])) << "at " << i;
}

}  // namespace hussar::cpu
