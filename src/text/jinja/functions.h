// The global functions: range, namespace, dict, raise_exception, strftime_now.
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/runtime.h"

namespace hussar::jinja {

// Nothing when there is no such function. `refused` is set for one that jinja2 has and we have not.
std::optional<Function> find_function(std::string_view name, bool* refused);

Result<Value> call_function(Runtime& runtime, Function function, const Arguments& arguments);

}  // namespace hussar::jinja
