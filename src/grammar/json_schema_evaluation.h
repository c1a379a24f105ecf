// Follows a compiled schema through one instance.
#pragma once

#include "grammar/json_schema_program.h"
#include "grammar/json_schema_validator.h"

namespace hussar {

SchemaVerdict evaluate_schema(const SchemaProgram& program, const JsonTree& instance,
                              const JsonSchema::InstanceLimits& limits);

}  // namespace hussar
