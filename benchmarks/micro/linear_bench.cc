// Matrix products of real models' shapes against what the machine can do: memory bandwidth for few tokens,
// integer products for many.
//
//   linear_bench [--threads N] [--isa NAME] [--only TEXT] [--tokens 1,4,32] [--seconds S] [--role
//   generated|prompt]
//
// Of a role that takes tiles of BF16, the conversion of the rows is measured with the product.
// A line: shape, format, M, microseconds of the best run, GB/s of weights, GMAC/s, and each as a fraction of
// the measured peak. Weights are cycled through more copies than the caches hold, as the layers of a model
// do.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/types.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/page_buffer.h"
#include "kernels/cpu/peaks.h"
#include "kernels/cpu/tile_kernels.h"

namespace hussar::cpu {
namespace {

struct Shape {
  const char* name;
  DType dtype;
  int32_t rows, cols;
};

constexpr Shape kShapes[] = {
    {"smollm2 q", DType::kQ4_1, 576, 576},     {"smollm2 gate", DType::kQ4_1, 1536, 576},
    {"smollm2 down", DType::kQ4_1, 576, 1536}, {"smollm2 head", DType::kQ8_0, 49152, 576},
    {"qwen q", DType::kQ5_0, 896, 896},        {"qwen gate", DType::kQ5_0, 4864, 896},
    {"qwen down", DType::kQ4_K, 896, 4864},    {"qwen down", DType::kQ6_K, 896, 4864},
    {"qwen head", DType::kQ8_0, 151936, 896},  {"other", DType::kQ4_0, 1536, 576},
    {"other", DType::kQ5_1, 1536, 576},        {"other", DType::kQ8_0, 1536, 576},
    {"other", DType::kQ5_K, 896, 4864},        {"other", DType::kBF16, 1536, 576},
    {"other", DType::kF16, 1536, 576},         {"other", DType::kF32, 1536, 576},
};

struct Options {
  int32_t threads = available_processors();
  std::string isa = "auto";
  std::string only;
  std::vector<int32_t> tokens = {1, 4, 8, 32, 128, 512};
  double seconds = 0.2;
  bool tiled = false;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i], value = argv[i + 1];
    if (flag == "--threads") options.threads = std::max(1, std::atoi(value.c_str()));
    if (flag == "--isa") options.isa = value;
    if (flag == "--only") options.only = value;
    if (flag == "--role") options.tiled = value == "prompt";
    if (flag == "--seconds") options.seconds = std::atof(value.c_str());
    if (flag != "--tokens") continue;
    options.tokens.clear();
    for (size_t at = 0; at < value.size(); at = std::min(value.find(',', at), value.size() - 1) + 1) {
      options.tokens.push_back(std::max(1, std::atoi(value.c_str() + at)));
    }
  }
  return options;
}

constexpr int64_t kCycledBytes = 128 << 20;

// A packed matrix of random bits, several times over. Scales may be anything: the speed doesn't depend on
// them (FTZ is on).
struct Weights {
  std::vector<std::byte> stored;
  std::vector<PackedMatrix> copies;
};

bool make_weights(const Shape& shape, ThreadTeam& team, Weights* out) {
  const DTypeInfo& info = dtype_info(shape.dtype);
  const int64_t bytes = int64_t{shape.rows} * shape.cols / info.block_elements * info.block_bytes;
  std::mt19937_64 random(1);
  out->stored.resize(static_cast<size_t>(bytes));
  for (size_t i = 0; i < out->stored.size(); i++) out->stored[i] = static_cast<std::byte>(random() & 0x3b);
  for (int64_t total = 0; total < kCycledBytes;) {
    auto packed = PackedMatrix::pack({shape.name, shape.dtype, shape.rows, shape.cols, out->stored}, team);
    if (!packed.ok()) return std::fprintf(stderr, "%s\n", packed.error().message.c_str()), false;
    total += packed->bytes();
    out->copies.push_back(std::move(packed).value());
  }
  return true;
}

struct Peaks {
  double bytes_per_second, macs_per_second;
};

