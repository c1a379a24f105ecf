// Request bodies by table: each endpoint has one table of every field that it knows, with type, range and
// what becomes of it. What no table knows is refused by name or, where the server was told so, named in the
// answer; nothing is dropped in silence.
#pragma once

#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "net/http.h"
#include "server/server.h"

namespace hussar {

// What a value is checked against.
struct FieldContext {
  const ServerOptions& options;
  std::string_view model_name;
  int32_t vocab_size;
};

// The rules. A null counts as an absent field under each of them.
template <typename T>
struct BoolField {
  bool T::*to;
};
template <typename T>
struct IntField {
  std::optional<int64_t> T::*to;
  int64_t min, max;
};
template <typename T>
struct NumberField {
  double T::*to;
  double min, max;
};
template <typename T>
struct StringField {
  std::optional<std::string> T::*to;
  size_t bytes_max;
};
template <typename T>
struct CustomField {
  Result<void> (*read)(std::string_view name, const Json& value, const FieldContext& context, T* to);
};
// Known, but not supported: only these values, a JSON array, ask for nothing that we can't do.
struct NeutralField {
  std::string_view values;
};
// Known, and without any bearing on the answer.
struct HarmlessField {};

template <typename T>
struct Field {
  std::string_view name;
  std::variant<BoolField<T>, IntField<T>, NumberField<T>, StringField<T>, CustomField<T>, NeutralField,
               HarmlessField>
      rule;
};

// Errors: kInvalid naming the field, what it must be and what it was.
Result<bool> read_bool(std::string_view name, const Json& value);
Result<int64_t> read_int(std::string_view name, const Json& value, int64_t min, int64_t max);
Result<double> read_number(std::string_view name, const Json& value, double min, double max);
Result<std::string> read_string(std::string_view name, const Json& value, size_t bytes_max);
// Errors: kUnsupported unless `value` equals one of `values`.
Result<void> check_neutral(std::string_view name, const Json& value, std::string_view values);
// Refuses the field (kUnsupported), or adds it to `ignored`.
Result<void> meet_unknown_field(std::string_view name, const FieldContext& context,
                                std::vector<std::string>* ignored);
// Names the ignored fields in X-Hussar-Ignored-Fields; nothing when there are none.
void add_ignored_fields_header(const std::vector<std::string>& names, std::vector<HttpHeader>* headers);
bool json_equal(const Json& a, const Json& b);  // numbers by value: 1 equals 1.0

template <typename T>
Result<void> apply_rule(const BoolField<T>& rule, std::string_view name, const Json& value,
                        const FieldContext&, T* to) {
  ASSIGN_OR_RETURN(to->*rule.to, read_bool(name, value));
  return {};
}
template <typename T>
Result<void> apply_rule(const IntField<T>& rule, std::string_view name, const Json& value,
                        const FieldContext&, T* to) {
  ASSIGN_OR_RETURN(to->*rule.to, read_int(name, value, rule.min, rule.max));
  return {};
}
template <typename T>
Result<void> apply_rule(const NumberField<T>& rule, std::string_view name, const Json& value,
                        const FieldContext&, T* to) {
  ASSIGN_OR_RETURN(to->*rule.to, read_number(name, value, rule.min, rule.max));
  return {};
}
template <typename T>
Result<void> apply_rule(const StringField<T>& rule, std::string_view name, const Json& value,
                        const FieldContext&, T* to) {
  ASSIGN_OR_RETURN(to->*rule.to, read_string(name, value, rule.bytes_max));
  return {};
}
template <typename T>
Result<void> apply_rule(const CustomField<T>& rule, std::string_view name, const Json& value,
                        const FieldContext& context, T* to) {
  return rule.read(name, value, context, to);
}
template <typename T>
Result<void> apply_rule(const NeutralField& rule, std::string_view name, const Json& value,
                        const FieldContext&, T*) {
  return check_neutral(name, value, rule.values);
}
template <typename T>
Result<void> apply_rule(const HarmlessField&, std::string_view, const Json&, const FieldContext&, T*) {
  return {};
}

// Reads the members of `object` into `to`. `prefix` stands before the names in errors: "messages[2].".
template <typename T>
Result<void> read_fields(const JsonObject& object, std::string_view prefix, std::span<const Field<T>> table,
                         const FieldContext& context, T* to, std::vector<std::string>* ignored) {
  for (const auto& member : object) {
    const std::string& key = member.first;
    const Json& value = member.second;
    const std::string name = std::string(prefix) + key;
    const Field<T>* field = nullptr;
    for (const Field<T>& candidate : table) {
      if (candidate.name == key) field = &candidate;
    }
    if (field == nullptr) {
      RETURN_IF_ERROR(meet_unknown_field(name, context, ignored));
      continue;
    }
    if (value.is_null()) continue;
    const auto apply = [&](const auto& rule) { return apply_rule(rule, name, value, context, to); };
    RETURN_IF_ERROR(std::visit(apply, field->rule));
  }
  return {};
}

}  // namespace hussar
