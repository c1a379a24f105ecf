// hussar bench: finds the subcommand and hands it the rest of the words.
#include <cstdio>
#include <string_view>

#include "cli/commands.h"

namespace hussar {
namespace {

struct BenchCommand {
  std::string_view name;
  std::string_view purpose;
  int (*run)(const std::vector<std::string>& args);
};

constexpr BenchCommand kBenchCommands[] = {
    {"article", "run the article's five dimensions, beside its own figures", run_bench_article},
    {"load", "press a server in closed or open loop", run_bench_load},
    {"limit", "find the highest rate that meets an objective", run_bench_limit},
    {"compare", "compare two runs, with intervals and verdicts", run_bench_compare},
    {"prove", "compare what is measured with a mock's truth", run_bench_prove},
};

void print_bench_usage(std::FILE* out) {
  std::fputs(
      "hussar bench presses any server with an OpenAI-compatible API.\n"
      "Usage: hussar bench COMMAND [flags]\nCommands:\n",
      out);
  for (const BenchCommand& command : kBenchCommands) {
    std::fprintf(out, "  %-10s%s\n", command.name.data(), command.purpose.data());
  }
  std::fputs(
      "'hussar bench COMMAND --help' lists a command's flags.\nExample:\n"
      "  hussar bench load --url http://127.0.0.1:8080 --users 10 --out report\n",
      out);
}

}  // namespace

int run_bench(const std::vector<std::string>& args) {
  if (args.empty()) {
    print_bench_usage(stderr);
    return kExitFault;
  }
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    print_bench_usage(stdout);
    return 0;
  }
  for (const BenchCommand& command : kBenchCommands) {
    if (command.name == args[0]) return command.run({args.begin() + 1, args.end()});
  }
  std::fprintf(stderr, "hussar bench: unknown command '%s'; 'hussar bench --help' lists the commands\n",
               args[0].c_str());
  return kExitFault;
}

}  // namespace hussar
