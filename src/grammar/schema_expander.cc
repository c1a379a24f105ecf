#include "grammar/schema_expander.h"

#include <algorithm>
#include <utility>

#include "grammar/schema_keywords.h"

namespace hussar {
namespace {

constexpr size_t kOpenMax = 400;           // schemas that lead to each other in place, by $ref and the like
constexpr size_t kTrackedBranchesMax = 5;  // of an anyOf whose sets of branches are told apart
constexpr int32_t kOverlapDepth = 3;

}  // namespace

SchemaGoal goal_of(std::vector<SchemaRef> refs) {
  std::erase(refs, kAllowAll);
  std::sort(refs.begin(), refs.end());
  refs.erase(std::unique(refs.begin(), refs.end()), refs.end());
  return refs;
}

void SchemaExpander::refuse(ErrorCode code, std::string_view keyword, std::string path, std::string reason) {
  if (!refusal_) refusal_ = SchemaRefusal{code, std::string(keyword), std::move(path), std::move(reason)};
}

void SchemaExpander::add_check(std::string_view keyword, const std::string& path) {
  const auto same = [&](const SchemaCheck& check) { return check.keyword == keyword && check.path == path; };
  if (std::none_of(checks_.begin(), checks_.end(), same)) checks_.push_back({std::string(keyword), path});
}

bool SchemaExpander::spend(int64_t work) {
  work_ += work;
  if (work_ > limits_.work_max && !exhausted_) {
    exhausted_ = true;
    refusal_.reset();
    refuse(ErrorCode::kTooLarge, "", "",
           "the schema takes too long to work out; use fewer or simpler alternatives");
  }
  return !exhausted_;
}

std::optional<Alternatives> SchemaExpander::attempt(const std::function<Alternatives()>& body) {
  if (refusal_) return std::nullopt;
  Alternatives alternatives = body();
  if (!refusal_) return alternatives;
  if (!exhausted_) refusal_.reset();
  return std::nullopt;
}

SchemaGoal SchemaExpander::value_goal(const ObjectFacet& facet, const std::string& name) {
  std::vector<SchemaRef> refs;
  for (const ObjectFacet::Layer& layer : facet.layers) {
    bool named = false;
    for (const auto& [known, value] : layer.names) {
      if (known != name) continue;
      named = true;
      refs.push_back(value);
    }
    for (const auto& [automaton, value] : layer.patterns) {
      if (!automaton->matches(name)) continue;
      named = true;
      refs.push_back(value);
    }
    if (!named) refs.push_back(layer.rest);
  }
  return goal_of(std::move(refs));
}

SchemaGoal SchemaExpander::item_goal(const ArrayFacet& facet, size_t index) {
  std::vector<SchemaRef> refs;
  for (const ArrayFacet::Layer& layer : facet.layers) refs.push_back(facet.item_of(layer, index));
  return goal_of(std::move(refs));
}

void SchemaExpander::add(const Alternatives& more, Node node, Alternatives* alternatives) {
  alternatives->insert(alternatives->end(), more.begin(), more.end());
  if (alternatives->size() <= static_cast<size_t>(limits_.alternatives_max)) return;
  join_lists(alternatives);
  if (alternatives->size() <= static_cast<size_t>(limits_.alternatives_max)) return;
  refuse(ErrorCode::kTooLarge, "", document_.path(node),
         "more than " + std::to_string(limits_.alternatives_max) + " alternatives, multiplied out");
}

Alternatives SchemaExpander::cross(const Alternatives& a, const Alternatives& b, Node node) {
  Alternatives crossed;
  for (const Alternative& one : a) {
    for (const Alternative& other : b) {
      if (refusal_ || !spend(1)) return {};
      Alternative both = one;
      both.intersect(other);
      if (both.types == 0) continue;
      add({std::move(both)}, node, &crossed);
    }
  }
  return crossed;
}

Alternatives SchemaExpander::alternatives_of(const SchemaGoal& goal) {
  Alternatives alternatives{Alternative()};
  for (const SchemaRef ref : goal) {
    alternatives = cross(alternatives, expand(ref, Tracking::kNo), ref / 2);
    if (refusal_) return {};
  }
  std::erase_if(alternatives, [&](Alternative& one) { return is_impossible(&one, kOverlapDepth); });
  join_lists(&alternatives);
  return alternatives;
}

Alternatives SchemaExpander::expand(SchemaRef ref, Tracking tracking) {
  if (refusal_ || !spend(1)) return {};
  const std::pair<SchemaRef, Tracking> key{ref, tracking};
  if (const auto it = known_.find(key); it != known_.end()) return it->second;
  if (open_.contains(ref)) {
    refuse(ErrorCode::kUnsupported, "$ref", path_of(ref),
           "leads back to itself without a property or item in between");
    return {};
  }
  if (open_.size() >= kOpenMax) {
    refuse(ErrorCode::kTooLarge, "$ref", path_of(ref), "leads on too often");
    return {};
  }
  open_.insert(ref);
  Alternatives alternatives = expand_anew(ref, tracking);
  open_.erase(ref);
  if (!refusal_) known_.emplace(key, alternatives);
  return alternatives;
}

Alternatives SchemaExpander::expand_anew(SchemaRef ref, Tracking tracking) {
  const Node node = ref / 2;
  const bool is_negated = ref % 2 == 1;
  if (const auto it = unions_.find(node); it != unions_.end()) {
    Alternatives alternatives;
    if (is_negated) alternatives = {Alternative()};
    for (const SchemaRef part : it->second) {
      if (is_negated) {
        alternatives = cross(alternatives, expand(negated(part), Tracking::kNo), node);
      } else {
        add(expand(part, tracking), node, &alternatives);
      }
    }
    return alternatives;
  }
  if (const bool* all = document_.schema(node).as_bool(); all != nullptr) {
    return *all == is_negated ? Alternatives() : Alternatives{Alternative()};
  }
  return is_negated ? negative(node) : positive(node, tracking);
}

Alternatives SchemaExpander::positive(Node node, Tracking outer) {
  const Json& schema = document_.schema(node);
  const bool asks =
      schema.find("unevaluatedProperties") != nullptr || schema.find("unevaluatedItems") != nullptr;
  const Tracking tracking = asks ? Tracking::kYes : outer;
  Alternatives alternatives{plain(node)};
  if (alternatives[0].types == 0) alternatives.clear();
  const auto demand = [&](const Alternatives& others) { alternatives = cross(alternatives, others, node); };
  if (const Json* value = schema.find("const"); value != nullptr) demand(listed_values({value}, node));
  if (const Json* values = schema.find("enum"); values != nullptr) {
    std::vector<const Json*> listed;
    for (const Json& value : *values->as_array()) listed.push_back(&value);
    demand(listed_values(listed, node));
  }
  for (const std::string_view keyword : {"$ref", "$dynamicRef"}) {
    if (schema.find(keyword) != nullptr) demand(reference(node, keyword, tracking, 0));
  }
  if (const Json* all = schema.find("allOf"); all != nullptr) {
    for (const Json& part : *all->as_array()) demand(expand(ref_of(part), tracking));
  }
  if (schema.find("anyOf") != nullptr) demand(any_of(node, tracking));
  if (schema.find("oneOf") != nullptr) demand(one_of(node, tracking));
  if (const Json* part = schema.find("not"); part != nullptr)
    demand(expand(negated(ref_of(*part)), Tracking::kNo));
  if (schema.find("if") != nullptr) demand(if_then_else(node, tracking));
  if (schema.find("dependentRequired") != nullptr) demand(dependent_required(node));
  if (schema.find("dependentSchemas") != nullptr) demand(dependent_schemas(node, tracking));
  if (asks) apply_unevaluated(node, &alternatives);
  if (tracking == Tracking::kNo) {
    for (Alternative& one : alternatives) one.evaluated = {};
  }
  return alternatives;
}

Alternatives SchemaExpander::reference(Node node, std::string_view keyword, Tracking tracking,
                                       SchemaRef negation) {
  const std::variant<Node, SchemaRefusal> target = document_.resolve(node, keyword);
  if (const SchemaRefusal* refusal = std::get_if<SchemaRefusal>(&target)) {
    refuse(refusal->code, refusal->keyword, refusal->path, refusal->reason);
    return {};
  }
  return expand(2 * std::get<Node>(target) + negation, tracking);
}

Alternatives SchemaExpander::any_of(Node node, Tracking tracking) {
  const JsonArray& parts = *document_.schema(node).find("anyOf")->as_array();
  std::vector<Alternatives> branches;
  for (const Json& part : parts) branches.push_back(expand(ref_of(part), tracking));
  Alternatives alternatives;
  for (const Alternatives& branch : branches) add(branch, node, &alternatives);
  join_lists(&alternatives);
  if (tracking == Tracking::kNo || refusal_) return alternatives;
  // Each branch that holds adds to what is evaluated, so that more of them allow more: all sets of two and
  // more are ways too.
  if (branches.size() > kTrackedBranchesMax) {
    refuse(ErrorCode::kTooLarge, "anyOf", document_.path(node),
           "more than " + std::to_string(kTrackedBranchesMax) +
               " branches under 'unevaluatedProperties' or 'unevaluatedItems'");
    return {};
  }
  for (uint32_t set = 1; set < (1U << branches.size()); ++set) {
    if ((set & (set - 1)) == 0) continue;
    Alternatives together{Alternative()};
    for (size_t i = 0; i < branches.size(); ++i) {
      if ((set >> i & 1) != 0) together = cross(together, branches[i], node);
    }
    add(together, node, &alternatives);
  }
  return alternatives;
}

Alternatives SchemaExpander::one_of(Node node, Tracking tracking) {
  const JsonArray& parts = *document_.schema(node).find("oneOf")->as_array();
  std::vector<Alternatives> branches;
  for (const Json& part : parts) branches.push_back(expand(ref_of(part), tracking));
  std::vector<std::vector<size_t>> others(branches.size());  // that may hold at the same time
  for (size_t i = 0; i < branches.size(); ++i) {
    for (size_t j = i + 1; j < branches.size(); ++j) {
      if (refusal_) return {};
      if (!overlap(branches[i], branches[j])) continue;
      others[i].push_back(j);
      others[j].push_back(i);
    }
  }
  Alternatives alternatives;
  for (size_t i = 0; i < branches.size(); ++i) {
    Alternatives alone = branches[i];
    for (const size_t j : others[i]) {
      std::optional<Alternatives> without =
          attempt([&] { return cross(alone, expand(negated(ref_of(parts[j])), Tracking::kNo), node); });
      if (without) {
        alone = std::move(*without);
      } else {
        add_check("oneOf", document_.path(node));
      }
    }
    add(alone, node, &alternatives);
  }
  join_lists(&alternatives);
  return alternatives;
}

Alternatives SchemaExpander::if_then_else(Node node, Tracking tracking) {
  const Json& schema = document_.schema(node);
  const SchemaRef condition = ref_of(*schema.find("if"));
  const Json* then_part = schema.find("then");
  const Json* else_part = schema.find("else");
  if (then_part == nullptr && else_part == nullptr && tracking == Tracking::kNo) return {Alternative()};
  Alternatives yes = expand(condition, tracking);
  if (then_part != nullptr) yes = cross(yes, expand(ref_of(*then_part), tracking), node);
  Alternatives no{Alternative()};
  if (std::optional<Alternatives> negation =
          attempt([&] { return expand(negated(condition), Tracking::kNo); })) {
    no = std::move(*negation);
  } else {
    add_check("if", document_.path(node));
  }
  if (else_part != nullptr) no = cross(no, expand(ref_of(*else_part), tracking), node);
  add(no, node, &yes);
  return yes;
}

Alternatives SchemaExpander::dependent_required(Node node) {
  Alternatives alternatives{Alternative()};
  for (const auto& [name, names] : *document_.schema(node).find("dependentRequired")->as_object()) {
    if (names.as_array()->empty()) continue;
    Alternative absent;
    absent.object.layers.push_back({{{name, kAllowNone}}, {}, kAllowAll});
    Alternative present;
    present.object.require(name);
    for (const Json& other : *names.as_array()) present.object.require(*other.as_string());
    std::optional<Alternatives> more = attempt([&] { return cross(alternatives, {absent, present}, node); });
    if (more) {
      alternatives = std::move(*more);
    } else {
      add_check("dependentRequired", document_.path(node));
    }
  }
  return alternatives;
}

Alternatives SchemaExpander::dependent_schemas(Node node, Tracking tracking) {
  Alternatives alternatives{Alternative()};
  for (const auto& [name, schema] : *document_.schema(node).find("dependentSchemas")->as_object()) {
    Alternative present;
    present.types = Alternative::kObject;
    present.object.require(name);
    Alternatives both = cross({present}, expand(ref_of(schema), tracking), node);
    Alternative absent;
    absent.object.layers.push_back({{{name, kAllowNone}}, {}, kAllowAll});
    add({absent}, node, &both);
    alternatives = cross(alternatives, both, node);
  }
  return alternatives;
}

SchemaRef SchemaExpander::either(std::vector<SchemaRef> refs, Node node) {
  const Node made = document_.add_made(Json(true), document_.path(node));
  unions_.emplace(made, std::move(refs));
  return 2 * made;
}

void SchemaExpander::apply_unevaluated(Node node, Alternatives* alternatives) {
  const Json& schema = document_.schema(node);
  const Json* properties = schema.find("unevaluatedProperties");
  const Json* items = schema.find("unevaluatedItems");
  for (Alternative& one : *alternatives) {
    Evaluated& evaluated = one.evaluated;
    Alternative rest;
    if (properties != nullptr && !evaluated.all_properties) {
      ObjectFacet::Layer layer;
      for (const std::string& name : evaluated.properties) layer.names.emplace_back(name, kAllowAll);
      for (const SharedAutomaton& automaton : evaluated.patterns)
        layer.patterns.emplace_back(automaton, kAllowAll);
      layer.rest = ref_of(*properties);
      rest.object.layers.push_back(std::move(layer));
    }
    if (items != nullptr && !evaluated.all_items) {
      ArrayFacet::Layer layer;
      layer.prefix.assign(static_cast<size_t>(evaluated.items), kAllowAll);
      layer.rest = ref_of(*items);
      if (!evaluated.contained.empty()) {
        std::vector<SchemaRef> refs = evaluated.contained;
        refs.push_back(layer.rest);
        layer.rest = either(std::move(refs), node);
      }
      rest.array.layers.push_back(std::move(layer));
    }
    if (properties != nullptr) evaluated.all_properties = true;
    if (items != nullptr) evaluated.all_items = true;
    one.intersect(rest);
  }
  std::erase_if(*alternatives, [](const Alternative& one) { return one.types == 0; });
}

}  // namespace hussar
