// From alternatives to rules of a grammar: one rule for each set of schemas that a value must satisfy
// together.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grammar/json_rules.h"
#include "grammar/schema_expander.h"
#include "grammar/schema_gate.h"

namespace hussar {

class SchemaEmitter {
 public:
  SchemaEmitter(SchemaExpander* expander, const SchemaGateOptions& options)
      : expander_(*expander), limits_(options.limits), others_(options.others) {}

  // Makes all rules of `root`; what could not be expressed is the expander's refusal.
  GrammarRules::Rule emit(const SchemaGoal& root);
  const GrammarRules& rules() const { return json_.rules(); }

 private:
  using Expression = GrammarRules::Expression;
  using Rule = GrammarRules::Rule;

  // What a value of `goal` may be: a reference to its rule, which is made later.
  Expression value(const SchemaGoal& goal);
  void define(const SchemaGoal& goal, Rule rule);
  Expression number(const NumberFacet& facet);
  Expression string(const StringFacet& facet);
  Expression array(const ArrayFacet& facet);
  bool is_countable(const ArrayFacet& facet);
  Expression counted_array(const ArrayFacet& facet);
  Expression object(const ObjectFacet& facet);

  struct Member {
    std::string name;
    SchemaGoal goal;
    bool required = false;
  };
  // Names that the schema knows, in its order; nothing when a required one is impossible.
  std::optional<std::vector<Member>> members(const ObjectFacet& facet,
                                             const std::optional<StringAutomaton>& names);
  // One more member, of any other name; kNothing where there may be none.
  Expression free_member(const ObjectFacet& facet, const std::optional<StringAutomaton>& names);
  Expression members_in_order(const ObjectFacet& facet, const std::vector<Member>& members, Expression free);
  Expression free_members(Expression free, int64_t count, int64_t min, int64_t max);
  std::optional<StringAutomaton> allowed_names(const ObjectFacet& facet);

  Expression text(std::string_view bytes) { return json_.rules().literal(bytes); }
  Expression sequence(std::vector<Expression> parts) { return json_.rules().sequence(std::move(parts)); }
  Expression choice(std::vector<Expression> options) { return json_.rules().choice(std::move(options)); }
  Expression rule_of(Expression body);
  // Bounds that a repetition can have: a minimum beyond the limit is refused, a maximum beyond it is checked
  // instead.
  int32_t repeat_min(int64_t min, std::string_view keyword);
  int32_t repeat_max(int64_t max, std::string_view keyword);
  void refuse(ErrorCode code, std::string_view keyword, std::string reason);
  void check(std::string_view keyword) { expander_.add_check(keyword, path_); }

  SchemaExpander& expander_;
  const SchemaLimits& limits_;
  const OtherProperties others_;
  JsonRules json_;
  std::map<SchemaGoal, Rule> known_;
  std::deque<std::pair<SchemaGoal, Rule>> todo_;
  std::string path_;  // of a schema in the goal that is being defined
};

}  // namespace hussar
