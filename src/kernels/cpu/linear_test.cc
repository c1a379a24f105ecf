#include "kernels/cpu/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/packed_matrix.h"

namespace hussar::cpu {
namespace {

constexpr DType kDTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,
                             DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                             DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
constexpr uint32_t kSeed = 20240607;

// A stored tensor of random bits with sane 16-bit floats in the places of scales.
struct Stored {
  std::vector<std::byte> bytes;
  TensorView view;
};

void put_u16(std::byte* at, uint16_t value) { std::memcpy(at, &value, sizeof(value)); }

Stored random_tensor(DType dtype, int64_t rows, int64_t cols, std::mt19937& random) {
  const DTypeInfo& info = dtype_info(dtype);
  const int64_t blocks = rows * cols / info.block_elements;
  Stored stored;
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

std::vector<float> random_floats(int64_t count, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0f, 1.0f);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

std::unique_ptr<ThreadTeam> make_team(int32_t size) {
  auto team = ThreadTeam::create(size);
  EXPECT_TRUE(team.ok());
  return std::move(team).value();
}

// y = x W^T by the whole way that a backend takes.
std::vector<float> multiply(Isa isa, const PackedMatrix& w, const std::vector<float>& x, int32_t tokens,
                            ThreadTeam& team) {
  const LinearKernels& kernels = linear_kernels(isa);
  const int32_t cols = w.view().cols, rows = w.view().rows;
  std::vector<ActivationBlock> blocks(static_cast<size_t>(tokens * (cols / 32 + 1)));
  std::vector<float> y(static_cast<size_t>(tokens) * static_cast<size_t>(rows), NAN);
  const LinearArgs args = {w.view(), blocks.data(), x.data(),         cols, tokens, y.data(),
                           rows,     nullptr,       StoreMode::kStore};
  team.run([&](int32_t member) {
    if (reads_blocks(w.view().dtype)) {
      quantize_rows(kernels, x.data(), cols, tokens, cols, blocks.data(), member, team.size());
    }
    team.barrier();
    linear(kernels, args, member, team.size());
  });
  return y;
}

TEST(Linear, ReferenceAgreesWithDoublePrecision) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const auto team = make_team(2);
  const LinearKernels& kernels = linear_kernels(Isa::kReference);
  for (const DType dtype : kDTypes) {
    const int32_t rows = 21, cols = 512, tokens = 3;
    const Stored stored = random_tensor(dtype, rows, cols, random);
    const std::vector<float> x = random_floats(int64_t{tokens} * cols, random);
    std::vector<float> w(static_cast<size_t>(rows * cols));
    dequantize(dtype, stored.bytes.data(), int64_t{rows} * cols, w.data());
    auto packed = PackedMatrix::pack(stored.view, 8, *team);
    ASSERT_TRUE(packed.ok()) << packed.error().message;
    const std::vector<float> y = multiply(Isa::kReference, *packed, x, tokens, *team);
    std::vector<ActivationBlock> blocks(static_cast<size_t>(cols / 32));
    for (int32_t t = 0; t < tokens; t++) {
      kernels.quantize_row(x.data() + t * cols, cols, blocks.data());
      for (int32_t r = 0; r < rows; r++) {
        double sum = 0, magnitude = 0;
        for (int32_t k = 0; k < cols; k++) {
          const ActivationBlock& block = blocks[static_cast<size_t>(k / 32)];
          const double a = reads_blocks(dtype) ? double{block.scale} * block.q[k % 32]
                                               : double{x[static_cast<size_t>(t * cols + k)]};
          const double product = a * double{w[static_cast<size_t>(r * cols + k)]};
          sum += product;
          magnitude += std::fabs(product);
        }
        // Float rounding of at most `cols` terms, each at most the sum of magnitudes (quantised minima
        // cancel: allow as much again).
        const double tolerance = magnitude * cols * 0x1p-24 * 2;
        ASSERT_NEAR(y[static_cast<size_t>(t * rows + r)], sum, tolerance)
            << dtype_info(dtype).name << " row " << r;
      }
    }
  }
}

}  // namespace
}  // namespace hussar::cpu
