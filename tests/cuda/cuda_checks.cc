// Checks the CUDA backend on a machine that has a device: every operation and the sampling against the CPU
// backend, and whole texts against the CPU with 32-bit weights.
//
//   cuda_checks [--quick] [--only operations|sampling|text] [--model smollm2.gguf]
//
// Exit code 0 when all passed, 1 when one failed, 2 when they couldn't run.
#include <string>

#include "base/flags.h"
#include "checks.h"

int main(int argc, char** argv) {
  using namespace hussar;
  checks::Scope scope;
  std::string only = "all";
  FlagTable flags("cuda_checks", "Checks the CUDA backend against the CPU's.",
                  "cuda_checks --model smollm2.gguf");
  flags.add_switch("--quick", &scope.quick, "few cases, for compute-sanitizer");
  flags.add_choice("--only", &only, {"all", "operations", "sampling", "text"}, "a part of the checks");
  flags.add_string("--model", &scope.model, "FILE", "whose text is compared; none: random weights");
  const auto outcome = flags.parse(std::vector<std::string>(argv + 1, argv + argc));
  if (!outcome.ok()) checks::fail(outcome.error().message);
  if (*outcome == FlagTable::Outcome::kHelpShown) return 0;
  if (cuda_device_count() == 0) checks::fail("there is no CUDA device, or this build has no CUDA");

  checks::Report report;
  if (only == "all" || only == "sampling") checks::check_sampling(scope, report);
  if (only == "all" || only == "operations") checks::check_operations(scope, report);
  if (only == "all" || only == "text") checks::check_text(scope, report);
  std::printf("cuda_checks: %d passed, %d failed\n", report.passed(), report.failed());
  return report.failed() == 0 ? 0 : 1;
}
