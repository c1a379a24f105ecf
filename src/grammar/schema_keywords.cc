#include "grammar/schema_keywords.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace hussar {
namespace {

using Value = KeywordValue;

constexpr SchemaKeyword kKeywords[] = {
    {"$id", Value::kString},
    {"$schema", Value::kString},
    {"$ref", Value::kString},
    {"$anchor", Value::kString},
    {"$dynamicRef", Value::kString},
    {"$dynamicAnchor", Value::kString},
    {"$vocabulary", Value::kAnything, "a schema for schemas is no schema for an answer"},
    {"$comment", Value::kString},
    {"$defs", Value::kNamedSchemas},
    {"definitions", Value::kNamedSchemas},
    {"allOf", Value::kSchemas},
    {"anyOf", Value::kSchemas},
    {"oneOf", Value::kSchemas},
    {"not", Value::kSchema},
    {"if", Value::kSchema},
    {"then", Value::kSchema},
    {"else", Value::kSchema},
    {"dependentSchemas", Value::kNamedSchemas},
    {"prefixItems", Value::kSchemas},
    {"items", Value::kSchema},
    {"contains", Value::kSchema},
    {"properties", Value::kNamedSchemas},
    {"patternProperties", Value::kNamedSchemas},
    {"additionalProperties", Value::kSchema},
    {"propertyNames", Value::kSchema},
    {"unevaluatedItems", Value::kSchema},
    {"unevaluatedProperties", Value::kSchema},
    {"type", Value::kTypes},
    {"enum", Value::kArray},
    {"const", Value::kAnything},
    {"multipleOf", Value::kPositiveNumber},
    {"maximum", Value::kNumber},
    {"exclusiveMaximum", Value::kNumber},
    {"minimum", Value::kNumber},
    {"exclusiveMinimum", Value::kNumber},
    {"maxLength", Value::kCount},
    {"minLength", Value::kCount},
    {"pattern", Value::kString},
    {"maxItems", Value::kCount},
    {"minItems", Value::kCount},
    {"uniqueItems", Value::kBoolean},
    {"maxContains", Value::kCount},
    {"minContains", Value::kCount},
    {"maxProperties", Value::kCount},
    {"minProperties", Value::kCount},
    {"required", Value::kStrings},
    {"dependentRequired", Value::kNamedStringLists},
    {"format", Value::kString},
    // Annotations, by the standard.
    {"title", Value::kAnything},
    {"description", Value::kAnything},
    {"default", Value::kAnything},
    {"deprecated", Value::kAnything},
    {"readOnly", Value::kAnything},
    {"writeOnly", Value::kAnything},
    {"examples", Value::kAnything},
    {"contentEncoding", Value::kAnything},
    {"contentMediaType", Value::kAnything},
    {"contentSchema", Value::kAnything},
    // Of other drafts and dialects.
    {"additionalItems", Value::kAnything, "draft 2020-12 has 'items' behind 'prefixItems' for it"},
    {"dependencies", Value::kAnything, "draft 2020-12 has 'dependentRequired' and 'dependentSchemas' for it"},
    {"$recursiveRef", Value::kAnything, "draft 2020-12 has '$dynamicRef' for it"},
    {"$recursiveAnchor", Value::kAnything, "draft 2020-12 has '$dynamicAnchor' for it"},
    {"nullable", Value::kAnything, "draft 2020-12 has \"type\": [..., \"null\"] for it"},
    {"discriminator", Value::kAnything, "draft 2020-12 has 'oneOf' with a 'const' in each branch for it"},
};

std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c != '_' && c != '-' && c != '$')
      text.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c);
  }
  return text;
}

// One letter more, less, other, or two swapped.
bool is_one_slip_apart(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > 1) return false;
  size_t i = 0;
  while (i < a.size() && a[i] == b[i]) ++i;
  if (a.size() < b.size()) return a.substr(i) == b.substr(i + 1);
  if (i == a.size() || a.substr(i + 1) == b.substr(i + 1)) return true;
  return i + 1 < a.size() && a[i] == b[i + 1] && a[i + 1] == b[i] && a.substr(i + 2) == b.substr(i + 2);
}

