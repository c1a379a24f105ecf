#include "cli/commands.h"

#include <cstdio>

namespace hussar {

int report_error(std::string_view command, const Error& error) {
  const bool named = error.field.starts_with("--") && !error.message.starts_with(error.field);
  std::fprintf(stderr, "hussar %.*s: %s%s%s\n", static_cast<int>(command.size()), command.data(),
               named ? error.field.c_str() : "", named ? ": " : "", error.message.c_str());
  return kExitFault;
}

std::optional<int> parse_or_exit_code(FlagTable* flags, std::string_view command,
                                      const std::vector<std::string>& args) {
  const auto outcome = flags->parse(args);
  if (!outcome) return report_error(command, outcome.error());
  if (*outcome == FlagTable::Outcome::kHelpShown) return 0;
  return std::nullopt;
}

}  // namespace hussar
