#include "kernels/cpu/packed_matrix.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/float16.h"
#include "kernels/cpu/quantize.h"

namespace hussar::cpu {
namespace {

constexpr DType kDTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,
                             DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                             DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
constexpr uint32_t kSeed = 7;

std::vector<std::byte> random_bytes(DType dtype, int64_t rows, int64_t cols) {
  const DTypeInfo& info = dtype_info(dtype);
  std::mt19937 random(kSeed);
  std::vector<std::byte> bytes(static_cast<size_t>(rows * cols / info.block_elements * info.block_bytes));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::unique_ptr<ThreadTeam> make_team(int32_t size) {
  auto team = ThreadTeam::create(size);
  EXPECT_TRUE(team.ok());
  return std::move(team).value();
}

// Any bits at all come back as dequantize() reads them in the file.
TEST(PackedMatrix, GivesRowsBackAsTheyWereStored) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const auto team = make_team(3);
  for (const DType dtype : kDTypes) {
    for (const int32_t rows : {1, 8, 15, 16, 17, 50}) {
      const int32_t cols = dtype_info(dtype).block_elements == 1 ? 37 : 512;
      const std::vector<std::byte> bytes = random_bytes(dtype, rows, cols);
      auto packed = PackedMatrix::pack({"w", dtype, rows, cols, bytes}, *team);
      ASSERT_TRUE(packed.ok()) << packed.error().message;
      ASSERT_EQ(packed->view().rows, rows);
      ASSERT_EQ(packed->view().cols, cols);
      ASSERT_EQ(packed->view().dtype, dtype);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(packed->view().panels) % 64, 0u);
      ASSERT_EQ(packed->view().panel_bytes % 64, 0);
      std::vector<float> wanted(static_cast<size_t>(cols)), row(static_cast<size_t>(cols));
      const int64_t row_bytes = static_cast<int64_t>(bytes.size()) / rows;
      for (int32_t r = 0; r < rows; r++) {
        dequantize(dtype, bytes.data() + r * row_bytes, cols, wanted.data());
        packed->dequantize_row(r, row.data());
        ASSERT_EQ(std::memcmp(row.data(), wanted.data(), wanted.size() * sizeof(float)), 0)
            << dtype_info(dtype).name << " row " << r << " of " << rows;
      }
    }
  }
}

// Row 2i of a head is stored row i, row 2i + 1 stored row i + half.
TEST(PackedMatrix, BringsHalvesOfHeadsSideBySide) {
  const auto team = make_team(2);
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    const int32_t rows = 36, cols = 64, head_dim = 12;
    std::vector<std::byte> bytes = random_bytes(dtype, rows, cols);
    TensorView tensor{"w", dtype, rows, cols, bytes};
    tensor.interleaved_head_dim = head_dim;
    const auto packed = PackedMatrix::pack(tensor, *team);
    ASSERT_TRUE(packed.ok());
    std::vector<float> wanted(cols), row(cols);
    for (int32_t r = 0; r < rows; r++) {
      const int32_t head = r / head_dim, i = r % head_dim;
      const int32_t stored = head * head_dim + (i % 2 == 0 ? i / 2 : head_dim / 2 + i / 2);
      dequantize(dtype, bytes.data() + stored * static_cast<int64_t>(bytes.size()) / rows, cols,
                 wanted.data());
      packed->dequantize_row(r, row.data());
      ASSERT_EQ(std::memcmp(row.data(), wanted.data(), wanted.size() * sizeof(float)), 0) << "row " << r;
    }
  }
}

// Every plain format to every format that matrices may be kept as, whatever the rows that the last panel
// lacks.
TEST(PackedMatrix, KeepsNumbersAsAskedFor) {
  const auto team = make_team(3);
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const DType kept_as : {DType::kBF16, DType::kQ8_0, DType::kQ4_1}) {
      for (const int32_t rows : {3, 16, 40}) {
        const int32_t cols = 96;
        std::vector<std::byte> bytes = random_bytes(dtype, rows, cols);
        // No NaNs and infinities: bits of the exponent taken away.
        for (size_t i = 0; i < bytes.size(); ++i) {
          if (i % static_cast<size_t>(dtype_info(dtype).block_bytes) + 1 ==
              dtype_info(dtype).block_bytes * 1u)
            bytes[i] &= std::byte{0xbf};
        }
        TensorView tensor{"w", dtype, rows, cols, bytes};
        tensor.kept_as = kept_as;
        const auto packed = PackedMatrix::pack(tensor, *team);
        ASSERT_TRUE(packed.ok());
        ASSERT_EQ(packed->view().dtype, kept_as);
        std::vector<float> stored(cols), wanted(cols), row(cols);
        for (int32_t r = 0; r < rows; r++) {
          dequantize(dtype, bytes.data() + r * static_cast<int64_t>(bytes.size()) / rows, cols,
                     stored.data());
          StoredBlock block;
          for (int32_t k = 0; k < cols; k++) wanted[k] = bf16_to_f32(f32_to_bf16(stored[k]));
          for (int32_t i = 0; kept_as != DType::kBF16 && i < cols / 32; i++) {
            quantize_block(kept_as, stored.data() + 32 * i, &block);
            block_values(kept_as, block, wanted.data() + 32 * i);
          }
          packed->dequantize_row(r, row.data());
          ASSERT_EQ(std::memcmp(row.data(), wanted.data(), wanted.size() * sizeof(float)), 0) << "row " << r;
        }
      }
    }
  }
}

