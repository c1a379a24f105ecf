// From schemas to alternatives: allOf, anyOf, oneOf, not, if, $ref and siblings are multiplied out until what
// is left says, type by type, what a value must be. Values inside arrays and objects stay references, so that
// recursion ends.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grammar/indexed_schema.h"
#include "grammar/schema_facets.h"
#include "grammar/schema_gate.h"

namespace hussar {

// Schemas that one value must satisfy together: sorted, each once, without those that allow everything.
using SchemaGoal = std::vector<SchemaRef>;
SchemaGoal goal_of(std::vector<SchemaRef> refs);

class SchemaExpander {
 public:
  SchemaExpander(IndexedSchema* document, const SchemaLimits& limits)
      : document_(*document), limits_(limits) {}

  // The ways to satisfy all of `goal`; none when there is no value that does, or when refused.
  Alternatives alternatives_of(const SchemaGoal& goal);

  // Set once, by what could not be expressed; the answers after that mean nothing.
  const std::optional<SchemaRefusal>& refusal() const { return refusal_; }
  void refuse(ErrorCode code, std::string_view keyword, std::string path, std::string reason);
  const std::vector<SchemaCheck>& checks() const { return checks_; }
  void add_check(std::string_view keyword, const std::string& path);

  // What the values of a property, or the item at a place, must satisfy.
  static SchemaGoal value_goal(const ObjectFacet& facet, const std::string& name);
  static SchemaGoal item_goal(const ArrayFacet& facet, size_t index);
  SchemaRef ref_of(const Json& schema) const { return 2 * document_.node_of(schema); }
  const std::string& path_of(SchemaRef ref) const { return document_.path(ref / 2); }
  // All strings that satisfy a goal. Nothing when that takes too many states, or when refused.
  std::optional<StringAutomaton> strings_of(const SchemaGoal& goal);
  std::optional<StringAutomaton> strings_of(const StringFacet& facet);
  // Whether `ref` can be worked out, for callers who know another way.
  bool can_expand(SchemaRef ref) {
    return attempt([&] { return expand(ref, Tracking::kNo); }).has_value();
  }

 private:
  using Node = IndexedSchema::Node;
  // Whether somebody asks what a schema has evaluated: then each set of an anyOf's branches is a way of its
  // own.
  enum class Tracking { kNo, kYes };

  Alternatives expand(SchemaRef ref, Tracking tracking);
  Alternatives expand_anew(SchemaRef ref, Tracking tracking);
  Alternatives positive(Node node, Tracking tracking);
  Alternatives negative(Node node);
  Alternatives cross(const Alternatives& a, const Alternatives& b, Node node);
  void add(const Alternatives& more, Node node, Alternatives* alternatives);
  bool spend(int64_t work);
  // What `body` returns, or nothing, and no refusal, where it refuses for another reason than its cost as a
  // whole.
  std::optional<Alternatives> attempt(const std::function<Alternatives()>& body);

  // Keywords without alternatives (schema_plain.cc).
  Alternative plain(Node node);
  void plain_number(Node node, Alternative* alternative);
  void plain_string(Node node, Alternative* alternative);
  void plain_array(Node node, Alternative* alternative);
  void plain_object(Node node, Alternative* alternative);
  ObjectFacet::Layer property_layer(Node node);
  SharedAutomaton pattern(const std::string& text, std::string_view keyword, Node node);
  void format(Node node, Alternative* alternative);
  Alternatives listed_values(const std::vector<const Json*>& values, Node node);
  Json value_as_schema(const Json& value) const;

  // Keywords with alternatives.
  Alternatives reference(Node node, std::string_view keyword, Tracking tracking, SchemaRef negation);
  Alternatives any_of(Node node, Tracking tracking);
  Alternatives one_of(Node node, Tracking tracking);
  Alternatives if_then_else(Node node, Tracking tracking);
  Alternatives dependent_required(Node node);
  Alternatives dependent_schemas(Node node, Tracking tracking);
  void apply_unevaluated(Node node, Alternatives* alternatives);
  SchemaRef either(std::vector<SchemaRef> refs, Node node);

  // Negations (schema_negation.cc).
  void negate_type(Node node, Alternatives* out);
  Alternatives other_values(const std::vector<const Json*>& values, Node node);
  void negate_number(Node node, Alternatives* out);
  void negate_string(Node node, Alternatives* out);
  void negate_array(Node node, Alternatives* out);
  void negate_object(Node node, Alternatives* out);
  void negate_combination(Node node, Alternatives* out);

  // Whether no value can be left (schema_overlap.cc). False when that is not seen at once.
  bool is_impossible(Alternative* alternative, int32_t depth);
  bool is_goal_impossible(const SchemaGoal& goal, int32_t depth);
  bool overlap(const Alternatives& a, const Alternatives& b);

  IndexedSchema& document_;
  const SchemaLimits& limits_;
  std::optional<SchemaRefusal> refusal_;
  bool exhausted_ = false;
  int64_t work_ = 0;
  std::vector<SchemaCheck> checks_;
  std::map<std::pair<SchemaRef, Tracking>, Alternatives> known_;
  std::set<SchemaRef> open_;  // being expanded
  std::map<std::string, SharedAutomaton> patterns_;
  std::map<Node, std::vector<SchemaRef>> unions_;  // made schemas that mean: one of these
};

}  // namespace hussar
