#include "grammar/json_schema_compiler.h"

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>

#include "grammar/json_schema_documents.h"
#include "grammar/json_schema_format.h"
#include "grammar/json_schema_keywords.h"
#include "grammar/json_schema_older_drafts.h"
#include "grammar/json_schema_uri.h"

namespace hussar {
namespace {

using Place = SchemaDocuments::Place;

// Works through a queue of subschemas, each of which adds those that it mentions; nothing recurses.
class Compiler {
 public:
  explicit Compiler(const JsonSchema::Options& options) : options_(options), documents_(options) {}

  Result<SchemaProgram> compile(std::string_view text) {
    ASSIGN_OR_RETURN(const Place root, documents_.add_root(text));
    SchemaId first = kNoSchema;
    RETURN_IF_ERROR(add(root, &first));
    while (!queue_.empty()) {
      const SchemaId next = queue_.front();
      queue_.pop_front();
      RETURN_IF_ERROR(fill(next));
      // A resource that was read only now may have an anchor that an earlier $dynamicRef follows.
      if (queue_.empty()) RETURN_IF_ERROR(add_dynamic_anchors());
    }
    RETURN_IF_ERROR(refuse_circles());
    for (auto& anchors : program_.dynamic_anchors) std::sort(anchors.begin(), anchors.end());
    program_.documents = documents_.release();
    return std::move(program_);
  }

 private:
  Result<void> add(const Place& place, SchemaId* id);
  Result<void> fill(SchemaId id);
  Result<void> read_references(const KeywordReader& reader, SchemaNode* node);
  Result<void> read_in_place(const KeywordReader& reader, SchemaNode* node);
  Result<void> read_array_applicators(const KeywordReader& reader, SchemaNode* node);
  Result<void> read_object_applicators(const KeywordReader& reader, SchemaNode* node);
  Result<void> read_pattern_properties(const KeywordReader& reader, SchemaNode* node);
  Result<void> read_format(const KeywordReader& reader, SchemaNode* node);

  // A subschema under a keyword, a list of them, and one for each member.
  Result<void> child(const KeywordReader& reader, std::string_view keyword, const SchemaNode& node,
                     SchemaId* id);
  Result<void> children(const KeywordReader& reader, std::string_view keyword, const SchemaNode& node,
                        std::vector<SchemaId>* ids);
  Result<void> add_child(TreeValue value, const SchemaNode& node, SchemaId* id);
  Result<const SchemaRegex*> regex(const KeywordReader& reader, std::string_view keyword,
                                   std::string_view pattern);
  uint32_t dynamic_name(std::string name);
  Result<void> add_dynamic_anchors();
  Result<void> refuse_circles() const;

