// A schema as it is evaluated: every subschema with its keywords read, checked and resolved. Made by
// json_schema_compiler.h, followed by json_schema_evaluation.h.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/json_schema_regex.h"
#include "grammar/json_schema_tree.h"

namespace hussar {

// A number that stands for a subschema: its place in SchemaProgram::schemas.
using SchemaId = uint32_t;
inline constexpr SchemaId kNoSchema = 0xFFFF'FFFF;
inline constexpr uint64_t kNoBound = std::numeric_limits<uint64_t>::max();

struct NumberRules {
  std::optional<DecimalView> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
};

struct StringRules {
  uint64_t length_min = 0, length_max = kNoBound;  // in code points
  const SchemaRegex* pattern = nullptr;
  std::string_view format;  // only where it is asserted
};

struct ArrayRules {
  uint64_t items_min = 0, items_max = kNoBound;
  bool unique = false;
  std::vector<SchemaId> prefix;
  SchemaId items = kNoSchema, contains = kNoSchema;
  uint64_t contains_min = 1, contains_max = kNoBound;
};

struct PatternRule {
  const SchemaRegex* regex = nullptr;
  SchemaId schema = kNoSchema;
};

struct DependentNames {
  std::string_view name;
  std::vector<std::string_view> required;
};

struct ObjectRules {
  uint64_t properties_min = 0, properties_max = kNoBound;
  std::vector<std::string_view> required;
  std::vector<DependentNames> dependent_required;
  TreeValue properties;  // the keyword's value: member n has the schema property_schemas[n]
  std::vector<SchemaId> property_schemas;
  std::vector<PatternRule> patterns;
  SchemaId additional = kNoSchema, names = kNoSchema;
  std::vector<std::pair<std::string_view, SchemaId>> dependent_schemas;
};

// Applicators that look at the same value again.
struct InPlaceRules {
  SchemaId ref = kNoSchema;
  SchemaId dynamic_ref = kNoSchema;      // where $dynamicRef leads by the text alone
  std::optional<uint32_t> dynamic_name;  // its name in SchemaProgram::dynamic_anchors, if it is dynamic
  std::vector<SchemaId> all_of, any_of, one_of;
  SchemaId negated = kNoSchema, condition = kNoSchema, then = kNoSchema, otherwise = kNoSchema;
};

struct SchemaNode {
  enum class Kind : uint8_t { kTrue, kFalse, kKeywords };
  Kind kind = Kind::kTrue;
  uint8_t types = 0xFF;   // of kTypeBits
  uint32_t resource = 0;  // the one whose $id it is under
  uint32_t document = 0;  // in SchemaProgram::documents
  TreeValue source;
  std::vector<std::pair<uint64_t, TreeValue>> values;  // of enum, by hash; legal only with has_enum
  bool has_enum = false;
  std::optional<TreeValue> constant;
  std::unique_ptr<NumberRules> numbers;
  std::unique_ptr<StringRules> strings;
  std::unique_ptr<ArrayRules> arrays;
  std::unique_ptr<ObjectRules> objects;
  std::unique_ptr<InPlaceRules> in_place;
  SchemaId unevaluated_items = kNoSchema, unevaluated_properties = kNoSchema;
};

// Bits of SchemaNode::types: one for each TreeKind, by its number, and one for integers alone.
inline constexpr uint8_t kIntegerTypeBit = 1 << 6;
inline constexpr uint8_t type_bit(TreeKind kind) { return static_cast<uint8_t>(1 << static_cast<int>(kind)); }

struct SchemaDocument {
  std::string uri;  // "" for the schema itself
  std::unique_ptr<JsonTree> tree;
};

struct SchemaProgram {
  std::vector<SchemaDocument> documents;
  std::vector<SchemaNode> schemas;  // [0] is where evaluation begins
  std::vector<std::unique_ptr<SchemaRegex>> regexes;
  // For each name that a $dynamicRef follows: the resources that have a $dynamicAnchor of that name, in
  // order, and where it stands.
  std::vector<std::vector<std::pair<uint32_t, SchemaId>>> dynamic_anchors;
};

}  // namespace hussar
