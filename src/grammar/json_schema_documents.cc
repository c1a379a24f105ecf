#include "grammar/json_schema_documents.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "grammar/json_schema_older_drafts.h"
#include "grammar/json_schema_uri.h"

namespace hussar {
namespace {

constexpr std::string_view kDialectUri = "https://json-schema.org/draft/2020-12/schema";
constexpr std::string_view kVocabularies = "https://json-schema.org/draft/2020-12/vocab/";
// A URI is copied for each reference that is resolved beside it, so that it must not be of the schema's size.
constexpr size_t kUriBytesMax = 4096;
constexpr size_t kShownBytes = 100;
constexpr uint32_t kNoResource = 0xFFFF'FFFF;

constexpr std::string_view kSchemaKeywords[] = {"additionalProperties",
                                                "contains",
                                                "contentSchema",
                                                "else",
                                                "if",
                                                "items",
                                                "not",
                                                "propertyNames",
                                                "then",
                                                "unevaluatedItems",
                                                "unevaluatedProperties"};
constexpr std::string_view kSchemaArrayKeywords[] = {"allOf", "anyOf", "oneOf", "prefixItems"};
constexpr std::string_view kSchemaMapKeywords[] = {"$defs", "dependentSchemas", "patternProperties",
                                                   "properties"};

// In quotes, on one line, of bounded length.
std::string shown(std::string_view text) {
  std::string quoted;
  text = text.substr(0, kShownBytes);
  append_json_string(text.substr(0, complete_utf8_prefix_bytes(text)), &quoted);
  return quoted;
}

bool is_anchor_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool unescape_token(std::string_view token, std::string* plain) {
  plain->clear();
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      plain->push_back(token[i]);
      continue;
    }
    if (++i == token.size() || (token[i] != '0' && token[i] != '1')) return false;
    plain->push_back(token[i] == '0' ? '~' : '/');
  }
  return true;
}

// False where the value has no such part.
bool step_into(TreeValue value, const std::string& token, TreeValue* part) {
  if (value.kind() == TreeKind::kObject) return value.get(token, part);
  uint32_t index = 0;
  const char* end = token.data() + token.size();
  const auto [read, error] = std::from_chars(token.data(), end, index);
  const bool legal = error == std::errc() && read == end && (token == "0" || token[0] != '0');
  if (value.kind() != TreeKind::kArray || !legal || index >= value.size()) return false;
  *part = value.item(index);
  return true;
}

}  // namespace

Error SchemaDocuments::error(ErrorCode code, std::string_view keyword, TreeValue schema, uint32_t document,
                             std::string_view reason) const {
  std::string pointer = documents_[document].tree->pointer_to(schema.node());
  if (document != 0) pointer = documents_[document].uri + "#" + pointer;
  const std::string where = pointer.empty() ? "the root" : shown(pointer);
  return Error{code, "'" + std::string(keyword) + "' at " + where + ": " + std::string(reason),
               std::string(keyword)};
}

Result<SchemaDocuments::Place> SchemaDocuments::add_root(std::string_view text) {
  ASSIGN_OR_RETURN(const uint32_t resource, add_document("", text, limits_));
  return Place{resources_[resource].root, 0, resource};
}

Result<uint32_t> SchemaDocuments::add_document(const std::string& uri, std::string_view text,
                                               const JsonLimits& limits) {
  ASSIGN_OR_RETURN(JsonTree tree, JsonTree::parse(text, limits));
  const auto document = static_cast<uint32_t>(documents_.size());
  documents_.push_back({uri, std::make_unique<JsonTree>(std::move(tree))});
  const TreeValue root = documents_.back().tree->root();
  resource_by_node_.emplace_back(documents_.back().tree->nodes(), kNoResource);
  const auto resource = static_cast<uint32_t>(resources_.size());
  resource_by_uri_.emplace(uri, resource);
  resources_.push_back({uri, root, document, {}, {}});
  TreeValue id;
  if (root.get("$id", &id)) {
    ASSIGN_OR_RETURN(std::string own, read_id(root, id, document, resource));
    resource_by_uri_.emplace(own, resource);
    resources_[resource].uri = std::move(own);
  }
  ASSIGN_OR_RETURN(resources_[resource].dialect, read_dialect(root, document, SchemaDialect()));
  RETURN_IF_ERROR(scan(root, document, resource));
  return resource;
}

