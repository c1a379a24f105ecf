// Foreign text for an error message: short, and nothing in it that could garble a terminal.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace hussar {

std::string quoted(std::string_view text);
// A JSON value as it is written.
std::string shown(const Json& value);

}  // namespace hussar
