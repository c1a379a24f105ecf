#include "kernels/cpu/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/testing_tensors.h"

namespace hussar::cpu {
namespace {

constexpr DType kDTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,
                             DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                             DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
constexpr uint32_t kSeed = 20240607;

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

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kReference, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    if (isa_supported(isa)) isas.push_back(isa);
  }
  return isas;
}

// Whether values are d * q + m with an m of their own, which may cancel the rest of the sum.
bool has_min(DType dtype) {
  return dtype == DType::kQ4_1 || dtype == DType::kQ5_1 || dtype == DType::kQ4_K || dtype == DType::kQ5_K;
}

// One element of the product in double precision, and how far a float result may be from it.
struct Expected {
  double sum = 0;
  double tolerance = 0;
};

// A float sum rounds once for each fused multiply-add, by at most 2^-24 of the partial sum, which is at most
// the sum of magnitudes. A block has one or two of them; d * d_x, scaled_sum and the dequantised weight
// itself round once more each. Elements of float formats count as blocks. The factor 1.01 covers what is of
// second order.
Expected expected(DType dtype, const std::byte* stored_row, const std::vector<float>& x,
                  const std::vector<ActivationBlock>& blocks) {
  Expected result;
  double magnitude = 0;
  std::vector<float> w(x.size());
  dequantize(dtype, stored_row, static_cast<int64_t>(w.size()), w.data());
  for (size_t k = 0; k < x.size(); k++) {
    double a = x[k], base = 0;
    if (reads_blocks(dtype)) a = double{blocks[k / 32].scale} * blocks[k / 32].q[k % 32];
    if (has_min(dtype)) {
      StoredBlock block;
      read_stored_block(dtype, stored_row, static_cast<int64_t>(k / 32), &block);
      for (int16_t& q : block.q) q = 0;
      float values[32];
      block_values(dtype, block, values);
      base = values[k % 32];
    }
    result.sum += a * w[k];
    magnitude += std::fabs(a * (w[k] - base)) + std::fabs(a * base);
  }
  const double blocks_in_row =
      reads_blocks(dtype) ? static_cast<double>(x.size()) / 32 : static_cast<double>(x.size());
  const double roundings = blocks_in_row * (has_min(dtype) ? 2 : 1) + 3;
  result.tolerance = magnitude * roundings * 0x1p-24 * 1.01;
  return result;
}

TEST(Linear, AgreesWithDoublePrecision) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const auto team = make_team(2);
  for (const DType dtype : kDTypes) {
    const int32_t rows = 21, cols = 512, tokens = 3;
    const StoredTensor stored = random_tensor(dtype, rows, cols, random);
    const std::vector<float> x = random_floats(int64_t{tokens} * cols, random);
    auto packed = PackedMatrix::pack(stored.view, *team);
    ASSERT_TRUE(packed.ok()) << packed.error().message;
    for (const Isa isa : supported_isas()) {
      const std::vector<float> y = multiply(isa, *packed, x, tokens, *team);
      for (int32_t t = 0; t < tokens; t++) {
        const std::vector<float> x_row(x.begin() + t * cols, x.begin() + (t + 1) * cols);
        std::vector<ActivationBlock> blocks(static_cast<size_t>(cols / 32));
        linear_kernels(isa).quantize_row(x_row.data(), cols, blocks.data());
        for (int32_t r = 0; r < rows; r++) {
          const std::byte* const stored_row =
              stored.bytes.data() + static_cast<size_t>(r) * stored.bytes.size() / rows;
          const Expected wanted = expected(dtype, stored_row, x_row, blocks);
          ASSERT_NEAR(y[static_cast<size_t>(t * rows + r)], wanted.sum, wanted.tolerance)
              << isa_name(isa) << " " << dtype_info(dtype).name << " row " << r << " token " << t;
        }
      }
    }
  }
}

struct Shape {
  int32_t rows, cols;
};
// Fewer rows than a panel, a row more than one, and enough for chunks; one block and odd counts of blocks.
constexpr Shape kBlockShapes[] = {{1, 256}, {7, 256}, {9, 768}, {17, 512}, {33, 1280}};
constexpr Shape kOddShapes[] = {{5, 32}, {9, 96}, {40, 160}};
constexpr Shape kFloatShapes[] = {{1, 1}, {9, 5}, {70, 33}};

std::vector<Shape> shapes_of(DType dtype) {
  std::vector<Shape> shapes(std::begin(kBlockShapes), std::end(kBlockShapes));
  if (dtype_info(dtype).block_elements <= 32)
    shapes.insert(shapes.end(), std::begin(kOddShapes), std::end(kOddShapes));
  if (!reads_blocks(dtype)) shapes.insert(shapes.end(), std::begin(kFloatShapes), std::end(kFloatShapes));
  return shapes;
}