  const JsonSchema::Options& options_;
  SchemaDocuments documents_;
  SchemaProgram program_;
  std::deque<SchemaId> queue_;
  std::map<std::pair<uint32_t, uint32_t>, SchemaId> id_by_node_;  // document and node
  std::unordered_map<std::string_view, const SchemaRegex*> regex_by_text_;
  std::unordered_map<std::string, uint32_t> dynamic_names_;  // to program_.dynamic_anchors, and the next
  std::vector<const std::vector<Place>*> dynamic_places_;    // of each name, growing while documents are read
  size_t regex_instructions_ = 0;
};

Result<void> Compiler::add(const Place& place, SchemaId* id) {
  const auto [known, is_new] = id_by_node_.emplace(std::pair(place.document, place.value.node()),
                                                   static_cast<SchemaId>(program_.schemas.size()));
  *id = known->second;
  if (!is_new) return {};
  if (program_.schemas.size() >= options_.limits.subschemas_max) {
    return Error{
        ErrorCode::kTooLarge,
        "the schema has more subschemas than the limit of " + std::to_string(options_.limits.subschemas_max),
        ""};
  }
  SchemaNode& node = program_.schemas.emplace_back();
  node.source = place.value;
  node.document = place.document;
  node.resource = place.resource;
  queue_.push_back(*id);
  return {};
}

// The node is filled beside the vector, which grows meanwhile.
Result<void> Compiler::fill(SchemaId id) {
  SchemaNode node = std::move(program_.schemas[id]);
  if (node.source.kind() == TreeKind::kBoolean) {
    node.kind = node.source.boolean() ? SchemaNode::Kind::kTrue : SchemaNode::Kind::kFalse;
  } else if (node.source.kind() == TreeKind::kObject) {
    node.kind = SchemaNode::Kind::kKeywords;
    const KeywordReader reader(&documents_, node.source, node.document);
    const SchemaDialect dialect = documents_.dialect(node.resource);
    RETURN_IF_ERROR(refuse_other_meanings(reader, dialect.draft));
    RETURN_IF_ERROR(read_references(reader, &node));
    if (dialect.validation) {
      RETURN_IF_ERROR(read_validation_keywords(reader, &node));
      std::optional<std::string_view> pattern;
      RETURN_IF_ERROR(reader.string("pattern", &pattern));
      if (pattern) {
        ASSIGN_OR_RETURN(ensure(&node.strings).pattern, regex(reader, "pattern", *pattern));
      }
    }
    if (dialect.applicator) {
      RETURN_IF_ERROR(read_in_place(reader, &node));
      RETURN_IF_ERROR(read_array_applicators(reader, &node));
      RETURN_IF_ERROR(read_object_applicators(reader, &node));
    }
    if (dialect.unevaluated) {
      RETURN_IF_ERROR(child(reader, "unevaluatedItems", node, &node.unevaluated_items));
      RETURN_IF_ERROR(child(reader, "unevaluatedProperties", node, &node.unevaluated_properties));
    }
    const bool asserts_format = dialect.format_assertion || options_.formats == JsonSchema::Formats::kAssert;
    if (asserts_format) RETURN_IF_ERROR(read_format(reader, &node));
  } else {
    return documents_.error(ErrorCode::kInvalid, "schema", node.source, node.document,
                            "must be an object or a boolean");
  }
  program_.schemas[id] = std::move(node);
  return {};
}

Result<void> Compiler::read_references(const KeywordReader& reader, SchemaNode* node) {
  for (const std::string_view keyword : {"$ref", "$dynamicRef"}) {
    std::optional<std::string_view> reference;
    RETURN_IF_ERROR(reader.string(keyword, &reference));
    if (!reference) continue;
    const auto place = documents_.resolve(*reference, node->resource);
    if (!place.ok()) return reader.error(place.error().code, keyword, place.error().message);
    InPlaceRules& rules = ensure(&node->in_place);
    const bool dynamic = keyword == "$dynamicRef";
    RETURN_IF_ERROR(add(*place, dynamic ? &rules.dynamic_ref : &rules.ref));
    // A pointer, or a name that is no dynamic anchor where it leads, makes it an ordinary reference.
    if (dynamic && place->by_dynamic_anchor)
      rules.dynamic_name = dynamic_name(decode_percent_escapes(uri_fragment(*reference)));
  }
  return {};
}

Result<void> Compiler::read_in_place(const KeywordReader& reader, SchemaNode* node) {
  if (!reader.has_any({"allOf", "anyOf", "oneOf", "not", "if"})) return {};
  InPlaceRules& rules = ensure(&node->in_place);
  RETURN_IF_ERROR(children(reader, "allOf", *node, &rules.all_of));
  RETURN_IF_ERROR(children(reader, "anyOf", *node, &rules.any_of));
  RETURN_IF_ERROR(children(reader, "oneOf", *node, &rules.one_of));
  RETURN_IF_ERROR(child(reader, "not", *node, &rules.negated));
  RETURN_IF_ERROR(child(reader, "if", *node, &rules.condition));
  if (rules.condition == kNoSchema) return {};
  RETURN_IF_ERROR(child(reader, "then", *node, &rules.then));
  return child(reader, "else", *node, &rules.otherwise);
}

Result<void> Compiler::read_array_applicators(const KeywordReader& reader, SchemaNode* node) {
  if (!reader.has_any({"prefixItems", "items", "contains"})) return {};
  ArrayRules& rules = ensure(&node->arrays);
  RETURN_IF_ERROR(children(reader, "prefixItems", *node, &rules.prefix));
  RETURN_IF_ERROR(child(reader, "items", *node, &rules.items));
  return child(reader, "contains", *node, &rules.contains);
}

Result<void> Compiler::read_object_applicators(const KeywordReader& reader, SchemaNode* node) {
  if (!reader.has_any(
          {"properties", "patternProperties", "additionalProperties", "propertyNames", "dependentSchemas"}))
    return {};
  ObjectRules& rules = ensure(&node->objects);
  std::optional<TreeValue> members;
  RETURN_IF_ERROR(reader.container("properties", TreeKind::kObject, &members));
  if (members) {
    rules.properties = *members;
    rules.property_schemas.resize(members->size());
    for (uint32_t i = 0; i < members->size(); ++i)
      RETURN_IF_ERROR(add_child(members->member(i), *node, &rules.property_schemas[i]));
  }
  std::optional<TreeValue> dependent;
  RETURN_IF_ERROR(reader.container("dependentSchemas", TreeKind::kObject, &dependent));
  for (uint32_t i = 0; dependent && i < dependent->size(); ++i) {
    auto& [name, schema] = rules.dependent_schemas.emplace_back(dependent->key(i), kNoSchema);
    RETURN_IF_ERROR(add_child(dependent->member(i), *node, &schema));
  }
  RETURN_IF_ERROR(read_pattern_properties(reader, node));
  RETURN_IF_ERROR(child(reader, "additionalProperties", *node, &rules.additional));
  return child(reader, "propertyNames", *node, &rules.names);
}

Result<void> Compiler::read_pattern_properties(const KeywordReader& reader, SchemaNode* node) {
  std::optional<TreeValue> patterns;
  RETURN_IF_ERROR(reader.container("patternProperties", TreeKind::kObject, &patterns));
  for (uint32_t i = 0; patterns && i < patterns->size(); ++i) {
    PatternRule rule;
    ASSIGN_OR_RETURN(rule.regex, regex(reader, "patternProperties", patterns->key(i)));
    RETURN_IF_ERROR(add_child(patterns->member(i), *node, &rule.schema));
    node->objects->patterns.push_back(rule);
  }
  return {};
}

Result<void> Compiler::read_format(const KeywordReader& reader, SchemaNode* node) {
  std::optional<std::string_view> format;
  RETURN_IF_ERROR(reader.string("format", &format));
  if (!format) return {};
  if (is_unchecked_standard_format(*format)) {
    return reader.error(ErrorCode::kUnsupported, "format",
                        "\"" + std::string(*format) + "\" can't be checked");
  }
  if (is_checked_format(*format)) ensure(&node->strings).format = *format;
  return {};
}

Result<void> Compiler::child(const KeywordReader& reader, std::string_view keyword, const SchemaNode& node,
                             SchemaId* id) {
  TreeValue value;
  return reader.get(keyword, &value) ? add_child(value, node, id) : Result<void>();
}

Result<void> Compiler::children(const KeywordReader& reader, std::string_view keyword, const SchemaNode& node,
                                std::vector<SchemaId>* ids) {
  std::optional<TreeValue> list;
  RETURN_IF_ERROR(reader.container(keyword, TreeKind::kArray, &list));
  if (!list) return {};
  if (list->size() == 0) return reader.error(ErrorCode::kInvalid, keyword, "must not be empty");
  ids->resize(list->size());
  for (uint32_t i = 0; i < list->size(); ++i) RETURN_IF_ERROR(add_child(list->item(i), node, &(*ids)[i]));
  return {};
}

Result<void> Compiler::add_child(TreeValue value, const SchemaNode& node, SchemaId* id) {
  return add({value, node.document, documents_.resource_of(value, node.document, node.resource)}, id);
}

Result<const SchemaRegex*> Compiler::regex(const KeywordReader& reader, std::string_view keyword,
                                           std::string_view pattern) {
  const auto known = regex_by_text_.find(pattern);
  if (known != regex_by_text_.end()) return known->second;
  SchemaRegex::Limits limits = options_.limits.regex;
  limits.instructions_max =
      std::min(limits.instructions_max, options_.limits.regex_instructions_max - regex_instructions_);
  auto compiled = SchemaRegex::compile(pattern, limits);
  if (!compiled.ok()) return reader.error(compiled.error().code, keyword, compiled.error().message);
  regex_instructions_ += compiled->instructions();
  program_.regexes.push_back(std::make_unique<SchemaRegex>(*std::move(compiled)));
  regex_by_text_.emplace(pattern, program_.regexes.back().get());
  return program_.regexes.back().get();
}

uint32_t Compiler::dynamic_name(std::string name) {
  const auto [known, is_new] =
      dynamic_names_.emplace(std::move(name), static_cast<uint32_t>(dynamic_places_.size()));
  if (is_new) {
    dynamic_places_.push_back(&documents_.dynamic_anchors(known->first));
    program_.dynamic_anchors.emplace_back();
  }
  return known->second;
}

// Those that have come since the last time.
Result<void> Compiler::add_dynamic_anchors() {
  for (size_t i = 0; i < dynamic_places_.size(); ++i) {
    auto& anchors = program_.dynamic_anchors[i];
    while (anchors.size() < dynamic_places_[i]->size()) {
      const Place& place = (*dynamic_places_[i])[anchors.size()];
      SchemaId id = kNoSchema;
      RETURN_IF_ERROR(add(place, &id));
      anchors.emplace_back(place.resource, id);
    }
  }
  return {};
}

// The subschemas that are applied to the same value as `node`, as far as the text alone tells.
std::vector<SchemaId> in_place_targets(const SchemaNode& node) {
  std::vector<SchemaId> targets;
  if (node.objects != nullptr) {
    for (const auto& [name, schema] : node.objects->dependent_schemas) targets.push_back(schema);
  }
  if (node.in_place == nullptr) return targets;
  const InPlaceRules& rules = *node.in_place;
  for (const std::vector<SchemaId>* list : {&rules.all_of, &rules.any_of, &rules.one_of})
    targets.insert(targets.end(), list->begin(), list->end());
  for (const SchemaId target : {rules.ref, rules.negated, rules.condition, rules.then, rules.otherwise}) {
    if (target != kNoSchema) targets.push_back(target);
  }
  if (rules.dynamic_ref != kNoSchema && !rules.dynamic_name) targets.push_back(rules.dynamic_ref);
  return targets;
}

// A schema that applies itself to the value that it is applied to never comes to an end. Depth first; a
// circle is a way back to a subschema that is still open.
Result<void> Compiler::refuse_circles() const {
  enum class State : uint8_t { kNew, kOpen, kDone };
  struct Visit {
    SchemaId id = 0;
    std::vector<SchemaId> targets;
  };
  std::vector<State> states(program_.schemas.size(), State::kNew);
  std::vector<Visit> open;
  for (SchemaId start = 0; start < states.size(); ++start) {
    if (states[start] != State::kNew) continue;
    open.push_back({start, in_place_targets(program_.schemas[start])});
    states[start] = State::kOpen;
    while (!open.empty()) {
      if (open.back().targets.empty()) {
        states[open.back().id] = State::kDone;
        open.pop_back();
        continue;
      }
      const SchemaId target = open.back().targets.back();
      open.back().targets.pop_back();
      if (states[target] == State::kOpen) {
        const SchemaNode& node = program_.schemas[open.back().id];
        return documents_.error(ErrorCode::kInvalid, "$ref", node.source, node.document,
                                "leads back to where it stands without going into the value");
      }
      if (states[target] == State::kDone) continue;
      states[target] = State::kOpen;
      open.push_back({target, in_place_targets(program_.schemas[target])});
    }
  }
  return {};
}

}  // namespace

Result<SchemaProgram> compile_schema(std::string_view text, const JsonSchema::Options& options) {
  return Compiler(options).compile(text);
}

}  // namespace hussar