Result<std::string> SchemaDocuments::read_id(TreeValue schema, TreeValue id, uint32_t document,
                                             uint32_t parent) const {
  if (id.kind() != TreeKind::kString)
    return error(ErrorCode::kInvalid, "$id", schema, document, "must be a string");
  if (!uri_fragment(id.string()).empty())
    return error(ErrorCode::kInvalid, "$id", schema, document, "must not have a fragment; use $anchor");
  if (id.string().size() + resources_[parent].uri.size() > kUriBytesMax)
    return error(ErrorCode::kTooLarge, "$id", schema, document, "the URI is too long");
  return resolve_uri(resources_[parent].uri, id.string());
}

Result<uint32_t> SchemaDocuments::find_or_add(const std::string& uri) {
  const auto known = resource_by_uri_.find(uri);
  if (known != resource_by_uri_.end()) return known->second;
  for (const SchemaSource& source : others_) {
    if (source.uri == uri) return add_document(uri, source.text, limits_);
  }
  for (const SchemaSource& source : builtin_metaschemas()) {
    if (source.uri == uri) return add_document(uri, source.text, JsonLimits());
  }
  return Error{ErrorCode::kNotFound, "leads to " + shown(uri) + ", which is not part of the schema", ""};
}

Result<void> SchemaDocuments::scan(TreeValue schema, uint32_t document, uint32_t resource) {
  if (schema.kind() != TreeKind::kObject) return {};
  TreeValue id;
  if (schema.node() != resources_[resource].root.node() && schema.get("$id", &id)) {
    ASSIGN_OR_RETURN(std::string uri, read_id(schema, id, document, resource));
    ASSIGN_OR_RETURN(SchemaDialect dialect, read_dialect(schema, document, resources_[resource].dialect));
    resource = static_cast<uint32_t>(resources_.size());
    const auto [place, is_new] = resource_by_uri_.emplace(uri, resource);
    if (!is_new && resources_[place->second].document == document)
      return error(ErrorCode::kInvalid, "$id", schema, document, shown(uri) + " is the name of two schemas");
    resources_.push_back({std::move(uri), schema, document, dialect, {}});
  }
  resource_by_node_[document][schema.node()] = resource;
  RETURN_IF_ERROR(add_anchor(schema, "$anchor", document, resource));
  RETURN_IF_ERROR(add_anchor(schema, "$dynamicAnchor", document, resource));
  return scan_children(schema, document, resource);
}

Result<void> SchemaDocuments::scan_children(TreeValue schema, uint32_t document, uint32_t resource) {
  TreeValue value;
  for (const std::string_view keyword : kSchemaKeywords) {
    if (schema.get(keyword, &value)) RETURN_IF_ERROR(scan(value, document, resource));
  }
  for (const std::string_view keyword : kSchemaArrayKeywords) {
    if (!schema.get(keyword, &value) || value.kind() != TreeKind::kArray) continue;
    for (uint32_t i = 0; i < value.size(); ++i) RETURN_IF_ERROR(scan(value.item(i), document, resource));
  }
  for (const std::string_view keyword : kSchemaMapKeywords) {
    if (!schema.get(keyword, &value) || value.kind() != TreeKind::kObject) continue;
    for (uint32_t i = 0; i < value.size(); ++i) RETURN_IF_ERROR(scan(value.member(i), document, resource));
  }
  return {};
}

Result<void> SchemaDocuments::add_anchor(TreeValue schema, std::string_view keyword, uint32_t document,
                                         uint32_t resource) {
  TreeValue name;
  if (!schema.get(keyword, &name)) return {};
  if (name.kind() != TreeKind::kString || !is_anchor_name(name.string()))
    return error(ErrorCode::kInvalid, keyword, schema, document,
                 "must be a name of letters, digits, _, - and .");
  const Place place{schema, document, resource, keyword == "$dynamicAnchor"};
  const auto [at, is_new] = resources_[resource].anchors.emplace(name.string(), place);
  if (place.by_dynamic_anchor) dynamic_anchors_[at->first].push_back(place);
  if (is_new) return {};
  if (at->second.value.node() != schema.node())
    return error(ErrorCode::kInvalid, keyword, schema, document,
                 shown(name.string()) + " is the name of two schemas");
  at->second.by_dynamic_anchor = true;  // both keywords, one name
  return {};
}

