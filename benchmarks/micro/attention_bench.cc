// Paged attention of real models' shapes against what the machine can do: memory bandwidth for few rows,
// float multiply-adds for many.
//
//   attention_bench [--threads N] [--isa NAME] [--only TEXT] [--seconds S]
//
// Many rows are those of prompts, which take tiles of BF16 where the ISA has them; a single one is a
// generated token's.
//
// A line: model, rows and depth of each part, microseconds of the best run of one layer, GB/s of keys and
// values, GMAC/s, and both as a fraction of what was measured. Layers are cycled through, as in a model, so
// that keys and values come from where they would.
#include <immintrin.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/types.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/peaks.h"

namespace hussar::cpu {
namespace {

struct ModelCase {
  const char* name;
  int32_t layers, heads, kv_heads, head_dim;
};

constexpr ModelCase kModels[] = {
    {"smollm2-135m", 30, 9, 3, 64}, {"qwen2.5-0.5b", 24, 14, 2, 64}, {"llama-3.2-1b", 16, 32, 8, 64}};

struct Load {
  int32_t parts, rows, depth;
};

constexpr Load kLoads[] = {{1, 1, 128},  {1, 1, 1024}, {1, 1, 4096},   {8, 1, 1024},
                           {32, 1, 512}, {1, 512, 0},  {1, 512, 1024}, {1, 512, 3584}};

struct Options {
  int32_t threads = available_processors();
  std::string isa = "auto";
  std::string only;
  double seconds = 0.3;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i], value = argv[i + 1];
    if (flag == "--threads") options.threads = std::max(1, std::atoi(value.c_str()));
    if (flag == "--isa") options.isa = value;
    if (flag == "--only") options.only = value;
    if (flag == "--seconds") options.seconds = std::atof(value.c_str());
  }
  return options;
}

double seconds_since(TimePoint start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Float multiply-adds of one thread in a second, with 8 lanes and no memory in the way; 0 on a machine
// without them.
__attribute__((target("avx2,fma"))) double measure_fma_lanes8() {
  __m256 sums[10];
  for (__m256& sum : sums) sum = _mm256_set1_ps(1.0f);
  const __m256 factor = _mm256_set1_ps(0.999f);
  double best = 0.0;
  constexpr int kRounds = 20000;
  for (int repetition = 0; repetition < 50; repetition++) {
    const TimePoint start = Clock::now();
    for (int i = 0; i < kRounds; i++) {
#pragma GCC unroll 10
      for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, factor, factor);
    }
    for (__m256& sum : sums) asm volatile("" : "+x"(sum));
    best = std::max(best, 80.0 * kRounds / seconds_since(start));
  }
  return best;
}

void run_case(const Options& options, Isa isa, const ModelCase& model, const Load& load, double peak_bytes,
              double peak_macs) {
  const std::unique_ptr<ThreadTeam> team = ThreadTeam::create(options.threads).value();
  ModelShape shape;
  shape.layers = model.layers;
  shape.heads = model.heads;
  shape.kv_heads = model.kv_heads;
  shape.head_dim = model.head_dim;
  StepLimits limits;
  limits.rows_max = load.parts * load.rows;
  limits.parts_max = load.parts;
  limits.context_max = load.depth + load.rows;
  const int32_t blocks = (limits.context_max + kKvBlockTokens - 1) / kKvBlockTokens;
  KvPool pool =
      KvPool::create(
          shape, {tile_kernels(isa) != nullptr ? KvType::kBF16 : KvType::kF16, blocks * load.parts}, *team)
          .value();
  PagedAttention attention(attention_kernels(isa), tile_kernels(isa), shape, limits, options.threads);
  Carver counter(nullptr);
  attention.carve(counter);
  const PageBuffer memory = PageBuffer::create(counter.used_bytes(), "the workspace", *team).value();
  Carver carver(memory.data());
  attention.carve(carver);
  std::vector<std::vector<int32_t>> tables(static_cast<size_t>(load.parts));
  std::vector<BatchPart> parts;
  int32_t next = 0;
  for (std::vector<int32_t>& table : tables) {
    for (int32_t b = 0; b < blocks; b++) table.push_back(next++);
    BatchPart part{};
    part.first_position = load.depth;
    part.rows = load.rows;
    part.role = load.rows > 1 ? RowRole::kPrompt : RowRole::kGenerated;
    part.blocks = table;
    parts.push_back(part);
  }
  const size_t elements =
      static_cast<size_t>(limits.rows_max) * static_cast<size_t>(model.heads * model.head_dim);
  std::vector<float> q(elements, 0.1f), out(elements);
  attention.plan(parts);
  double best = 1e9;
  const TimePoint begin = Clock::now();
  for (int32_t layer = 0; seconds_since(begin) < options.seconds || layer < 2 * model.layers; layer++) {
    const TimePoint start = Clock::now();
    attention.start_layer();
    team->run(
        [&](int32_t member) { attention.run(pool, layer % model.layers, q.data(), out.data(), member); });
    best = std::min(best, seconds_since(start));
  }
  const double positions = static_cast<double>(load.parts) * load.rows * (load.depth + (load.rows + 1) / 2.0);
  const double macs = positions * model.heads * model.head_dim * 2.0;
  const double bytes =
      static_cast<double>(load.parts) * limits.context_max * model.kv_heads * model.head_dim * 4.0;
  std::printf("%-14s %3d x %4d @ %5d %10.1f us %8.2f GB/s %5.2f %8.1f GMAC/s %5.2f\n", model.name, load.parts,
              load.rows, load.depth, best * 1e6, bytes / best / 1e9, bytes / best / peak_bytes,
              macs / best / 1e9, macs / best / peak_macs);
  std::fflush(stdout);
}

int run(const Options& options) {
  const Result<Isa> isa = choose_isa(options.isa);
  if (!isa.ok()) {
    std::fprintf(stderr, "%s\n", isa.error().message.c_str());
    return 2;
  }
  double peak_bytes = 0.0;
  {
    const std::unique_ptr<ThreadTeam> team = ThreadTeam::create(options.threads).value();
    peak_bytes = measure_read_bytes_per_second(*isa, *team, 128 << 20);
  }
  const double lanes = *isa >= Isa::kAvx512 ? 2.0 : 1.0;
  const double peak_macs = isa_supported(Isa::kAvx2) ? measure_fma_lanes8() * lanes * options.threads : 1e9;
  std::printf("%s, %d threads: %.1f GB/s, %.1f G float multiply-adds/s\n",
              std::string(isa_name(*isa)).c_str(), options.threads, peak_bytes / 1e9, peak_macs / 1e9);
  for (const ModelCase& model : kModels) {
    if (std::string(model.name).find(options.only) == std::string::npos) continue;
    for (const Load& load : kLoads) run_case(options, *isa, model, load, peak_bytes, peak_macs);
  }
  return 0;
}

}  // namespace
}  // namespace hussar::cpu

int main(int argc, char** argv) { return hussar::cpu::run(hussar::cpu::parse(argc, argv)); }
