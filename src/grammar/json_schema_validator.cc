#include "grammar/json_schema_validator.h"

#include <utility>

#include "grammar/json_schema_compiler.h"
#include "grammar/json_schema_evaluation.h"
#include "grammar/json_schema_program.h"

namespace hussar {

Result<JsonSchema> JsonSchema::compile(std::string_view schema, const Options& options) {
  ASSIGN_OR_RETURN(SchemaProgram program, compile_schema(schema, options));
  return JsonSchema(std::make_unique<const SchemaProgram>(std::move(program)));
}

Result<JsonSchema> JsonSchema::compile_json(const Json& schema, const Options& options) {
  return compile(write_json(schema), options);
}

SchemaVerdict JsonSchema::validate(std::string_view instance, const InstanceLimits& limits) const {
  const auto tree = JsonTree::parse(instance, limits.json);
  if (tree.ok()) return evaluate_schema(*program_, *tree, limits);
  SchemaVerdict verdict;
  verdict.kind = tree.error().code == ErrorCode::kTooLarge ? SchemaVerdict::Kind::kUndecided
                                                           : SchemaVerdict::Kind::kInvalid;
  verdict.reason = tree.error().message;
  return verdict;
}

JsonSchema::JsonSchema(std::unique_ptr<const SchemaProgram> program) : program_(std::move(program)) {}
JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;
JsonSchema& JsonSchema::operator=(JsonSchema&&) noexcept = default;
JsonSchema::~JsonSchema() = default;

}  // namespace hussar
