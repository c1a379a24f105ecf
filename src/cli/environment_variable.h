// The environment, which only says where a user's folders are; everything else is a flag.
#pragma once

#include <string>

namespace hussar {

std::string environment_variable(const char* name);  // empty where it is not set

}  // namespace hussar
