// Any schema: the gate refuses it in one plain line, or hands out a plan whose shortest text is an instance
// by our own validator, which shares no code with it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/check.h"
#include "base/json.h"
#include "grammar/json_schema_validator.h"
#include "grammar/schema_gate.h"

namespace {

// What a slow machine with sanitizers still does in a moment.
hussar::SchemaGateOptions small_options() {
  hussar::SchemaGateOptions options;
  options.limits.nodes_max = 500;
  options.limits.work_max = 3'000;
  options.limits.pattern_states_max = 100;
  options.limits.rules_max = 2'000;
  options.limits.expressions_max = 10'000;
  options.limits.shortest_bytes_max = 2'000;
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto schema = hussar::parse_json(text, hussar::JsonLimits{.bytes_max = 1 << 14});
  if (!schema.ok()) return 0;
  const auto planned = hussar::plan_schema(*schema, small_options());
  if (const auto* refusal = std::get_if<hussar::SchemaRefusal>(&planned)) {
    CHECK(!refusal->reason.empty());
    return 0;
  }
  const auto& plan = std::get<hussar::SchemaPlan>(planned);
  CHECK(plan.grammar.starts_with("root ::= "));
  CHECK(hussar::parse_json(plan.shortest, hussar::JsonLimits()).ok());
  if (plan.needs_check()) return 0;
  const auto compiled = hussar::JsonSchema::compile(text, hussar::JsonSchema::Options());
  if (!compiled.ok()) return 0;
  const hussar::SchemaVerdict verdict =
      compiled->validate(plan.shortest, hussar::JsonSchema::InstanceLimits());
  CHECK_NOTE(verdict.kind != hussar::SchemaVerdict::Kind::kInvalid, "the shortest text is no instance");
  return 0;
}