TEST(PackedMatrix, RefusesToQuantiseRowsThatAreNoWholeBlocks) {
  const auto team = make_team(1);
  const std::vector<std::byte> bytes = random_bytes(DType::kF32, 2, 33);
  TensorView tensor{"w", DType::kF32, 2, 33, bytes};
  tensor.kept_as = DType::kQ8_0;
  const auto packed = PackedMatrix::pack(tensor, *team);
  ASSERT_FALSE(packed.ok());
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(packed.error().message.find("Q8_0's 32"), std::string::npos) << packed.error().message;
}

// Generating a token reads every weight once: packing must not make them larger.
TEST(PackedMatrix, TakesHardlyMoreBytesThanTheFile) {
  const auto team = make_team(1);
  for (const DType dtype : kDTypes) {
    const std::vector<std::byte> bytes = random_bytes(dtype, 64, 1024);
    auto packed = PackedMatrix::pack({"w", dtype, 64, 1024, bytes}, *team);
    ASSERT_TRUE(packed.ok());
    const double growth = static_cast<double>(packed->bytes()) / static_cast<double>(bytes.size());
    EXPECT_GE(growth, 1.0);
    // Q4_K's and Q5_K's 6-bit scales take a byte each: 148 for 144.
    EXPECT_LT(growth, 1.03) << dtype_info(dtype).name;
  }
}

TEST(PackedMatrix, SurvivesMoves) {
  const auto team = make_team(1);
  const std::vector<std::byte> bytes = random_bytes(DType::kF32, 2, 2);
  auto packed = PackedMatrix::pack({"w", DType::kF32, 2, 2, bytes}, *team);
  ASSERT_TRUE(packed.ok());
  PackedMatrix moved = std::move(packed).value();
  float row[2] = {};
  moved.dequantize_row(1, row);
  EXPECT_EQ(std::memcmp(row, bytes.data() + 8, sizeof(row)), 0);
}

TEST(PackedMatrix, RefusesWhatDoesNotFit) {
  const auto team = make_team(1);
  const std::vector<std::byte> bytes(1024);
  const auto code = [&](DType dtype, int64_t rows, int64_t cols, size_t size) {
    const auto packed =
        PackedMatrix::pack({"blk.0.w", dtype, rows, cols, std::span(bytes).first(size)}, *team);
    if (packed.ok()) return ErrorCode::kIo;
    EXPECT_NE(packed.error().message.find("blk.0.w"), std::string::npos);
    EXPECT_EQ(packed.error().field, "blk.0.w");
    return packed.error().code;
  };
  EXPECT_EQ(code(DType::kF32, 16, 16, 1024), ErrorCode::kIo);  // fits
  EXPECT_EQ(code(DType::kF32, 16, 16, 1020), ErrorCode::kInvalid);
  EXPECT_EQ(code(DType::kF32, 16, 15, 1024), ErrorCode::kInvalid);
  EXPECT_EQ(code(DType::kQ4_0, 1, 16, 18), ErrorCode::kUnsupported);
  EXPECT_EQ(code(DType::kQ4_K, 1, 128, 72), ErrorCode::kUnsupported);
  EXPECT_EQ(code(DType::kF32, 0, 16, 0), ErrorCode::kUnsupported);
  EXPECT_EQ(code(DType::kF32, -1, 16, 0), ErrorCode::kUnsupported);
  EXPECT_EQ(code(DType::kF32, int64_t{1} << 32, 16, 0), ErrorCode::kUnsupported);
  EXPECT_EQ(code(DType::kF32, 16, int64_t{1} << 40, 0), ErrorCode::kUnsupported);
  EXPECT_EQ(code(DType::kF32, (int64_t{1} << 31) - 100, (int64_t{1} << 31) - 100, 1024), ErrorCode::kInvalid);
}

}  // namespace
}  // namespace hussar::cpu
