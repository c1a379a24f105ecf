// The machine that the load comes from: what a reader needs to judge its figures.
#pragma once

#include <string>

#include "base/json.h"

namespace hussar {

// cpu, cores (that this process may use), memory_bytes, os, kernel, hussar_version; what can't be read is
// left out. `root` stands before /proc and /etc, so that a test can lay out a machine in a folder.
JsonObject client_environment(const std::string& version, const std::string& root = "");

}  // namespace hussar
