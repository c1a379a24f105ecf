// The subcommands. Each takes the words after its name and returns the process's exit code: 0, or 2 for the
// caller's or environment's fault.
#pragma once

#include <string>
#include <vector>

namespace hussar {

int run_perf(const std::vector<std::string>& args);

}  // namespace hussar