// Every ISA equals the scalar reference bit for bit, alone and in every batch, with every number of threads.
TEST(Linear, SameBitsWhateverTheIsaTheBatchAndTheThreads) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::vector<std::unique_ptr<ThreadTeam>> teams;
  for (int32_t size = 1; size <= 4; size++) teams.push_back(make_team(size));
  for (const DType dtype : kDTypes) {
    for (const Shape& shape : shapes_of(dtype)) {
      const int32_t tokens_max = shape.rows == 17 ? 70 : 17;
      const StoredTensor stored = random_tensor(dtype, shape.rows, shape.cols, random);
      const std::vector<float> x = random_floats(int64_t{tokens_max} * shape.cols, random);
      auto plain = PackedMatrix::pack(stored.view, *teams[0]);
      ASSERT_TRUE(plain.ok());
      const std::vector<float> truth = multiply(Isa::kReference, *plain, x, tokens_max, *teams[0]);
      for (const Isa isa : supported_isas()) {
        SCOPED_TRACE(testing::Message() << isa_name(isa) << " " << dtype_info(dtype).name << " " << shape.rows
                                        << " x " << shape.cols);
        auto packed = PackedMatrix::pack(stored.view, *teams[2]);
        ASSERT_TRUE(packed.ok());
        for (const int32_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 70}) {
          if (tokens > tokens_max) continue;
          const std::vector<float> y =
              multiply(isa, *packed, x, tokens, *teams[static_cast<size_t>(tokens % 4)]);
          SCOPED_TRACE(testing::Message() << "M " << tokens);
          ASSERT_NO_FATAL_FAILURE(expect_same(y, {truth.begin(), truth.begin() + tokens * shape.rows}));
        }
      }
    }
  }
}

TEST(Linear, AddsBiasAndOldValuesInOneOrder) {
  std::mt19937 random(kSeed);
  const auto team = make_team(1);
  const int32_t rows = 19, cols = 256, tokens = 5, stride = 23;
  for (const DType dtype : kDTypes) {
    const StoredTensor stored = random_tensor(dtype, rows, cols, random);
    const std::vector<float> x = random_floats(int64_t{tokens} * cols, random),
                             bias = random_floats(rows, random);
    const std::vector<float> before = random_floats(int64_t{tokens} * stride, random);
    for (const Isa isa : supported_isas()) {
      SCOPED_TRACE(testing::Message() << isa_name(isa) << " " << dtype_info(dtype).name);
      auto packed = PackedMatrix::pack(stored.view, *team);
      ASSERT_TRUE(packed.ok());
      const std::vector<float> sums = multiply(isa, *packed, x, tokens, *team);
      std::vector<ActivationBlock> blocks(static_cast<size_t>(tokens * cols / 32));
      quantize_rows(linear_kernels(isa), x.data(), cols, tokens, cols, blocks.data(), 0, 1);
      std::vector<float> y = before;
      linear(linear_kernels(isa),
             {packed->view(), blocks.data(), x.data(), cols, tokens, y.data(), stride, bias.data(),
              StoreMode::kAdd},
             0, 1);
      for (int32_t t = 0; t < tokens; t++) {
        for (int32_t r = 0; r < stride; r++) {
          const auto at = static_cast<size_t>(t * stride + r);
          const float sum =
              r < rows ? sums[static_cast<size_t>(t * rows + r)] + bias[static_cast<size_t>(r)] : 0.0f;
          ASSERT_TRUE(same(y[at], r < rows ? sum + before[at] : before[at])) << "token " << t << " row " << r;
        }
      }
    }
  }
}

// The largest quants against the largest activations, of every sign: nothing saturates.
TEST(Linear, ExtremeQuantsAreExact) {
  const auto team = make_team(1);
  const int32_t rows = 8, cols = 512;
  for (const DType dtype : kDTypes) {
    if (!reads_blocks(dtype)) continue;
    for (const int fill : {0x00, 0xff, 0x80, 0x7f}) {
      std::mt19937 random(kSeed);
      StoredTensor stored = random_tensor(dtype, rows, cols, random);
      const DTypeInfo& info = dtype_info(dtype);
      for (size_t i = 0; i < stored.bytes.size(); i++) {
        const auto at = static_cast<int32_t>(i % static_cast<size_t>(info.block_bytes));
        const bool scale = dtype == DType::kQ6_K ? at >= 208 : at < 4;
        if (!scale || (dtype == DType::kQ8_0 && at >= 2)) stored.bytes[i] = static_cast<std::byte>(fill);
      }
      for (const int sign_bits : {0, 1, 2, 3}) {  // all positive, alternating, all negative, by quarters
        std::vector<float> x(static_cast<size_t>(cols));
        for (int32_t k = 0; k < cols; k++) {
          const bool negative = sign_bits == 1   ? k % 2 == 1
                                : sign_bits == 2 ? true
                                                 : sign_bits == 3 && k % 8 < 4;
          x[static_cast<size_t>(k)] = negative ? -1.0f : 1.0f;
        }
        auto plain = PackedMatrix::pack(stored.view, *team);
        ASSERT_TRUE(plain.ok());
        const std::vector<float> truth = multiply(Isa::kReference, *plain, x, 1, *team);
        for (const Isa isa : supported_isas()) {
          SCOPED_TRACE(testing::Message()
                       << isa_name(isa) << " " << info.name << " fill " << fill << " signs " << sign_bits);
          auto packed = PackedMatrix::pack(stored.view, *team);
          ASSERT_TRUE(packed.ok());
          ASSERT_NO_FATAL_FAILURE(expect_same(multiply(isa, *packed, x, 1, *team), truth));
        }
      }
    }
  }
}

