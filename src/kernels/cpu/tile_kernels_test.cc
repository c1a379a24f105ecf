#include "kernels/cpu/tile_kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/testing_tensors.h"
#include "kernels/cpu/thread_team.h"

namespace hussar::cpu {
namespace {

constexpr uint32_t kSeed = 20260911;
constexpr DType kTiledTypes[] = {DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                 DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

std::vector<Isa> tiled_isas() {
  std::vector<Isa> isas = {Isa::kReferenceTiles};
  if (isa_supported(Isa::kAmx)) isas.push_back(Isa::kAmx);
  return isas;
}

std::unique_ptr<ThreadTeam> make_team(int32_t size) { return ThreadTeam::create(size).value(); }

// Rows as tiles; what stands behind the last row is NaN.
struct Tiles {
  explicit Tiles(int64_t rows, int64_t cols)
      : elements(static_cast<size_t>(tiled_elements(rows, cols) + 32), uint16_t{0x7fc0}) {}
  uint16_t* data() {  // on a cache line
    const auto address = reinterpret_cast<uintptr_t>(elements.data());
    return reinterpret_cast<uint16_t*>((address + 63) / 64 * 64);
  }
  std::vector<uint16_t> elements;
};

float element(Tiles& tiles, int64_t cols, int64_t row, int64_t column) {
  const uint16_t* tile = tiles.data() + (row / 16 * row_tiles(cols) + column / 32) * kTileElements;
  return bf16_to_f32(tile[row % 16 * 32 + column % 32]);
}

Tiles make_tiles(const TileKernels& kernels, const std::vector<float>& x, int32_t tokens, int32_t cols) {
  const FlushDenormals flush;
  Tiles tiles(tokens, cols);
  for (int32_t t = 0; t < tokens; t++)
    kernels.store_row(x.data() + int64_t{t} * cols, cols, t, 0, row_tiles(cols), tiles.data());
  return tiles;
}

struct Extras {
  const float* bias = nullptr;
  StoreMode mode = StoreMode::kStore;
};

// y[tokens][stride], of which the columns behind the rows keep what they were.
void multiply(Isa isa, const PackedMatrix& w, const std::vector<float>& x, int32_t tokens,
              const Extras& extras, ThreadTeam& team, int64_t stride, std::vector<float>* y) {
  const TileKernels& kernels = *tile_kernels(isa);
  Tiles tiles = make_tiles(kernels, x, tokens, w.view().cols);
  team.run([&](int32_t member) {
    const int64_t panels = (int64_t{w.view().rows} + kPanelRows - 1) / kPanelRows;
    const Range range = split_range(panels, member, team.size());
    if (range.begin == range.end) return;
    kernels.linear({w.view(), tiles.data(), tokens, y->data(), stride, extras.bias, extras.mode}, range.begin,
                   range.end);
  });
}

std::vector<float> multiply(Isa isa, const PackedMatrix& w, const std::vector<float>& x, int32_t tokens,
                            ThreadTeam& team) {
  std::vector<float> y(static_cast<size_t>(tokens) * static_cast<size_t>(w.view().rows), NAN);
  multiply(isa, w, x, tokens, {}, team, w.view().rows, &y);
  return y;
}

// A stored row as it counts, in double: scale, minimum and quant rounded once to a float, and that to BF16.
std::vector<double> counted_weights(DType dtype, const std::byte* row, int32_t cols) {
  std::vector<double> w(static_cast<size_t>(cols));
  for (int32_t k = 0; k < cols; k++) {
    float exact = 0;
    if (dtype == DType::kBF16) {
      dequantize(dtype, row + 2 * k, 1, &exact);
    } else {
      StoredBlock block;
      read_stored_block(dtype, row, k / 32, &block);
      const bool small_min = dtype == DType::kQ4_K || dtype == DType::kQ5_K,
                 small = small_min || dtype == DType::kQ6_K;
      const double d = double{f16_to_f32(block.scale)} * (small ? block.scales[k % 32 / 16] : 1);
      const double m = double{f16_to_f32(block.min)} * (small_min ? -block.mins : 1);
      exact = static_cast<float>(d * (block.q[k % 32] + quant_offset(dtype)) + m);
    }
    w[static_cast<size_t>(k)] = double{bf16_to_f32(f32_to_bf16(exact))};
  }
  return w;
}

// A product is rounded up to 16 times within its tile, the sum of a tile twice more for itself and once for
// each tile behind it, that of a run once for each run; each time of at most the sum of magnitudes. The
// factor 1.01 covers what is of second order.
TEST(Tiles, AgreeWithDoublePrecision) {
  std::mt19937 random(kSeed);
  const auto team = make_team(2);
  const int32_t rows = 21, cols = 1280, tokens = 3;
  for (const DType dtype : kTiledTypes) {
    const StoredTensor stored = random_tensor(dtype, rows, cols, random);
    const std::vector<float> x = random_floats(int64_t{tokens} * cols, random);
    const auto packed = PackedMatrix::pack(stored.view, *team);
    ASSERT_TRUE(packed.ok());
    for (const Isa isa : tiled_isas()) {
      const std::vector<float> y = multiply(isa, *packed, x, tokens, *team);
      for (int32_t r = 0; r < rows; r++) {
        const std::vector<double> w = counted_weights(
            dtype, stored.bytes.data() + static_cast<size_t>(r) * stored.bytes.size() / rows, cols);
        for (int32_t t = 0; t < tokens; t++) {
          double sum = 0, magnitude = 0;
          for (int32_t k = 0; k < cols; k++) {
            const double product = w[static_cast<size_t>(k)] *
                                   double{bf16_to_f32(f32_to_bf16(x[static_cast<size_t>(t * cols + k)]))};
            sum += product;
            magnitude += std::fabs(product);
          }
          const double tolerance =
              magnitude * (16 + 2.0 * row_tiles(cols) + tile_runs(cols)) * 0x1p-24 * 1.01;
          ASSERT_NEAR(y[static_cast<size_t>(t * rows + r)], sum, tolerance)
              << isa_name(isa) << " " << dtype_info(dtype).name << " row " << r << " token " << t << " seed "
              << kSeed;
        }
      }
    }
  }
}

struct Shape {
  int32_t rows, cols;
};

std::vector<Shape> shapes_of(DType dtype) {
  // Fewer rows than a panel, odd and even numbers of panels, one and several runs of columns.
  std::vector<Shape> shapes = {{7, 256}, {17, 512}, {32, 256}, {49, 1280}, {64, 2560}};
  if (dtype_info(dtype).block_elements <= 32) shapes.push_back({40, 96});
  if (dtype == DType::kBF16) shapes.push_back({9, 5}), shapes.push_back({33, 70});
  return shapes;
}

// The twin says what the tiles compute, bit for bit: alone, in every batch, with every number of threads.
TEST(Tiles, SameBitsWhateverTheIsaTheBatchAndTheThreads) {
  std::mt19937 random(kSeed);
  const auto alone = make_team(1), three = make_team(3);
  for (const DType dtype : kTiledTypes) {
    for (const Shape& shape : shapes_of(dtype)) {
      const int32_t tokens_max = 67;
      const StoredTensor stored = random_tensor(dtype, shape.rows, shape.cols, random);
      const std::vector<float> x = random_floats(int64_t{tokens_max} * shape.cols, random);
      const auto packed = PackedMatrix::pack(stored.view, *alone);
      ASSERT_TRUE(packed.ok());
      const std::vector<float> truth = multiply(Isa::kReferenceTiles, *packed, x, tokens_max, *alone);
      for (const Isa isa : tiled_isas()) {
        for (const int32_t tokens : {1, 2, 15, 16, 17, 31, 32, 33, 64, 67}) {
          if (isa == Isa::kReferenceTiles && tokens != 17) continue;  // slow
          SCOPED_TRACE(testing::Message() << isa_name(isa) << " " << dtype_info(dtype).name << " "
                                          << shape.rows << " x " << shape.cols << " M " << tokens);
          const std::vector<float> y = multiply(isa, *packed, x, tokens, tokens % 2 == 0 ? *alone : *three);
          ASSERT_NO_FATAL_FAILURE(expect_same(y, {truth.begin(), truth.begin() + tokens * shape.rows}));
        }
      }
    }
  }
}

// More tokens than fit the caches, so that the columns are walked through run by run.
TEST(Tiles, AnOrderForLargeInputsChangesNoBit) {
  if (!isa_supported(Isa::kAmx)) GTEST_SKIP() << "no AMX";
  std::mt19937 random(kSeed);
  const auto team = make_team(2);
  const int32_t rows = 48, cols = 2048, tokens = 530;
  const StoredTensor stored = random_tensor(DType::kQ8_0, rows, cols, random);
  const std::vector<float> x = random_floats(int64_t{tokens} * cols, random);
  const auto packed = PackedMatrix::pack(stored.view, *team);
  const std::vector<float> all = multiply(Isa::kAmx, *packed, x, tokens, *team);
  for (const int32_t first : {0, 100, 510, 529}) {
    const std::vector<float> y =
        multiply(Isa::kAmx, *packed, {x.begin() + first * cols, x.begin() + (first + 1) * cols}, 1, *team);
    ASSERT_NO_FATAL_FAILURE(expect_same(y, {all.begin() + first * rows, all.begin() + (first + 1) * rows}));
  }
}

TEST(Tiles, AddBiasAndOldValuesInOneOrder) {
  std::mt19937 random(kSeed);
  const auto team = make_team(1);
  const int32_t rows = 37, cols = 2048, tokens = 21, stride = 41;
  const StoredTensor stored = random_tensor(DType::kQ8_0, rows, cols, random);
  const std::vector<float> x = random_floats(int64_t{tokens} * cols, random),
                           bias = random_floats(rows, random);
  const std::vector<float> before = random_floats(int64_t{tokens} * stride, random);
  const auto packed = PackedMatrix::pack(stored.view, *team);
  std::vector<float> truth = before;
  multiply(Isa::kReferenceTiles, *packed, x, tokens, {bias.data(), StoreMode::kAdd}, *team, stride, &truth);
  for (size_t i = 0; i < truth.size(); i++) {
    if (i % stride >= rows) {
      ASSERT_EQ(truth[i], before[i]);
    }
  }
  for (const Isa isa : tiled_isas()) {
    std::vector<float> y = before;
    multiply(isa, *packed, x, tokens, {bias.data(), StoreMode::kAdd}, *team, stride, &y);
    ASSERT_NO_FATAL_FAILURE(expect_same(y, truth)) << isa_name(isa);
  }
}

Tiles multiply_gated(Isa isa, const PackedMatrix& gate, const PackedMatrix& up, const std::vector<float>& x,
                     int32_t tokens, ThreadTeam& team) {
  const TileKernels& kernels = *tile_kernels(isa);
  Tiles input = make_tiles(kernels, x, tokens, gate.view().cols), out(tokens, gate.view().rows);
  team.run([&](int32_t member) {
    const Range own = panel_share(gate.view().rows, member, team.size());
    if (own.begin == own.end) return;
    kernels.gated({gate.view(), up.view(), input.data(), tokens, out.data()}, own.begin, own.end);
  });
  return out;
}

// The gate's and the other product's sums by `linear` (one run of columns), and the quotient in double: BF16
// rounds by 2^-9.
TEST(Tiles, GatedIsWhatItSays) {
  std::mt19937 random(kSeed);
  const auto team = make_team(2);
  const int32_t rows = 41, cols = 512, tokens = 19;
  const StoredTensor gate_tensor = random_tensor(DType::kQ5_0, rows, cols, random),
                     up_tensor = random_tensor(DType::kQ4_K, rows, cols, random);
  const auto gate = PackedMatrix::pack(gate_tensor.view, *team),
             up = PackedMatrix::pack(up_tensor.view, *team);
  const std::vector<float> x = random_floats(int64_t{tokens} * cols, random);
  for (const Isa isa : tiled_isas()) {
    const std::vector<float> g = multiply(isa, *gate, x, tokens, *team),
                             u = multiply(isa, *up, x, tokens, *team);
    Tiles out = multiply_gated(isa, *gate, *up, x, tokens, *team);
    for (int32_t t = 0; t < tokens; t++) {
      for (int32_t r = 0; r < 64; r++) {
        const auto at = static_cast<size_t>(t * rows + r);
        const double wanted = r < rows ? double{g[at]} / (1 + std::exp(-double{g[at]})) * double{u[at]} : 0.0;
        ASSERT_NEAR(element(out, rows, t, r), wanted, std::fabs(wanted) * (0x1p-8 + 0x1p-20))
            << isa_name(isa) << " token " << t << " row " << r << " gate " << g[at];
      }
    }
  }
}

TEST(Tiles, GatedGivesTheSameBits) {
  std::mt19937 random(kSeed);
  const auto alone = make_team(1), three = make_team(3);
  for (const Shape& shape : {Shape{41, 512}, Shape{96, 256}, Shape{16, 2560}}) {
    for (const DType dtype : {DType::kQ4_1, DType::kQ6_K}) {
      const StoredTensor gate_tensor = random_tensor(dtype, shape.rows, shape.cols, random);
      const StoredTensor up_tensor = random_tensor(DType::kQ8_0, shape.rows, shape.cols, random);
      const auto gate = PackedMatrix::pack(gate_tensor.view, *alone),
                 up = PackedMatrix::pack(up_tensor.view, *alone);
      const std::vector<float> x = random_floats(int64_t{67} * shape.cols, random);
      Tiles truth = multiply_gated(Isa::kReferenceTiles, *gate, *up, x, 67, *alone);
      for (const Isa isa : tiled_isas()) {
        for (const int32_t tokens : {1, 16, 33, 67}) {
          Tiles out = multiply_gated(isa, *gate, *up, x, tokens, tokens % 2 == 0 ? *alone : *three);
          for (int32_t t = 0; t < tokens; t++) {
            for (int64_t r = 0; r < row_tiles(shape.rows) * 32; r++) {
              ASSERT_TRUE(same(element(out, shape.rows, t, r), element(truth, shape.rows, t, r)))
                  << isa_name(isa) << " M " << tokens << " token " << t << " row " << r;
            }
          }
        }
      }
    }
  }
}

TEST(Tiles, StoreRowsAsTheProcessorRounds) {
  std::mt19937 random(kSeed);
  const int32_t cols = 77;
  std::vector<float> x(static_cast<size_t>(cols) * 40);
  for (float& value : x) value = std::bit_cast<float>(static_cast<uint32_t>(random()));
  const float denormal = std::numeric_limits<float>::denorm_min();
  for (const float special :
       {0.0f, -0.0f, denormal, -denormal, INFINITY, -INFINITY, NAN, 3.4e38f, 1.00390625f, 1.01171875f})
    x[static_cast<size_t>(random() % x.size())] = special;
  Tiles truth = make_tiles(*tile_kernels(Isa::kReferenceTiles), x, 40, cols);
  for (size_t i = 0; i < x.size(); i++) {
    const float stored = element(truth, cols, static_cast<int64_t>(i) / cols, static_cast<int64_t>(i) % cols);
    const bool is_denormal = std::fabs(x[i]) < std::numeric_limits<float>::min();
    ASSERT_TRUE(same(stored, is_denormal ? std::copysign(0.0f, x[i]) : bf16_to_f32(f32_to_bf16(x[i]))))
        << x[i];
  }
  for (const Isa isa : tiled_isas()) {
    Tiles tiles = make_tiles(*tile_kernels(isa), x, 40, cols);
    for (int64_t row = 0; row < 40; row++) {
      for (int64_t k = 0; k < 96; k++)
        ASSERT_TRUE(same(element(tiles, cols, row, k), element(truth, cols, row, k)))
            << isa_name(isa) << " " << row << " " << k;
    }
  }
}

// A hostile file may say anything about scales: the results may be NaN, but those of the other rows are not.
TEST(Tiles, AnyBitsAreHarmless) {
  std::mt19937 random(kSeed);
  const auto team = make_team(2);
  for (const DType dtype : kTiledTypes) {
    StoredTensor stored = random_tensor(dtype, 24, 512, random);
    for (std::byte& byte : stored.bytes) byte = static_cast<std::byte>(random() % 3 == 0 ? 0xff : random());
    const std::vector<float> x = random_floats(20 * 512, random);
    const auto packed = PackedMatrix::pack(stored.view, *team);
    ASSERT_TRUE(packed.ok());
    const std::vector<float> truth = multiply(Isa::kReferenceTiles, *packed, x, 20, *team);
    for (const Isa isa : tiled_isas()) {
      SCOPED_TRACE(testing::Message() << isa_name(isa) << " " << dtype_info(dtype).name);
      ASSERT_NO_FATAL_FAILURE(expect_same(multiply(isa, *packed, x, 20, *team), truth));
    }
  }
}

}  // namespace
}  // namespace hussar::cpu
