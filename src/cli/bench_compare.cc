#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/flags.h"
#include "base/json.h"
#include "bench/compare.h"
#include "bench/run_results.h"
#include "cli/commands.h"
#include "cli/terminal_text.h"

namespace hussar {
namespace {

constexpr std::string_view kName = "bench compare";
constexpr int kExitWorse = 1;
constexpr double kAnyChange = 1e6;  // percent that no change exceeds

struct CompareFlags {
  std::vector<std::string> paths;
  std::string out;
  double confidence_percent = 95;
  double fail_if_worse_percent = kAnyChange;
  bool json = false;
};

Result<Comparison> compare_files(const CompareFlags& flags) {
  if (flags.paths.size() != 2) {
    return Error{ErrorCode::kInvalid,
                 "two results.json (or their folders) are needed; "
                 "'hussar bench compare --help' has an example",
                 ""};
  }
  ASSIGN_OR_RETURN(RunResults a, load_results(flags.paths[0]));
  ASSIGN_OR_RETURN(RunResults b, load_results(flags.paths[1]));
  return compare_runs(std::move(a), std::move(b), {.confidence = flags.confidence_percent / 100});
}

Result<void> write_out(const Comparison& comparison, const std::string& path) {
  const std::string whole = std::filesystem::absolute(path).string();
  const auto written = write_file_whole(whole, write_json(comparison_to_json(comparison)) + "\n");
  if (written.ok()) return {};
  return Error{ErrorCode::kIo, written.error().message + "; choose another file with --out", ""};
}

}  // namespace

int run_bench_compare(const std::vector<std::string>& args) {
  CompareFlags options;
  FlagTable flags(
      kName,
      "Compares two runs of the same workload: differences with confidence intervals and a verdict for "
      "each figure.",
      "hussar bench compare before/results.json after/results.json --fail-if-worse 5");
  flags.add_positionals("A B", &options.paths, 2,
                        "two results.json, or the folders they are in; B is seen from A");
  flags.add_double("--confidence", &options.confidence_percent, 50, 99, "of the intervals, in percent");
  flags.add_double(
      "--fail-if-worse", &options.fail_if_worse_percent, 0, kAnyChange,
      "exit code 1 where B is worse by more than so many percent of A (shares: percentage points), or "
      "lacks what A measured");
  flags.add_switch("--json", &options.json, "print the comparison as JSON");
  flags.add_string("--out", &options.out, "FILE", "write the comparison as JSON to this file too");
  if (const auto code = parse_or_exit_code(&flags, kName, args)) return *code;
  const auto comparison = compare_files(options);
  if (!comparison.ok()) {
    Error error = comparison.error();
    error.message = safe_for_terminal(error.message);
    return report_error(kName, error);
  }
  if (!options.out.empty()) {
    const auto written = write_out(*comparison, options.out);
    if (!written.ok()) return report_error(kName, written.error());
  }
  const std::string text = options.json ? write_json(comparison_to_json(*comparison)) + "\n"
                                        : safe_for_terminal(comparison_to_text(*comparison));
  std::fputs(text.c_str(), stdout);
  if (!flags.given("--fail-if-worse")) return 0;
  const std::vector<std::string> worse = regressions(*comparison, options.fail_if_worse_percent);
  for (const std::string& line : worse)
    std::fprintf(stderr, "hussar bench compare: %s\n", safe_for_terminal(line).c_str());
  return worse.empty() ? 0 : kExitWorse;
}

}  // namespace hussar
