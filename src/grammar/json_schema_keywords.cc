#include "grammar/json_schema_keywords.h"

#include <algorithm>
#include <limits>

namespace hussar {
namespace {

constexpr std::string_view kTypeNames[] = {"null", "boolean", "number", "string", "array", "object"};

std::optional<uint8_t> type_by_name(std::string_view name) {
  if (name == "integer") return kIntegerTypeBit;
  for (size_t i = 0; i < std::size(kTypeNames); ++i) {
    if (kTypeNames[i] == name) return type_bit(static_cast<TreeKind>(i));
  }
  return std::nullopt;
}

Result<void> read_types(const KeywordReader& reader, uint8_t* types) {
  TreeValue value;
  if (!reader.get("type", &value)) return {};
  const bool is_list = value.kind() == TreeKind::kArray;
  if (is_list && value.size() == 0) return reader.error(ErrorCode::kInvalid, "type", "must not be empty");
  *types = 0;
  for (uint32_t i = 0; i < (is_list ? value.size() : 1); ++i) {
    const TreeValue item = is_list ? value.item(i) : value;
    const auto bit =
        item.kind() == TreeKind::kString ? type_by_name(item.string()) : std::optional<uint8_t>();
    if (!bit)
      return reader.error(ErrorCode::kInvalid, "type", "must be the name of a type, or a list of them");
    if ((*types & *bit) != 0) return reader.error(ErrorCode::kInvalid, "type", "names a type twice");
    *types |= *bit;
  }
  return {};
}

// Work on the schema itself is bounded by its size.
StepBudget without_bound() { return {std::numeric_limits<int64_t>::max() / 2}; }

Result<void> read_values(const KeywordReader& reader, SchemaNode* node) {
  TreeValue constant;
  if (reader.get("const", &constant)) node->constant = constant;
  std::optional<TreeValue> list;
  RETURN_IF_ERROR(reader.container("enum", TreeKind::kArray, &list));
  if (!list) return {};
  node->has_enum = true;
  StepBudget budget = without_bound();
  for (uint32_t i = 0; i < list->size(); ++i)
    node->values.emplace_back(hash_value(list->item(i), &budget), list->item(i));
  std::sort(node->values.begin(), node->values.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return {};
}

Result<void> read_numbers(const KeywordReader& reader, SchemaNode* node) {
  if (!reader.has_any({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}))
    return {};
  NumberRules& rules = ensure(&node->numbers);
  RETURN_IF_ERROR(reader.number("minimum", &rules.minimum));
  RETURN_IF_ERROR(reader.number("maximum", &rules.maximum));
  RETURN_IF_ERROR(reader.number("exclusiveMinimum", &rules.exclusive_minimum));
  RETURN_IF_ERROR(reader.number("exclusiveMaximum", &rules.exclusive_maximum));
  RETURN_IF_ERROR(reader.number("multipleOf", &rules.multiple_of));
  if (!rules.multiple_of) return {};
  if (rules.multiple_of->is_zero() || rules.multiple_of->negative)
    return reader.error(ErrorCode::kInvalid, "multipleOf", "must be more than 0");
  if (rules.multiple_of->digits.size() > kDivisorDigitsMax) {
    return reader.error(ErrorCode::kUnsupported, "multipleOf",
                        "has more than " + std::to_string(kDivisorDigitsMax) + " digits");
  }
  return {};
}

Result<void> read_lengths(const KeywordReader& reader, SchemaNode* node) {
  if (reader.has_any({"minLength", "maxLength"})) {
    StringRules& rules = ensure(&node->strings);
    RETURN_IF_ERROR(reader.count("minLength", &rules.length_min));
    RETURN_IF_ERROR(reader.count("maxLength", &rules.length_max));
  }
  if (reader.has_any({"minItems", "maxItems", "uniqueItems", "minContains", "maxContains"})) {
    ArrayRules& rules = ensure(&node->arrays);
    RETURN_IF_ERROR(reader.count("minItems", &rules.items_min));
    RETURN_IF_ERROR(reader.count("maxItems", &rules.items_max));
    RETURN_IF_ERROR(reader.flag("uniqueItems", &rules.unique));
    RETURN_IF_ERROR(reader.count("minContains", &rules.contains_min));
    RETURN_IF_ERROR(reader.count("maxContains", &rules.contains_max));
  }
  if (!reader.has_any({"minProperties", "maxProperties", "required", "dependentRequired"})) return {};
  ObjectRules& rules = ensure(&node->objects);
  RETURN_IF_ERROR(reader.count("minProperties", &rules.properties_min));
  RETURN_IF_ERROR(reader.count("maxProperties", &rules.properties_max));
  RETURN_IF_ERROR(reader.names("required", &rules.required));
  return reader.dependent_names("dependentRequired", &rules.dependent_required);
}

}  // namespace

bool KeywordReader::has_any(std::initializer_list<std::string_view> keywords) const {
  TreeValue value;
  return std::any_of(keywords.begin(), keywords.end(),
                     [&](std::string_view keyword) { return get(keyword, &value); });
}

Result<void> KeywordReader::count(std::string_view keyword, uint64_t* value) const {
  TreeValue given;
  if (!get(keyword, &given)) return {};
  if (given.kind() != TreeKind::kNumber || !given.number().is_integer() || given.number().negative)
    return error(ErrorCode::kInvalid, keyword, "must be an integer that is not negative");
  *value = clamped_integer(given.number(), kNoBound);
  return {};
}

Result<void> KeywordReader::number(std::string_view keyword, std::optional<DecimalView>* value) const {
  TreeValue given;
  if (!get(keyword, &given)) return {};
  if (given.kind() != TreeKind::kNumber) return error(ErrorCode::kInvalid, keyword, "must be a number");
  *value = given.number();
  return {};
}

Result<void> KeywordReader::flag(std::string_view keyword, bool* value) const {
  TreeValue given;
  if (!get(keyword, &given)) return {};
  if (given.kind() != TreeKind::kBoolean) return error(ErrorCode::kInvalid, keyword, "must be true or false");
  *value = given.boolean();
  return {};
}

Result<void> KeywordReader::string(std::string_view keyword, std::optional<std::string_view>* value) const {
  TreeValue given;
  if (!get(keyword, &given)) return {};
  if (given.kind() != TreeKind::kString) return error(ErrorCode::kInvalid, keyword, "must be a string");
  *value = given.string();
  return {};
}

Result<void> KeywordReader::container(std::string_view keyword, TreeKind kind,
                                      std::optional<TreeValue>* value) const {
  TreeValue given;
  if (!get(keyword, &given)) return {};
  if (given.kind() != kind) {
    return error(ErrorCode::kInvalid, keyword,
                 kind == TreeKind::kArray ? "must be an array" : "must be an object");
  }
  *value = given;
  return {};
}

Result<void> KeywordReader::names(std::string_view keyword, std::vector<std::string_view>* value) const {
  TreeValue given;
  return get(keyword, &given) ? list_of_names(keyword, given, value) : Result<void>();
}

Result<void> KeywordReader::dependent_names(std::string_view keyword,
                                            std::vector<DependentNames>* value) const {
  std::optional<TreeValue> given;
  RETURN_IF_ERROR(container(keyword, TreeKind::kObject, &given));
  for (uint32_t i = 0; given && i < given->size(); ++i) {
    DependentNames& names = value->emplace_back(DependentNames{given->key(i), {}});
    RETURN_IF_ERROR(list_of_names(keyword, given->member(i), &names.required));
  }
  return {};
}

Result<void> KeywordReader::list_of_names(std::string_view keyword, TreeValue list,
                                          std::vector<std::string_view>* names) const {
  if (list.kind() != TreeKind::kArray)
    return error(ErrorCode::kInvalid, keyword, "must hold a list of names");
  for (uint32_t i = 0; i < list.size(); ++i) {
    if (list.item(i).kind() != TreeKind::kString)
      return error(ErrorCode::kInvalid, keyword, "must hold a list of names");
    names->push_back(list.item(i).string());
  }
  std::vector<std::string_view> sorted = *names;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return error(ErrorCode::kInvalid, keyword, "lists a name twice");
  return {};
}

Result<void> read_validation_keywords(const KeywordReader& reader, SchemaNode* node) {
  RETURN_IF_ERROR(read_types(reader, &node->types));
  RETURN_IF_ERROR(read_values(reader, node));
  RETURN_IF_ERROR(read_numbers(reader, node));
  return read_lengths(reader, node);
}

}  // namespace hussar
