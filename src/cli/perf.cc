#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/flags.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/device_flag.h"
#include "cli/open_model.h"
#include "cli/perf_bench.h"
#include "cli/random_model.h"
#include "cli/weights_flag.h"

namespace hussar {
namespace {

struct PerfOptions {
  std::string model;
  std::string random_weights;
  std::string weights = "auto";
  DeviceOptions device;
  int64_t repetitions = 3;
  int64_t step_tokens = 0;
  PerfSweep sweep{.prompts = {512}, .generates = {128}, .depths = {0}, .batches = {1}};
  bool json = false;
};

void print_json(const PerfRow& row) {
  const Json line(JsonObject{{"test", row.test.name()},
                             {"tokens_per_second", row.tokens_per_second},
                             {"min", row.min},
                             {"max", row.max},
                             {"roofline_fraction", row.roofline_fraction}});
  std::printf("%s\n", write_json(line).c_str());
  std::fflush(stdout);
}

void print_row(const PerfRow& row) {
  std::printf("%-18s %10.1f %10.1f %10.1f %9.2f  %-10s %10.1f %10.2f\n", row.test.name().c_str(),
              row.tokens_per_second, row.min, row.max, row.roofline_fraction,
              row.memory_bound ? "memory" : "arithmetic", row.step_bytes / 1e6, row.step_macs / 1e9);
  std::fflush(stdout);
}

Result<std::unique_ptr<Model>> load(const PerfOptions& options, Backend& backend) {
  const WeightChoice weights = weight_choice(options.weights);
  if (!options.random_weights.empty()) {
    ASSIGN_OR_RETURN(const RandomModel random, make_random_model(options.random_weights));
    return Model::load(random.file, backend, weights, nullptr);
  }
  ASSIGN_OR_RETURN(const ModelFile file, open_model(options.model));
  return Model::load(file, backend, weights, nullptr);
}

Result<void> check_choice(const PerfOptions& options) {
  if (options.model.empty() == options.random_weights.empty())
    return Error{ErrorCode::kInvalid, "give either --model or --random-weights", "--model"};
  const std::vector<std::string> names = random_model_names();
  if (options.random_weights.empty() || std::ranges::find(names, options.random_weights) != names.end())
    return {};
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  return Error{ErrorCode::kInvalid, "must be one of " + known, "--random-weights"};
}

Result<void> run_sweep(const PerfOptions& options) {
  RETURN_IF_ERROR(check_choice(options));
  ASSIGN_OR_RETURN(const std::unique_ptr<Backend> backend, open_backend(options.device));
  ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, load(options, *backend));
  PerfSweep sweep = options.sweep;
  sweep.kv_type = kv_type_of(options.device, *backend);
  sweep.step_rows_max =
      options.step_tokens > 0 ? static_cast<int32_t>(options.step_tokens) : backend->info().step_rows;
  ASSIGN_OR_RETURN(PerfBench bench, PerfBench::create(*backend, *model, sweep));
  if (!options.json) {
    const DeviceInfo& device = backend->info();
    std::printf(
        "%s on %s (%s), %d threads; peaks measured now: %.1f GB/s read, %.0f G multiply-accumulates/s\n",
        model->config().name.c_str(), device.device.c_str(), device.isa.c_str(), device.threads,
        bench.peaks().read_bytes_per_second / 1e9, bench.peaks().macs_per_second / 1e9);
    std::printf("a step reads at least %.1f MB of weights, and the keys and values in its context\n",
                static_cast<double>(model->step_weight_bytes()) / 1e6);
    std::printf("%-18s %10s %10s %10s %9s  %-10s %10s %10s\n", "test", "tokens/s", "min", "max", "roofline",
                "bound by", "MB/step", "GMAC/step");
  }
  for (const PerfTest& test : list_perf_tests(sweep)) {
    ASSIGN_OR_RETURN(const PerfRow row, bench.run(test));
    options.json ? print_json(row) : print_row(row);
  }
  return {};
}

}  // namespace

int run_perf(const std::vector<std::string>& args) {
  PerfOptions options;
  FlagTable flags(
      "perf",
      "Measures the engine's speed on this machine, and what fraction of the hardware's limit that is.",
      "hussar perf --model model.gguf --prompt 512 --generate 128 --batch 1,8,32");
  flags.add_string("--model", &options.model, "MODEL", "a file, a folder, or a pulled name");
  flags.add_string("--random-weights", &options.random_weights, "NAME",
                   "a model of this shape with random weights: qwen2.5-0.5b, qwen3-0.6b, smollm2-135m");
  add_device_flags(&flags, &options.device);
  add_weights_flag(&flags, &options.weights);
  flags.add_int_list("--prompt", &options.sweep.prompts, 0, 1 << 20, "prompt lengths; 0: none");
  flags.add_int_list("--generate", &options.sweep.generates, 0, 1 << 20, "tokens to generate; 0: none");
  flags.add_int_list("--depth", &options.sweep.depths, 0, 1 << 20,
                     "positions that stand in the context already");
  flags.add_int_list("--batch", &options.sweep.batches, 1, 1024, "sequences that generate at once");
  flags.add_int("--repetitions", &options.repetitions, 1, 1000, "counted runs of each test");
  flags.add_int("--step-tokens", &options.step_tokens, 0, 1 << 16,
                "rows of one step, longer prompts are cut; 0: as the server on this device");
  flags.add_switch("--json", &options.json, "one JSON object a line");
  if (const auto code = parse_or_exit_code(&flags, "perf", args)) return *code;
  options.sweep.repetitions = static_cast<int32_t>(options.repetitions);
  const auto done = run_sweep(options);
  return done.ok() ? 0 : report_error("perf", done.error());
}

}  // namespace hussar