// A hostile file may say anything about scales: the results may be NaN, but equal everywhere, and nothing
// crashes.
TEST(Linear, AnyBitsAreHarmless) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const auto team = make_team(2);
  for (const DType dtype : kDTypes) {
    StoredTensor stored = random_tensor(dtype, 24, 512, random);
    for (std::byte& byte : stored.bytes) byte = static_cast<std::byte>(random() % 3 == 0 ? 0xff : random());
    const std::vector<float> x = random_floats(3 * 512, random);
    auto plain = PackedMatrix::pack(stored.view, *team);
    ASSERT_TRUE(plain.ok());
    const std::vector<float> truth = multiply(Isa::kReference, *plain, x, 3, *team);
    for (const Isa isa : supported_isas()) {
      SCOPED_TRACE(testing::Message() << isa_name(isa) << " " << dtype_info(dtype).name);
      auto packed = PackedMatrix::pack(stored.view, *team);
      ASSERT_TRUE(packed.ok());
      ASSERT_NO_FATAL_FAILURE(expect_same(multiply(isa, *packed, x, 3, *team), truth));
    }
  }
}

TEST(Quantize, EveryIsaAgreesAndKeepsItsPromises) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const int32_t cols = 32 * 64;
  std::vector<float> x = random_floats(cols, random);
  for (int32_t i = 0; i < 64;
       i++) {  // each block of another magnitude, from far below the threshold to the largest floats
    for (int32_t k = 0; k < 32; k++) x[static_cast<size_t>(i * 32 + k)] *= std::ldexp(1.0f, i * 4 - 140);
  }
  x[3 * 32] = NAN;
  x[62 * 32 + 5] = INFINITY;
  x[61 * 32 + 7] = -INFINITY;
  for (size_t k = 0; k < 32; k++) x[40 * 32 + k] = 0.0f;
  for (size_t k = 0; k < 32; k++) x[41 * 32 + k] = (static_cast<float>(k) - 15.5f) * 127.0f / 15.5f;  // ties
  const FlushDenormals flush;
  std::vector<ActivationBlock> truth(64);
  linear_kernels(Isa::kReference).quantize_row(x.data(), cols, truth.data());
  for (size_t i = 0; i < 64; i++) {
    const ActivationBlock& block = truth[i];
    int32_t pairs[2] = {0, 0}, first_pairs[2] = {0, 0};
    float amax = 0;
    bool finite = true;
    for (size_t k = 0; k < 32; k++) {
      pairs[k % 4 / 2] -= 8 * block.q[k];
      if (k < 16) first_pairs[k % 4 / 2] -= 8 * block.q[k];
      finite = finite && std::isfinite(x[i * 32 + k]);
      amax = std::max(amax, std::fabs(x[i * 32 + k]));
      ASSERT_GE(block.q[k], -127);
    }
    for (int32_t half = 0; half < 2; half++) {
      ASSERT_EQ(block.pairs[half], pairs[half]);
      ASSERT_EQ(block.first_pairs[half], first_pairs[half]);
    }
    ASSERT_EQ(std::isnan(block.scale), !finite);
    if (!finite) continue;
    ASSERT_EQ(block.scaled_sum, block.scale * static_cast<float>((pairs[0] + pairs[1]) / -8));
    ASSERT_EQ(block.scale, amax < kSmallestMagnitude ? 0.0f : amax / 127.0f);
    for (size_t k = 0; k < 32; k++) {
      // Half a step, and the roundings of 127 / amax, of the product with it and of the scale: 3 * 2^-24 of
      // at most 127 steps.
      const double error = double{block.scale} * block.q[k] - double{x[i * 32 + k]};
      ASSERT_LE(std::fabs(error),
                block.scale == 0.0f ? kSmallestMagnitude : block.scale * (0.5 + 127 * 0x1p-22))
          << i << " " << k;
    }
  }
  for (const Isa isa : supported_isas()) {
    std::vector<ActivationBlock> blocks(64);
    linear_kernels(isa).quantize_row(x.data(), cols, blocks.data());
    for (size_t i = 0; i < 64; i++) {
      SCOPED_TRACE(testing::Message() << isa_name(isa) << " block " << i);
      ASSERT_EQ(std::memcmp(blocks[i].q, truth[i].q, sizeof(truth[i].q)), 0);
      ASSERT_TRUE(same(blocks[i].scale, truth[i].scale));
      ASSERT_TRUE(same(blocks[i].scaled_sum, truth[i].scaled_sum));
      ASSERT_EQ(std::memcmp(blocks[i].pairs, truth[i].pairs, sizeof(truth[i].pairs)), 0);
      ASSERT_EQ(std::memcmp(blocks[i].first_pairs, truth[i].first_pairs, sizeof(truth[i].first_pairs)), 0);
    }
  }
}

}  // namespace
}  // namespace hussar::cpu
