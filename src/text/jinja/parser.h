// A template's source to its tree.
#pragma once

#include <memory>
#include <string_view>

#include "text/jinja/ast.h"

namespace hussar::jinja {

// Errors: kInvalid and kUnsupported with the line and what was met (unknown statements, filters and tests by
// name), kTooLarge (nesting). REQUIRES: valid UTF-8.
Result<std::unique_ptr<const Template>> parse(std::string_view source, const TemplateLimits& limits);

}  // namespace hussar::jinja
