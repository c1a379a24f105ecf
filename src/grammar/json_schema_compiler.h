// From a schema's text to what is evaluated: keywords are read and checked, references resolved, patterns
// compiled.
#pragma once

#include <string_view>

#include "base/result.h"
#include "grammar/json_schema_program.h"
#include "grammar/json_schema_validator.h"

namespace hussar {

// Errors: as JsonSchema::compile.
Result<SchemaProgram> compile_schema(std::string_view text, const JsonSchema::Options& options);

}  // namespace hussar
