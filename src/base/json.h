// JSON values of our own, so that the library that parses them (Boost.JSON, in json.cc alone) never shows in
// a header.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace hussar {

class Json;
using JsonArray = std::vector<Json>;
// In the order of the text; a duplicate key is refused by the parser.
using JsonObject = std::vector<std::pair<std::string, Json>>;

// A JSON value. Numbers keep how they were written: an integer that fits int64_t is one, everything else is a
// double.
class Json {
 public:
  using Value = std::variant<std::nullptr_t, bool, int64_t, double, std::string, JsonArray, JsonObject>;

  Json() : value_(nullptr) {}
  Json(std::nullptr_t) : value_(nullptr) {}                 // NOLINT: implicit on purpose, as are those below
  Json(bool value) : value_(value) {}                       // NOLINT
  Json(int value) : value_(static_cast<int64_t>(value)) {}  // NOLINT
  Json(int64_t value) : value_(value) {}                    // NOLINT
  Json(double value) : value_(value) {}                     // NOLINT
  Json(const char* value) : value_(std::string(value)) {}   // NOLINT
  Json(std::string value) : value_(std::move(value)) {}     // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  Json(JsonArray value) : value_(std::move(value)) {}           // NOLINT
  Json(JsonObject value) : value_(std::move(value)) {}          // NOLINT

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  // Null when the value has another type. as_number() also takes an integer.
  const bool* as_bool() const { return std::get_if<bool>(&value_); }
  const int64_t* as_int() const { return std::get_if<int64_t>(&value_); }
  const std::string* as_string() const { return std::get_if<std::string>(&value_); }
  const JsonArray* as_array() const { return std::get_if<JsonArray>(&value_); }
  const JsonObject* as_object() const { return std::get_if<JsonObject>(&value_); }
  bool as_number(double* number) const;

  // The member `key` of an object; null when there is none, or when this is no object.
  const Json* find(std::string_view key) const;

  // "null", "boolean", "integer", "number", "string", "array" or "object", for error messages.
  std::string_view type_name() const;

  const Value& value() const { return value_; }
  Value& value() { return value_; }

 private:
  Value value_;
};

struct JsonLimits {
  size_t bytes_max = 1 << 20;
  int32_t depth_max = 64;
  // Containers included. A value takes 40 bytes, where its text may take 2: large texts from elsewhere need a
  // limit.
  size_t values_max = std::numeric_limits<size_t>::max();
};

// Parses one RFC 8259 document: valid UTF-8 only, no duplicate keys, no NaN or Infinity, a number that
// overflows a double is refused. Errors: kTooLarge (bytes, depth, values), kInvalid with the byte offset.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits);

// Compact text (no spaces). Doubles are written so that they read back equal; a NaN or an infinity is written
// as null. Strings must be valid UTF-8; invalid bytes are replaced by U+FFFD, because a broken document would
// harm more than a mark.
std::string write_json(const Json& value);

// Appends `text` to `out` as a quoted JSON string, by the same rule.
void append_json_string(std::string_view text, std::string* out);

}  // namespace hussar
