#include "cli/environment_variable.h"

#include <cstdlib>

namespace hussar {

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace hussar
