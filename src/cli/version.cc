#include "cli/version.h"

#include <cstdio>

#include "cli/commands.h"

namespace hussar {

std::string hussar_version() { return HUSSAR_VERSION; }

int run_version(const std::vector<std::string>& args) {
  FlagTable flags("version", "Prints the version.", "hussar version");
  if (const auto code = parse_or_exit_code(&flags, "version", args)) return *code;
  std::printf("hussar %s\n", hussar_version().c_str());
  return 0;
}

}  // namespace hussar
