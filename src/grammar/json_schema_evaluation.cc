#include "grammar/json_schema_evaluation.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "grammar/json_schema_format.h"

namespace hussar {
namespace {

// Which items or members of one value some keyword has looked at, as unevaluatedItems and
// unevaluatedProperties need it.
class Marks {
 public:
  explicit Marks(uint32_t size) : words_((size + 63) / 64) {}

  void set(uint32_t index) { words_[index / 64] |= uint64_t{1} << (index % 64); }
  bool has(uint32_t index) const { return (words_[index / 64] >> (index % 64) & 1) != 0; }
  void add(const Marks& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }

 private:
  std::vector<uint64_t> words_;
};

// Where a value stands in the instance; linked, so that a path costs nothing until it is wanted.
struct InstancePath {
  const InstancePath* parent = nullptr;
  TreeValue container;
  uint32_t index = 0;
};

std::string pointer_to(const InstancePath* path) {
  std::vector<const InstancePath*> steps;
  for (; path->parent != nullptr; path = path->parent) steps.push_back(path);
  std::string pointer;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const TreeValue container = (*step)->container;
    const uint32_t index = (*step)->index;
    const bool is_object = container.kind() == TreeKind::kObject;
    append_pointer_token(is_object ? std::string(container.key(index)) : std::to_string(index), &pointer);
  }
  return pointer;
}

// One value on its way through one schema.
struct Target {
  TreeValue value;
  const InstancePath* path = nullptr;
  Marks* marks = nullptr;  // null where nobody asks
};

class Evaluation {
 public:
  Evaluation(const SchemaProgram& program, const JsonSchema::InstanceLimits& limits)
      : program_(program), limits_(limits), budget_{limits.steps_max} {}

  SchemaVerdict run(TreeValue instance) {
    const InstancePath root;
    const bool valid = evaluate(0, {instance, &root, nullptr});
    if (undecided_.empty() && budget_.is_spent())
      undecided_ = "the check takes more than " + std::to_string(limits_.steps_max) + " steps";
    if (!undecided_.empty()) {
      SchemaVerdict verdict;
      verdict.kind = SchemaVerdict::Kind::kUndecided;
      verdict.reason = undecided_;
      return verdict;
    }
    if (valid) return {};
    failure_.kind = SchemaVerdict::Kind::kInvalid;
    return failure_;
  }

 private:
  // Whether the value is an instance of the subschema. When the run has stopped the answer means nothing.
  bool evaluate(SchemaId id, const Target& target);
  bool evaluate_keywords(const SchemaNode& node, const Target& target);
  bool check_values(const SchemaNode& node, const Target& target);
  bool check_number(const SchemaNode& node, const Target& target);
  bool check_string(const SchemaNode& node, const Target& target);
  bool check_array(const SchemaNode& node, const Target& target);
  bool check_items(const SchemaNode& node, const Target& target);
  bool check_contains(const SchemaNode& node, const Target& target);
  bool check_object(const SchemaNode& node, const Target& target);
  bool check_members(const SchemaNode& node, const Target& target);
  bool check_member(const ObjectRules& rules, const Target& target, uint32_t index);
  bool check_dependencies(const SchemaNode& node, const Target& target);
  bool check_in_place(const SchemaNode& node, const Target& target);
  bool check_any_of(const SchemaNode& node, const Target& target);
  bool check_one_of(const SchemaNode& node, const Target& target);
  bool check_condition(const InPlaceRules& rules, const Target& target);
  bool check_unevaluated(const SchemaNode& node, const Target& target, Marks* marks);
  bool is_unique(TreeValue array);

  // As evaluate, but a failure is none of the instance's: its place is not kept. Marks are added only when
  // the value is an instance.
  bool test(SchemaId id, const Target& target);
  bool evaluate_item(SchemaId id, const Target& target, uint32_t index);
  bool evaluate_member(SchemaId id, const Target& target, uint32_t index);
  SchemaId dynamic_target(const InPlaceRules& rules);

