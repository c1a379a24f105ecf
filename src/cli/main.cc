// hussar: finds the subcommand and hands it the rest of the words.
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"

namespace {

struct Command {
  std::string_view name;
  std::string_view purpose;  // empty: not for people, and not listed
  int (*run)(const std::vector<std::string>& args);
};

constexpr Command kCommands[] = {
    {"pull", "bring a model from Hugging Face or ModelScope", hussar::run_pull},
    {"list", "show the models that were pulled", hussar::run_list},
    {"show", "show where a pulled model came from", hussar::run_show},
    {"rm", "remove a pulled model", hussar::run_rm},
    {"serve", "serve a model over an OpenAI-compatible API", hussar::run_serve},
    {"chat", "talk to a model in the terminal", hussar::run_chat},
    {"bench", "press any server and report how it bears that", hussar::run_bench},
    {"perf", "measure the engine's speed on this machine", hussar::run_perf},
    {"mock", "serve a mock with known truth, to test clients with", hussar::run_mock},
    {"tokenize", "show a text's token ids and pieces", hussar::run_tokenize},
    {"inspect", "show a model file's metadata and tensors", hussar::run_inspect},
    {"version", "print the version", hussar::run_version},
    {"compile-grammars", "", hussar::run_compile_grammars},
};

void print_usage(std::FILE* out) {
  std::fputs("hussar serves small language models.\nUsage: hussar COMMAND [flags]\nCommands:\n", out);
  for (const Command& command : kCommands) {
    if (command.purpose.empty()) continue;
    std::fprintf(out, "  %-10s%s\n", command.name.data(), command.purpose.data());
  }
  std::fputs(
      "'hussar COMMAND --help' lists a command's flags.\nExample:\n"
      "  hussar serve --model model.gguf --port 8080\n",
      out);
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that went away (a closed pipe or connection) is an error of one write, not the end of the
  // process.
  std::signal(SIGPIPE, SIG_IGN);
  if (argc < 2) {
    print_usage(stderr);
    return hussar::kExitFault;
  }
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    print_usage(stdout);
    return 0;
  }
  const std::vector<std::string> args(argv + 2, argv + argc);
  if (name == "--version") return hussar::run_version(args);
  for (const Command& command : kCommands) {
    if (command.name == name) return command.run(args);
  }
  std::fprintf(stderr, "hussar: unknown command '%s'; 'hussar --help' lists the commands\n", argv[1]);
  return hussar::kExitFault;
}
