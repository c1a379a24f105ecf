#include "grammar/indexed_schema.h"

#include <algorithm>
#include <utility>

#include "grammar/json_schema_uri.h"
#include "grammar/schema_keywords.h"

namespace hussar {
namespace {

constexpr size_t kPathBytesMax = 4000;  // of a subschema: nothing deeper is of use to anybody
constexpr size_t kShownBytesMax = 100;

constexpr std::string_view kDialects[] = {
    "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",       "https://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
};
constexpr std::string_view kDialectWhere2020 = kDialects[0];

std::string pointer_token(std::string_view name) {
  std::string token = "/";
  for (const char c : name) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

std::string name_of_token(std::string_view token) {
  std::string name;
  for (size_t i = 0; i < token.size(); ++i) {
    const bool escape =
        token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    name += !escape ? token[i] : token[i + 1] == '0' ? '~' : '/';
    if (escape) ++i;
  }
  return name;
}

std::string shown(std::string_view text) {
  return "\"" + std::string(text.substr(0, kShownBytesMax)) + (text.size() > kShownBytesMax ? "...\"" : "\"");
}

const Json* child_of(const Json& value, const std::string& name) {
  if (value.as_object() != nullptr) return value.find(name);
  const JsonArray* array = value.as_array();
  if (array == nullptr || name.empty() || name.size() > 9 || (name.size() > 1 && name[0] == '0'))
    return nullptr;
  if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) return nullptr;
  const size_t index = static_cast<size_t>(std::stoul(name));
  return index < array->size() ? &(*array)[index] : nullptr;
}

}  // namespace

std::variant<IndexedSchema, SchemaRefusal> IndexedSchema::read(const Json& root, int32_t nodes_max) {
  IndexedSchema document;
  document.nodes_max_ = nodes_max;
  document.add_made(Json(true), "");
  if (root.as_bool() == nullptr && root.as_object() == nullptr) {
    return SchemaRefusal{ErrorCode::kInvalid, "", "", "a schema must be an object, true or false"};
  }
  if (std::optional<SchemaRefusal> refusal = document.walk(root, "", "", nodes_max))
    return std::move(*refusal);
  return document;
}

IndexedSchema::Node IndexedSchema::add_made(Json schema, std::string path) {
  made_.push_back(std::move(schema));
  number_made(made_.back(), path);
  return numbers_.at(&made_.back());
}

void IndexedSchema::number_made(const Json& schema, const std::string& path) {
  numbers_[&schema] = node_count();
  nodes_.push_back({&schema, path, ""});
  if (const Json* items = schema.find("prefixItems"); items != nullptr) {
    for (const Json& item : *items->as_array()) number_made(item, path);
  }
  if (const Json* properties = schema.find("properties"); properties != nullptr) {
    for (const auto& [name, value] : *properties->as_object()) number_made(value, path);
  }
}

std::optional<SchemaRefusal> IndexedSchema::check_keyword(const std::string& name, const Json& value,
                                                          const std::string& path) const {
  const SchemaKeyword* keyword = find_keyword(name);
  if (keyword == nullptr) {
    const std::string_view meant = misspelt_keyword(name);
    if (meant.empty()) return std::nullopt;
    return SchemaRefusal{ErrorCode::kInvalid, name, path,
                         "no keyword; did you mean '" + std::string(meant) + "'?"};
  }
  if (!keyword->refused.empty()) {
    return SchemaRefusal{ErrorCode::kUnsupported, name, path,
                         "not supported: " + std::string(keyword->refused)};
  }
  if (const std::string_view wrong = wrong_value(*keyword, value); !wrong.empty()) {
    return SchemaRefusal{ErrorCode::kInvalid, name, path, std::string(wrong)};
  }
  if (name == "$schema") {
    const std::string_view dialect = without_fragment(*value.as_string());
    if (std::find(std::begin(kDialects), std::end(kDialects), dialect) == std::end(kDialects)) {
      return SchemaRefusal{
          ErrorCode::kUnsupported, name, path,
          "not supported: " + shown(dialect) + " is another dialect than " + shown(kDialectWhere2020)};
    }
  }
  return std::nullopt;
}

void IndexedSchema::note_names(const JsonObject& object, Node node) {
  const std::string& base = nodes_[node].base;
  for (const auto& [name, value] : object) {
    if (name != "$anchor" && name != "$dynamicAnchor") continue;
    anchors_.try_emplace({base, *value.as_string()}, node);
    if (name == "$dynamicAnchor") ++dynamic_anchors_[*value.as_string()];
  }
}

std::optional<SchemaRefusal> IndexedSchema::walk(const Json& schema, const std::string& path,
                                                 const std::string& base, int32_t nodes_max) {
  if (numbers_.contains(&schema)) return std::nullopt;
  const Node node = node_count();
  if (node > nodes_max || path.size() > kPathBytesMax) {
    return SchemaRefusal{ErrorCode::kTooLarge, "", "",
                         "more than " + std::to_string(nodes_max) + " subschemas, or nested too deep"};
  }
  numbers_[&schema] = node;
  nodes_.push_back({&schema, path, base});
  const JsonObject* object = schema.as_object();
  if (object == nullptr) {
    if (schema.as_bool() != nullptr) return std::nullopt;
    return SchemaRefusal{ErrorCode::kInvalid, "", path, "a schema must be an object, true or false"};
  }
  for (const auto& [name, value] : *object) {
    if (std::optional<SchemaRefusal> refusal = check_keyword(name, value, path)) return refusal;
  }
  if (const Json* id = schema.find("$id"); id != nullptr)
    nodes_[node].base = resolve_uri(base, *id->as_string());
  if (node == root() || schema.find("$id") != nullptr) resources_.try_emplace(nodes_[node].base, node);
  note_names(*object, node);
  const std::string own_base = nodes_[node].base;
  for (const auto& [name, value] : *object) {
    const SchemaKeyword* keyword = find_keyword(name);
    if (keyword == nullptr) continue;
    const std::string below = path + pointer_token(name);
    if (keyword->value == KeywordValue::kSchema) {
      if (std::optional<SchemaRefusal> refusal = walk(value, below, own_base, nodes_max)) return refusal;
    } else if (keyword->value == KeywordValue::kSchemas) {
      for (size_t i = 0; i < value.as_array()->size(); ++i) {
        std::optional<SchemaRefusal> refusal =
            walk((*value.as_array())[i], below + "/" + std::to_string(i), own_base, nodes_max);
        if (refusal) return refusal;
      }
    } else if (keyword->value == KeywordValue::kNamedSchemas) {
      for (const auto& [key, part] : *value.as_object()) {
        if (std::optional<SchemaRefusal> refusal =
                walk(part, below + pointer_token(key), own_base, nodes_max))
          return refusal;
      }
    }
  }
  return std::nullopt;
}

std::variant<IndexedSchema::Node, SchemaRefusal> IndexedSchema::at_pointer(Node resource,
                                                                           std::string_view pointer,
                                                                           const SchemaRefusal& lost) {
  const Json* at = nodes_[resource].schema;
  Node last = resource;
  std::string path = nodes_[resource].path;
  while (!pointer.empty()) {
    if (pointer[0] != '/') return lost;
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    at = child_of(*at, name_of_token(token));
    if (at == nullptr) return lost;
    path += "/" + std::string(token);
    if (const auto it = numbers_.find(at); it != numbers_.end()) last = it->second;
  }
  // A place that no keyword makes a schema becomes one by being referred to.
  if (std::optional<SchemaRefusal> refusal = walk(*at, path, nodes_[last].base, nodes_max_))
    return std::move(*refusal);
  return numbers_.at(at);
}

std::variant<IndexedSchema::Node, SchemaRefusal> IndexedSchema::resolve(Node from, std::string_view keyword) {
  const std::string reference = *schema(from).find(keyword)->as_string();
  const std::string base = nodes_[from].base;
  const SchemaRefusal lost{ErrorCode::kInvalid, std::string(keyword), path(from),
                           shown(reference) + " is not in this document; nothing is fetched from elsewhere"};
  const std::string target = resolve_uri(base, reference);
  const auto resource = resources_.find(target);
  if (resource == resources_.end()) return lost;
  const std::string fragment = decode_percent_escapes(uri_fragment(reference));
  if (fragment.empty()) return resource->second;
  if (fragment[0] == '/') return at_pointer(resource->second, fragment, lost);
  const auto anchor = anchors_.find({target, fragment});
  if (anchor == anchors_.end()) return lost;
  const bool dynamic = keyword == "$dynamicRef" && schema(anchor->second).find("$dynamicAnchor") != nullptr &&
                       *schema(anchor->second).find("$dynamicAnchor")->as_string() == fragment;
  if (dynamic && dynamic_anchors_.at(fragment) > 1) {
    return SchemaRefusal{
        ErrorCode::kUnsupported, std::string(keyword), path(from),
        "not supported where '$dynamicAnchor' " + shown(fragment) + " stands in more than one place"};
  }
  return anchor->second;
}

}  // namespace hussar