  bool has_stopped() const { return budget_.is_spent() || !undecided_.empty(); }
  bool fail(const SchemaNode& node, std::string_view keyword, const Target& target);

  const SchemaProgram& program_;
  const JsonSchema::InstanceLimits& limits_;
  StepBudget budget_;
  RegexScratch scratch_;
  std::vector<uint32_t> scope_;  // resources that were entered, from the outermost
  int32_t depth_ = 0;
  int32_t quiet_ = 0;  // tests that are under way
  bool has_failed_ = false;
  SchemaVerdict failure_;
  std::string undecided_;
};

bool Evaluation::fail(const SchemaNode& node, std::string_view keyword, const Target& target) {
  if (quiet_ > 0 || has_failed_ || has_stopped()) return false;
  has_failed_ = true;
  failure_.keyword = keyword;
  failure_.schema_path = program_.documents[node.document].tree->pointer_to(node.source.node());
  failure_.document = program_.documents[node.document].uri;
  failure_.instance_path = pointer_to(target.path);
  return false;
}

bool Evaluation::evaluate(SchemaId id, const Target& target) {
  const SchemaNode& node = program_.schemas[id];
  if (!budget_.take(1) || has_stopped()) return false;
  if (node.kind == SchemaNode::Kind::kTrue) return true;
  if (node.kind == SchemaNode::Kind::kFalse) return fail(node, "", target);
  if (depth_ >= limits_.depth_max) {
    undecided_ = "subschemas are nested deeper than " + std::to_string(limits_.depth_max) +
                 " levels, or refer to each other without an end";
    return false;
  }
  ++depth_;
  const bool enters = scope_.empty() || scope_.back() != node.resource;
  if (enters) scope_.push_back(node.resource);
  const bool valid = evaluate_keywords(node, target);
  if (enters) scope_.pop_back();
  --depth_;
  return valid;
}

bool Evaluation::evaluate_keywords(const SchemaNode& node, const Target& target) {
  if (!check_values(node, target)) return false;
  const TreeKind kind = target.value.kind();
  const bool wants_marks = (kind == TreeKind::kArray && node.unevaluated_items != kNoSchema) ||
                           (kind == TreeKind::kObject && node.unevaluated_properties != kNoSchema);
  if (wants_marks) {
    // Neighbours alone count here, so that what the schemas around have marked stays apart.
    budget_.take_bytes(target.value.size() / 8);
    Marks marks(target.value.size());
    const Target own{target.value, target.path, &marks};
    const bool valid = kind == TreeKind::kArray ? check_array(node, own) : check_object(node, own);
    if (!valid || !check_in_place(node, own) || !check_unevaluated(node, own, &marks)) return false;
    if (target.marks != nullptr) target.marks->add(marks);
    return true;
  }
  switch (kind) {
    case TreeKind::kNumber:
      if (!check_number(node, target)) return false;
      break;
    case TreeKind::kString:
      if (!check_string(node, target)) return false;
      break;
    case TreeKind::kArray:
      if (!check_array(node, target)) return false;
      break;
    case TreeKind::kObject:
      if (!check_object(node, target)) return false;
      break;
    default:
      break;
  }
  return check_in_place(node, target);
}

// type, enum, const.
bool Evaluation::check_values(const SchemaNode& node, const Target& target) {
  const TreeValue value = target.value;
  bool type_fits = (node.types & type_bit(value.kind())) != 0;
  if (!type_fits && value.kind() == TreeKind::kNumber)
    type_fits = (node.types & kIntegerTypeBit) != 0 && value.number().is_integer();
  if (!type_fits) return fail(node, "type", target);
  if (node.has_enum) {
    const uint64_t hash = hash_value(value, &budget_);
    auto at = std::lower_bound(node.values.begin(), node.values.end(), hash,
                               [](const auto& known, uint64_t wanted) { return known.first < wanted; });
    while (at != node.values.end() && at->first == hash && !equal_values(at->second, value, &budget_)) ++at;
    if (at == node.values.end() || at->first != hash) return fail(node, "enum", target);
  }
  if (node.constant && !equal_values(*node.constant, value, &budget_)) return fail(node, "const", target);
  return true;
}

bool Evaluation::check_number(const SchemaNode& node, const Target& target) {
  if (node.numbers == nullptr) return true;
  const NumberRules& rules = *node.numbers;
  const DecimalView number = target.value.number();
  budget_.take(1 + static_cast<int64_t>(number.digits.size()));
  if (rules.minimum && compare(number, *rules.minimum) < 0) return fail(node, "minimum", target);
  if (rules.maximum && compare(number, *rules.maximum) > 0) return fail(node, "maximum", target);
  if (rules.exclusive_minimum && compare(number, *rules.exclusive_minimum) <= 0)
    return fail(node, "exclusiveMinimum", target);
  if (rules.exclusive_maximum && compare(number, *rules.exclusive_maximum) >= 0)
    return fail(node, "exclusiveMaximum", target);
  if (rules.multiple_of && !is_multiple_of(number, *rules.multiple_of))
    return fail(node, "multipleOf", target);
  return true;
}

bool Evaluation::check_string(const SchemaNode& node, const Target& target) {
  if (node.strings == nullptr) return true;
  const StringRules& rules = *node.strings;
  const std::string_view text = target.value.string();
  budget_.take_bytes(text.size());
  // Every byte but a continuation begins a code point.
  const auto length = static_cast<uint64_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
  if (length < rules.length_min) return fail(node, "minLength", target);
  if (length > rules.length_max) return fail(node, "maxLength", target);
  if (rules.pattern != nullptr && !rules.pattern->search(text, &budget_, &scratch_))
    return fail(node, "pattern", target);
  if (rules.format.empty()) return true;
  const FormatAnswer answer = check_format(rules.format, text, &budget_);
  if (answer == FormatAnswer::kUnknown)
    undecided_ = "a text is too large or too special to be checked as a " + std::string(rules.format);
  return answer == FormatAnswer::kValid || fail(node, "format", target);
}

bool Evaluation::check_array(const SchemaNode& node, const Target& target) {
  if (node.arrays == nullptr) return true;
  const ArrayRules& rules = *node.arrays;
  const uint32_t size = target.value.size();
  if (size < rules.items_min) return fail(node, "minItems", target);
  if (size > rules.items_max) return fail(node, "maxItems", target);
  if (rules.unique && !is_unique(target.value)) return fail(node, "uniqueItems", target);
  return check_items(node, target) && check_contains(node, target);
}

bool Evaluation::is_unique(TreeValue array) {
  std::vector<std::pair<uint64_t, uint32_t>> hashes;
  hashes.reserve(array.size());
  for (uint32_t i = 0; i < array.size() && !has_stopped(); ++i)
    hashes.emplace_back(hash_value(array.item(i), &budget_), i);
  std::sort(hashes.begin(), hashes.end());
  for (size_t i = 0; i < hashes.size(); ++i) {
    for (size_t j = i + 1; j < hashes.size() && hashes[j].first == hashes[i].first && !has_stopped(); ++j) {
      if (equal_values(array.item(hashes[i].second), array.item(hashes[j].second), &budget_)) return false;
    }
  }
  return true;
}

bool Evaluation::check_items(const SchemaNode& node, const Target& target) {
  const ArrayRules& rules = *node.arrays;
  for (uint32_t i = 0; i < target.value.size() && !has_stopped(); ++i) {
    const SchemaId schema = i < rules.prefix.size() ? rules.prefix[i] : rules.items;
    if (schema == kNoSchema) break;
    if (!evaluate_item(schema, target, i)) return false;
    if (target.marks != nullptr) target.marks->set(i);
  }
  return true;
}

bool Evaluation::check_contains(const SchemaNode& node, const Target& target) {
  const ArrayRules& rules = *node.arrays;
  if (rules.contains == kNoSchema) return true;
  uint64_t found = 0;
  for (uint32_t i = 0; i < target.value.size() && !has_stopped(); ++i) {
    const InstancePath path{target.path, target.value, i};
    if (!test(rules.contains, {target.value.item(i), &path, nullptr})) continue;
    ++found;
    if (target.marks != nullptr) target.marks->set(i);
  }
  if (found < rules.contains_min) return fail(node, found == 0 ? "contains" : "minContains", target);
  return found <= rules.contains_max || fail(node, "maxContains", target);
}

bool Evaluation::check_object(const SchemaNode& node, const Target& target) {
  if (node.objects == nullptr) return true;
  const ObjectRules& rules = *node.objects;
  const TreeValue object = target.value;
  if (object.size() < rules.properties_min) return fail(node, "minProperties", target);
  if (object.size() > rules.properties_max) return fail(node, "maxProperties", target);
  for (const std::string_view name : rules.required) {
    budget_.take_bytes(name.size());
    if (object.find(name) == object.size()) return fail(node, "required", target);
  }
  return check_dependencies(node, target) && check_members(node, target);
}

bool Evaluation::check_dependencies(const SchemaNode& node, const Target& target) {
  const ObjectRules& rules = *node.objects;
  const TreeValue object = target.value;
  for (const DependentNames& dependent : rules.dependent_required) {
    budget_.take_bytes(dependent.name.size());
    if (object.find(dependent.name) == object.size()) continue;
    for (const std::string_view name : dependent.required) {
      budget_.take_bytes(name.size());
      if (object.find(name) == object.size()) return fail(node, "dependentRequired", target);
    }
  }
  for (const auto& [name, schema] : rules.dependent_schemas) {
    budget_.take_bytes(name.size());
    if (object.find(name) < object.size() && !evaluate(schema, target)) return false;
  }
  return true;
}

bool Evaluation::check_members(const SchemaNode& node, const Target& target) {
  const ObjectRules& rules = *node.objects;
  for (uint32_t i = 0; i < target.value.size() && !has_stopped(); ++i) {
    if (!check_member(rules, target, i)) return false;
    if (rules.names == kNoSchema) continue;
    const InstancePath path{target.path, target.value, i};
    const TreeValue name = target.value.key_value(i);
    if (!test(rules.names, {name, &path, nullptr})) return fail(node, "propertyNames", target);
  }
  return true;
}

// properties, patternProperties, additionalProperties.
bool Evaluation::check_member(const ObjectRules& rules, const Target& target, uint32_t index) {
  const std::string_view name = target.value.key(index);
  budget_.take_bytes(name.size());
  bool known = false;
  if (!rules.property_schemas.empty()) {
    const uint32_t property = rules.properties.find(name);
    if (property < rules.property_schemas.size()) {
      known = true;
      if (!evaluate_member(rules.property_schemas[property], target, index)) return false;
    }
  }
  for (const PatternRule& pattern : rules.patterns) {
    if (has_stopped()) return false;
    if (!pattern.regex->search(name, &budget_, &scratch_)) continue;
    known = true;
    if (!evaluate_member(pattern.schema, target, index)) return false;
  }
  if (!known && rules.additional != kNoSchema) {
    known = true;
    if (!evaluate_member(rules.additional, target, index)) return false;
  }
  if (known && target.marks != nullptr) target.marks->set(index);
  return true;
}

bool Evaluation::check_in_place(const SchemaNode& node, const Target& target) {
  if (node.in_place == nullptr) return true;
  const InPlaceRules& rules = *node.in_place;
  if (rules.ref != kNoSchema && !evaluate(rules.ref, target)) return false;
  if (rules.dynamic_ref != kNoSchema && !evaluate(dynamic_target(rules), target)) return false;
  for (const SchemaId schema : rules.all_of) {
    if (!evaluate(schema, target)) return false;
  }
  if (rules.negated != kNoSchema && test(rules.negated, {target.value, target.path, nullptr}))
    return fail(node, "not", target);
  return check_any_of(node, target) && check_one_of(node, target) && check_condition(rules, target);
}

// The outermost resource in the dynamic scope that has the anchor.
SchemaId Evaluation::dynamic_target(const InPlaceRules& rules) {
  if (!rules.dynamic_name) return rules.dynamic_ref;
  const auto& anchors = program_.dynamic_anchors[*rules.dynamic_name];
  for (const uint32_t resource : scope_) {
    budget_.take(1);
    const auto found =
        std::lower_bound(anchors.begin(), anchors.end(), resource,
                         [](const auto& anchor, uint32_t wanted) { return anchor.first < wanted; });
    if (found != anchors.end() && found->first == resource) return found->second;
  }
  return rules.dynamic_ref;
}

// With marks every branch is looked at: each that fits marks what it knows.
bool Evaluation::check_any_of(const SchemaNode& node, const Target& target) {
  const std::vector<SchemaId>& branches = node.in_place->any_of;
  if (branches.empty()) return true;
  bool any = false;
  for (const SchemaId schema : branches) {
    if (has_stopped() || (any && target.marks == nullptr)) break;
    any |= test(schema, target);
  }
  return any || fail(node, "anyOf", target);
}

bool Evaluation::check_one_of(const SchemaNode& node, const Target& target) {
  const std::vector<SchemaId>& branches = node.in_place->one_of;
  if (branches.empty()) return true;
  int matches = 0;
  for (const SchemaId schema : branches) {
    if (has_stopped() || matches > 1) break;
    if (test(schema, target)) ++matches;
  }
  return matches == 1 || fail(node, "oneOf", target);
}

bool Evaluation::check_condition(const InPlaceRules& rules, const Target& target) {
  if (rules.condition == kNoSchema) return true;
  const SchemaId next = test(rules.condition, target) ? rules.then : rules.otherwise;
  return next == kNoSchema || evaluate(next, target);
}

bool Evaluation::check_unevaluated(const SchemaNode& node, const Target& target, Marks* marks) {
  const bool is_array = target.value.kind() == TreeKind::kArray;
  const SchemaId schema = is_array ? node.unevaluated_items : node.unevaluated_properties;
  for (uint32_t i = 0; i < target.value.size() && !has_stopped(); ++i) {
    if (marks->has(i)) continue;
    if (!(is_array ? evaluate_item(schema, target, i) : evaluate_member(schema, target, i))) return false;
    marks->set(i);
  }
  return true;
}

bool Evaluation::test(SchemaId id, const Target& target) {
  ++quiet_;
  bool valid = false;
  if (target.marks == nullptr) {
    valid = evaluate(id, target);
  } else {
    budget_.take_bytes(target.value.size() / 8);
    Marks marks(target.value.size());
    valid = evaluate(id, {target.value, target.path, &marks});
    if (valid) target.marks->add(marks);
  }
  --quiet_;
  return valid;
}

bool Evaluation::evaluate_item(SchemaId id, const Target& target, uint32_t index) {
  const InstancePath path{target.path, target.value, index};
  return evaluate(id, {target.value.item(index), &path, nullptr});
}

bool Evaluation::evaluate_member(SchemaId id, const Target& target, uint32_t index) {
  const InstancePath path{target.path, target.value, index};
  return evaluate(id, {target.value.member(index), &path, nullptr});
}

}  // namespace

SchemaVerdict evaluate_schema(const SchemaProgram& program, const JsonTree& instance,
                              const JsonSchema::InstanceLimits& limits) {
  return Evaluation(program, limits).run(instance.root());
}

}  // namespace hussar
