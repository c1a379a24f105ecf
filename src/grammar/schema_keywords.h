// The keywords of JSON Schema, draft 2020-12: what stands behind each, and what becomes of it here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace hussar {

enum class KeywordValue {
  kAnything,
  kString,
  kBoolean,
  kNumber,
  kPositiveNumber,
  kCount,  // an integer, not negative; 2.0 counts
  kTypes,  // a type's name, or an array of such
  kStrings,
  kArray,
  kSchema,
  kSchemas,          // a non-empty array
  kNamedSchemas,     // an object of schemas
  kNamedStringLists  // an object of arrays of strings
};

struct SchemaKeyword {
  std::string_view name;
  KeywordValue value = KeywordValue::kAnything;
  // Why it is refused wherever it stands; empty where it is not.
  std::string_view refused = {};
};

// Null for a keyword that the standard doesn't know.
const SchemaKeyword* find_keyword(std::string_view name);

// The keyword that an unknown one was probably meant to be ("minlength", "max_items"); empty when it is far
// from all. The standard takes unknown keywords for annotations, but a bound that doesn't bind would be a
// silent loss.
std::string_view misspelt_keyword(std::string_view name);

// What is wrong with a keyword's value ("must be a number"); empty when it fits.
std::string_view wrong_value(const SchemaKeyword& keyword, const Json& value);

// An integer written as one or as 2.0; numbers that don't fit are cut to the next that does.
std::optional<int64_t> as_count(const Json& value);

}  // namespace hussar
