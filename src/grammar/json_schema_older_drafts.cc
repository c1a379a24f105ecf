#include "grammar/json_schema_older_drafts.h"

#include <algorithm>
#include <iterator>

namespace hussar {
namespace {

struct DraftUri {
  std::string_view uri;
  SchemaDraft draft;
};

constexpr DraftUri kDraftUris[] = {
    {"https://json-schema.org/draft/2019-09/schema", SchemaDraft::k2019},
    {"http://json-schema.org/draft-07/schema", SchemaDraft::k7},
    {"https://json-schema.org/draft-07/schema", SchemaDraft::k7},
    {"http://json-schema.org/draft-06/schema", SchemaDraft::k6},
    {"https://json-schema.org/draft-06/schema", SchemaDraft::k6},
};

// A keyword that drafts up to `last` don't know, or read otherwise.
struct OtherMeaning {
  std::string_view keyword;
  SchemaDraft last;
};

constexpr OtherMeaning kOtherMeanings[] = {
    {"dependencies", SchemaDraft::k2019},
    {"additionalItems", SchemaDraft::k2019},
    {"$recursiveRef", SchemaDraft::k2019},
    {"$recursiveAnchor", SchemaDraft::k2019},
    {"prefixItems", SchemaDraft::k2019},
    {"$dynamicRef", SchemaDraft::k2019},
    {"$dynamicAnchor", SchemaDraft::k2019},
    {"unevaluatedItems", SchemaDraft::k2019},  // there it takes no notice of `contains`
    {"unevaluatedProperties", SchemaDraft::k7},
    {"dependentRequired", SchemaDraft::k7},
    {"dependentSchemas", SchemaDraft::k7},
    {"minContains", SchemaDraft::k7},
    {"maxContains", SchemaDraft::k7},
    {"$anchor", SchemaDraft::k7},
    {"if", SchemaDraft::k6},
};

// Up to draft 7 these are ignored beside $ref.
constexpr std::string_view kChecked[] = {"type",
                                         "enum",
                                         "const",
                                         "multipleOf",
                                         "minimum",
                                         "maximum",
                                         "minLength",
                                         "maxLength",
                                         "exclusiveMinimum",
                                         "pattern",
                                         "items",
                                         "exclusiveMaximum",
                                         "contains",
                                         "minItems",
                                         "maxItems",
                                         "uniqueItems",
                                         "properties",
                                         "patternProperties",
                                         "required",
                                         "minProperties",
                                         "additionalProperties",
                                         "propertyNames",
                                         "maxProperties",
                                         "allOf",
                                         "anyOf",
                                         "oneOf",
                                         "not",
                                         "if",
                                         "format"};

}  // namespace

std::optional<SchemaDraft> older_draft(std::string_view uri) {
  const auto* found = std::find_if(std::begin(kDraftUris), std::end(kDraftUris),
                                   [&](const DraftUri& known) { return known.uri == uri; });
  if (found == std::end(kDraftUris)) return std::nullopt;
  return found->draft;
}

Result<void> refuse_other_meanings(const KeywordReader& reader, SchemaDraft draft) {
  if (draft == SchemaDraft::k2020) return {};
  TreeValue value;
  for (const OtherMeaning& other : kOtherMeanings) {
    if (draft <= other.last && reader.get(other.keyword, &value)) {
      return reader.error(ErrorCode::kUnsupported, other.keyword,
                          "has another meaning in the draft that $schema names than in draft 2020-12");
    }
  }
  if (reader.get("items", &value) && value.kind() == TreeKind::kArray)
    return reader.error(ErrorCode::kUnsupported, "items", "is a list, which draft 2020-12 calls prefixItems");
  if (draft > SchemaDraft::k7 || !reader.get("$ref", &value)) return {};
  for (const std::string_view keyword : kChecked) {
    if (reader.get(keyword, &value)) {
      return reader.error(ErrorCode::kUnsupported, keyword,
                          "is ignored beside $ref in the draft that $schema names; put both into allOf");
    }
  }
  return {};
}

}  // namespace hussar
