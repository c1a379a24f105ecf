// The version that the build was given.
#pragma once

#include <string>

namespace hussar {

std::string hussar_version();  // "0.1.0"

}  // namespace hussar
