// Reads the keywords that need nothing but their own value: type, enum, const, bounds, lengths and lists of
// names.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/json_schema_documents.h"
#include "grammar/json_schema_program.h"

namespace hussar {

// The keywords of one subschema. A function that reads one leaves its target as it is where the keyword is
// missing, and fails where its value is none that the keyword may have.
class KeywordReader {
 public:
  KeywordReader(const SchemaDocuments* documents, TreeValue schema, uint32_t document)
      : documents_(documents), schema_(schema), document_(document) {}

  bool get(std::string_view keyword, TreeValue* value) const { return schema_.get(keyword, value); }
  bool has_any(std::initializer_list<std::string_view> keywords) const;
  Error error(ErrorCode code, std::string_view keyword, std::string_view reason) const {
    return documents_->error(code, keyword, schema_, document_, reason);
  }

  Result<void> count(std::string_view keyword, uint64_t* value) const;
  Result<void> number(std::string_view keyword, std::optional<DecimalView>* value) const;
  Result<void> flag(std::string_view keyword, bool* value) const;
  Result<void> string(std::string_view keyword, std::optional<std::string_view>* value) const;
  Result<void> names(std::string_view keyword, std::vector<std::string_view>* value) const;
  // {"a": ["b", "c"]}
  Result<void> dependent_names(std::string_view keyword, std::vector<DependentNames>* value) const;
  // The keyword's own value, where it has to be an object or an array.
  Result<void> container(std::string_view keyword, TreeKind kind, std::optional<TreeValue>* value) const;

 private:
  Result<void> list_of_names(std::string_view keyword, TreeValue list,
                             std::vector<std::string_view>* names) const;

  const SchemaDocuments* documents_;
  TreeValue schema_;
  uint32_t document_;
};

// The validation vocabulary but for `pattern`.
Result<void> read_validation_keywords(const KeywordReader& reader, SchemaNode* node);

// The rules that `owner` holds; made where it holds none yet.
template <typename Rules>
Rules& ensure(std::unique_ptr<Rules>* owner) {
  if (*owner == nullptr) *owner = std::make_unique<Rules>();
  return **owner;
}

}  // namespace hussar
