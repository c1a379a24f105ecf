#include "grammar/schema_gate.h"

#include <utility>

#include "grammar/indexed_schema.h"
#include "grammar/schema_emitter.h"
#include "grammar/schema_expander.h"

namespace hussar {

std::string SchemaRefusal::message() const {
  const std::string where = path.empty() ? "the root" : path;
  return keyword.empty() ? where + ": " + reason : "'" + keyword + "' at " + where + ": " + reason;
}

std::variant<SchemaPlan, SchemaRefusal> plan_schema(const Json& schema, const SchemaGateOptions& options) {
  const SchemaLimits& limits = options.limits;
  std::variant<IndexedSchema, SchemaRefusal> read = IndexedSchema::read(schema, limits.nodes_max);
  if (SchemaRefusal* refusal = std::get_if<SchemaRefusal>(&read)) return std::move(*refusal);
  IndexedSchema& document = std::get<IndexedSchema>(read);
  SchemaExpander expander(&document, limits);
  SchemaEmitter emitter(&expander, options);
  const GrammarRules::Rule start = emitter.emit(goal_of({2 * document.root()}));
  if (expander.refusal()) return *expander.refusal();

  int64_t shortest_bytes = 0;
  std::optional<GrammarRules::Text> text =
      emitter.rules().write(start, options.root_rule, limits.shortest_bytes_max, &shortest_bytes);
  if (!text) return SchemaRefusal{ErrorCode::kInvalid, "", "", "no finite value satisfies the schema"};
  if (shortest_bytes > limits.shortest_bytes_max) {
    return SchemaRefusal{ErrorCode::kTooLarge, "", "",
                         "the shortest value that satisfies the schema has more than " +
                             std::to_string(limits.shortest_bytes_max) + " bytes"};
  }
  SchemaPlan plan;
  plan.grammar = std::move(text->ebnf);
  plan.shortest = std::move(text->shortest);
  plan.rules = text->rules;
  plan.expressions = text->expressions;
  plan.checks = expander.checks();
  return plan;
}

}  // namespace hussar