bool is_annotation(const SchemaKeyword& keyword) {
  return keyword.value == Value::kAnything && keyword.refused.empty() && keyword.name != "const";
}

bool is_type_name(const Json& value) {
  static constexpr std::string_view kTypes[] = {"null",   "boolean", "integer", "number",
                                                "string", "array",   "object"};
  const std::string* name = value.as_string();
  return name != nullptr && std::find(std::begin(kTypes), std::end(kTypes), *name) != std::end(kTypes);
}

bool is_schema(const Json& value) { return value.as_bool() != nullptr || value.as_object() != nullptr; }

template <typename Fits>
bool all_in_array(const Json& value, Fits fits) {
  const JsonArray* array = value.as_array();
  return array != nullptr && std::all_of(array->begin(), array->end(), fits);
}

template <typename Fits>
bool all_in_object(const Json& value, Fits fits) {
  const JsonObject* object = value.as_object();
  return object != nullptr &&
         std::all_of(object->begin(), object->end(), [&](const auto& member) { return fits(member.second); });
}

bool is_string(const Json& value) { return value.as_string() != nullptr; }
bool is_string_list(const Json& value) { return all_in_array(value, is_string); }

}  // namespace

const SchemaKeyword* find_keyword(std::string_view name) {
  for (const SchemaKeyword& keyword : kKeywords) {
    if (keyword.name == name) return &keyword;
  }
  return nullptr;
}

std::string_view misspelt_keyword(std::string_view name) {
  constexpr size_t kLettersMin = 5;  // shorter names are one slip away from too many words
  constexpr size_t kLettersMax = 40;
  if (name.size() > kLettersMax) return {};
  const std::string given = plain(name);
  for (const SchemaKeyword& keyword : kKeywords) {
    if (is_annotation(keyword)) continue;
    const std::string known = plain(keyword.name);
    if (given == known || (known.size() >= kLettersMin && is_one_slip_apart(given, known)))
      return keyword.name;
  }
  return {};
}

std::string_view wrong_value(const SchemaKeyword& keyword, const Json& value) {
  double number = 0;
  switch (keyword.value) {
    case Value::kAnything:
      return {};
    case Value::kString:
      return is_string(value) ? "" : "must be a string";
    case Value::kBoolean:
      return value.as_bool() != nullptr ? "" : "must be true or false";
    case Value::kNumber:
      return value.as_number(&number) ? "" : "must be a number";
    case Value::kPositiveNumber:
      return value.as_number(&number) && number > 0 ? "" : "must be a number above 0";
    case Value::kCount:
      return as_count(value) ? "" : "must be an integer of at least 0";
    case Value::kTypes:
      return is_type_name(value) || (all_in_array(value, is_type_name) && !value.as_array()->empty())
                 ? ""
                 : "must be null, boolean, integer, number, string, array or object, or an array of these";
    case Value::kStrings:
      return is_string_list(value) ? "" : "must be an array of strings";
    case Value::kArray:
      return value.as_array() != nullptr ? "" : "must be an array";
    case Value::kSchema:
      return is_schema(value) ? "" : "must be a schema: an object, true or false";
    case Value::kSchemas:
      return all_in_array(value, is_schema) && !value.as_array()->empty()
                 ? ""
                 : "must be an array of one schema or more";
    case Value::kNamedSchemas:
      return all_in_object(value, is_schema) ? "" : "must be an object of schemas";
    case Value::kNamedStringLists:
      return all_in_object(value, is_string_list) ? "" : "must be an object of arrays of strings";
  }
  return {};
}

std::optional<int64_t> as_count(const Json& value) {
  constexpr double kMax = 1e15;
  double number = 0;
  if (!value.as_number(&number) || number < 0 || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(std::min(number, kMax));
}

}  // namespace hussar
