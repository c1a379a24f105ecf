// The result of the last proof of the load generator on this machine, which stands in the reports of later
// runs.
#pragma once

#include <string>

#include "base/result.h"

namespace hussar {

// One line with its date, or that there is none.
std::string stored_prove_line();
// In $XDG_CACHE_HOME/hussar, else ~/.cache/hussar. Errors: kIo, kNotFound (no home).
Result<void> store_prove_line(const std::string& line);

}  // namespace hussar