// One member's part of a product, whose input becomes BF16 tiles.
void multiply_tiles(const TileKernels& kernels, const LinearArgs& args, uint16_t* tiles, ThreadTeam& team,
                    int32_t member) {
  const Range rows = split_range(args.tokens, member, team.size());
  for (int64_t i = rows.begin; i < rows.end; i++)
    kernels.store_row(args.x + i * args.x_stride, args.w.cols, i, 0, row_tiles(args.w.cols), tiles);
  team.barrier();
  const Range own = panel_share(args.w.rows, member, team.size());
  kernels.linear({args.w, tiles, args.tokens, args.y, args.y_stride, nullptr, args.mode}, own.begin, own.end);
}

void measure(const Shape& shape, const Weights& weights, int32_t tokens, const LinearKernels& kernels,
             const TileKernels* tile_kernels, const Peaks& peaks, double seconds, ThreadTeam& team) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(tokens) * static_cast<size_t>(shape.cols));
  for (float& value : x) value = normal(random);
  std::vector<ActivationBlock> blocks(x.size() / 32 + 1);
  const int64_t y_stride = spread_stride(shape.rows);
  std::vector<float> y(static_cast<size_t>(tokens) * static_cast<size_t>(y_stride));
  PageBuffer tiles = PageBuffer::create(tiled_elements(tokens, shape.cols) * 2, "tiles", team).value();
  double best = 1e9, total = 0;
  for (size_t run = 0; total < seconds || run < 3; run++) {
    const MatrixView& w = weights.copies[run % weights.copies.size()].view();
    const LinearArgs args = {w,        blocks.data(), x.data(), shape.cols,       tokens,
                             y.data(), y_stride,      nullptr,  StoreMode::kStore};
    const TimePoint start = Clock::now();
    team.run([&](int32_t member) {
      if (tile_kernels != nullptr)
        return multiply_tiles(*tile_kernels, args, reinterpret_cast<uint16_t*>(tiles.data()), team, member);
      if (reads_blocks(shape.dtype)) {
        quantize_rows(kernels, x.data(), shape.cols, tokens, shape.cols, blocks.data(), member, team.size());
        team.barrier();
      }
      linear(kernels, args, member, team.size());
    });
    const double taken = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, taken);
    total += taken;
  }
  const double bytes = static_cast<double>(weights.copies[0].bytes()) / best;
  const double macs = static_cast<double>(shape.rows) * shape.cols * tokens / best;
  std::printf("%-13s %-5s %6d x %-5d M %-4d %9.1f us  %6.2f GB/s (%3.0f %%)  %7.1f GMAC/s (%3.0f %%)\n",
              shape.name, std::string(dtype_info(shape.dtype).name).c_str(), shape.rows, shape.cols, tokens,
              best * 1e6, bytes * 1e-9, 100 * bytes / peaks.bytes_per_second, macs * 1e-9,
              100 * macs / peaks.macs_per_second);
  std::fflush(stdout);
}

int run(const Options& options) {
  const auto isa = choose_isa(options.isa);
  if (!isa.ok()) return std::fprintf(stderr, "%s\n", isa.error().message.c_str()), 2;
  auto team = ThreadTeam::create(options.threads);
  if (!team.ok()) return std::fprintf(stderr, "%s\n", team.error().message.c_str()), 2;
  const Peaks peaks = {measure_read_bytes_per_second(*isa, **team, kCycledBytes),
                       measure_macs_per_second(*isa, **team)};
  std::printf("%s, %d threads: reads %.2f GB/s, multiplies %.1f GMAC/s\n",
              std::string(isa_name(*isa)).c_str(), options.threads, peaks.bytes_per_second * 1e-9,
              peaks.macs_per_second * 1e-9);
  const TileKernels* const tile_kernels = options.tiled ? cpu::tile_kernels(*isa) : nullptr;
  if (options.tiled && tile_kernels == nullptr) return std::fprintf(stderr, "this ISA has no tiles\n"), 2;
  for (const Shape& shape : kShapes) {
    if (tile_kernels != nullptr && !multiplies_tiles(shape.dtype)) continue;
    const std::string label = std::string(shape.name) + " " + std::string(dtype_info(shape.dtype).name);
    if (label.find(options.only) == std::string::npos) continue;
    Weights weights;
    if (!make_weights(shape, **team, &weights)) return 2;
    for (const int32_t tokens : options.tokens) {
      measure(shape, weights, tokens, linear_kernels(*isa), tile_kernels, peaks, options.seconds, **team);
    }
  }
  return 0;
}

}  // namespace
}  // namespace hussar::cpu

int main(int argc, char** argv) { return hussar::cpu::run(hussar::cpu::parse(argc, argv)); }