Result<SchemaDialect> SchemaDocuments::read_dialect(TreeValue schema, uint32_t document,
                                                    const SchemaDialect& inherited) {
  TreeValue name;
  if (!schema.get("$schema", &name)) return inherited;
  if (name.kind() != TreeKind::kString)
    return error(ErrorCode::kInvalid, "$schema", schema, document, "must be a string");
  if (!uri_fragment(name.string()).empty() || name.string().size() > kUriBytesMax)
    return error(ErrorCode::kInvalid, "$schema", schema, document, "must be a URI without a fragment");
  const std::string uri(without_fragment(name.string()));
  if (uri == kDialectUri) return SchemaDialect();
  if (older_drafts_ == JsonSchema::OlderDrafts::kReadAs2020) {
    if (const auto draft = older_draft(uri)) return SchemaDialect{.draft = *draft};
  }
  const auto metaschema = find_or_add(uri);
  if (!metaschema.ok()) {
    return error(ErrorCode::kUnsupported, "$schema", schema, document,
                 shown(uri) + " is not supported; use " + std::string(kDialectUri));
  }
  TreeValue vocabulary;
  if (!resources_[*metaschema].root.get("$vocabulary", &vocabulary) || vocabulary.kind() != TreeKind::kObject)
    return SchemaDialect();
  SchemaDialect dialect{.applicator = false, .unevaluated = false, .validation = false};
  for (uint32_t i = 0; i < vocabulary.size(); ++i) {
    const std::string_view key = vocabulary.key(i);
    const std::string_view known =
        key.substr(0, kVocabularies.size()) == kVocabularies ? key.substr(kVocabularies.size()) : "";
    if (known == "applicator") {
      dialect.applicator = true;
    } else if (known == "unevaluated") {
      dialect.unevaluated = true;
    } else if (known == "validation") {
      dialect.validation = true;
    } else if (known == "format-assertion") {
      dialect.format_assertion = true;
    } else if (known != "core" && known != "meta-data" && known != "format-annotation" &&
               known != "content") {
      const TreeValue required = vocabulary.member(i);
      if (required.kind() != TreeKind::kBoolean || required.boolean())
        return error(ErrorCode::kUnsupported, "$schema", schema, document,
                     "the vocabulary " + shown(key) + " is not supported");
    }
  }
  return dialect;
}

Result<SchemaDocuments::Place> SchemaDocuments::resolve(std::string_view reference, uint32_t resource) {
  if (reference.size() + resources_[resource].uri.size() > kUriBytesMax)
    return Error{ErrorCode::kTooLarge, "the URI is too long", ""};
  ASSIGN_OR_RETURN(const uint32_t target, find_or_add(resolve_uri(resources_[resource].uri, reference)));
  const std::string fragment = decode_percent_escapes(uri_fragment(reference));
  const Resource& found = resources_[target];
  if (fragment.empty()) return Place{found.root, found.document, target};
  if (fragment[0] == '/') return follow_pointer(fragment, target);
  const auto anchor = found.anchors.find(fragment);
  if (anchor != found.anchors.end()) return anchor->second;
  return Error{ErrorCode::kInvalid, "there is no anchor " + shown(fragment), ""};
}

Result<SchemaDocuments::Place> SchemaDocuments::follow_pointer(std::string_view pointer,
                                                               uint32_t resource) const {
  Place place{resources_[resource].root, resources_[resource].document, resource};
  std::string token;
  for (std::string_view rest = pointer; !rest.empty();) {
    rest.remove_prefix(1);
    const size_t size = std::min(rest.find('/'), rest.size());
    if (!unescape_token(rest.substr(0, size), &token) || !step_into(place.value, token, &place.value))
      return Error{ErrorCode::kInvalid, "nothing stands at " + shown(pointer), ""};
    rest.remove_prefix(size);
    place.resource = resource_of(place.value, place.document, place.resource);
  }
  return place;
}

uint32_t SchemaDocuments::resource_of(TreeValue schema, uint32_t document, uint32_t parent) const {
  const uint32_t known = resource_by_node_[document][schema.node()];
  return known == kNoResource ? parent : known;
}

}  // namespace hussar
