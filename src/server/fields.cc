#include "server/fields.h"

#include <cstdio>

namespace hussar {

namespace {

// "0.5", "2", "9007199254740992": short and without an exponent where that is possible.
std::string number_text(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

Error wrong_type(std::string_view name, std::string_view wanted, const Json& value) {
  return {ErrorCode::kInvalid,
          std::string(name) + " must be " + std::string(wanted) + ", not " + std::string(value.type_name()),
          std::string(name)};
}

Error out_of_range(std::string_view name, const std::string& min, const std::string& max,
                   const std::string& value) {
  return {ErrorCode::kInvalid,
          std::string(name) + " must be between " + min + " and " + max + ", not " + value,
          std::string(name)};
}

}  // namespace

Result<bool> read_bool(std::string_view name, const Json& value) {
  if (const bool* flag = value.as_bool()) return *flag;
  return wrong_type(name, "true or false", value);
}

Result<int64_t> read_int(std::string_view name, const Json& value, int64_t min, int64_t max) {
  int64_t number = 0;
  if (const int64_t* integer = value.as_int()) {
    number = *integer;
  } else {
    double real = 0;
    if (!value.as_number(&real)) return wrong_type(name, "an integer", value);
    if (real != std::floor(real))
      return wrong_type(name, "an integer", value);   // also refuses what is not finite
    constexpr double kExactMax = 9007199254740992.0;  // 2^53
    if (!(std::fabs(real) <= kExactMax)) {
      return out_of_range(name, std::to_string(min), std::to_string(max), number_text(real));
    }
    number = static_cast<int64_t>(real);
  }
  if (number < min || number > max) {
    return out_of_range(name, std::to_string(min), std::to_string(max), std::to_string(number));
  }
  return number;
}

Result<double> read_number(std::string_view name, const Json& value, double min, double max) {
  double number = 0;
  if (!value.as_number(&number)) return wrong_type(name, "a number", value);
  if (!(number >= min && number <= max)) {
    return out_of_range(name, number_text(min), number_text(max), number_text(number));
  }
  return number;
}

Result<std::string> read_string(std::string_view name, const Json& value, size_t bytes_max) {
  const std::string* text = value.as_string();
  if (text == nullptr) return wrong_type(name, "a string", value);
  if (text->size() > bytes_max) {
    return Error{ErrorCode::kInvalid,
                 std::string(name) + " must be at most " + std::to_string(bytes_max) + " bytes long",
                 std::string(name)};
  }
  return *text;
}

bool json_equal(const Json& a, const Json& b) {
  double x = 0, y = 0;
  if (a.as_number(&x) && b.as_number(&y)) return x == y;
  if (a.value().index() != b.value().index()) return false;
  if (const JsonArray* items = a.as_array()) {
    const JsonArray& others = *b.as_array();
    if (items->size() != others.size()) return false;
    for (size_t i = 0; i < items->size(); ++i) {
      if (!json_equal((*items)[i], others[i])) return false;
    }
    return true;
  }
  if (const JsonObject* members = a.as_object()) {
    if (members->size() != b.as_object()->size()) return false;
    for (const auto& [key, value] : *members) {
      const Json* other = b.find(key);
      if (other == nullptr || !json_equal(value, *other)) return false;
    }
    return true;
  }
  if (const bool* flag = a.as_bool()) return *flag == *b.as_bool();
  if (const std::string* text = a.as_string()) return *text == *b.as_string();
  return true;  // both null
}

Result<void> check_neutral(std::string_view name, const Json& value, std::string_view values) {
  const Result<Json> neutral = parse_json(values, {});
  CHECK_NOTE(neutral.ok() && neutral->as_array() != nullptr,
             "a field table's neutral values are no JSON array");
  for (const Json& one : *neutral->as_array()) {
    if (json_equal(value, one)) return {};
  }
  std::string message = std::string(name) + " is not supported";
  if (!neutral->as_array()->empty())
    message += "; only its neutral value is accepted: one of " + std::string(values);
  return Error{ErrorCode::kUnsupported, message, std::string(name)};
}

Result<void> meet_unknown_field(std::string_view name, const FieldContext& context,
                                std::vector<std::string>* ignored) {
  if (context.options.unknown_fields == UnknownFields::kWarn) {
    ignored->emplace_back(name);
    return {};
  }
  constexpr size_t kShownBytesMax = 100;
  const std::string shown(name.substr(0, kShownBytesMax));
  return Error{ErrorCode::kUnsupported,
               "unknown field " + shown + " (hussar refuses what it would otherwise drop in silence)", shown};
}

void add_ignored_fields_header(const std::vector<std::string>& names, std::vector<HttpHeader>* headers) {
  if (names.empty()) return;
  constexpr size_t kBytesMax = 2000;
  std::string list;
  for (const std::string& name : names) {
    if (!list.empty()) list += ", ";
    for (const char c : name)
      list += c > 0x20 && c < 0x7f && c != ',' ? c : '?';  // a header holds printable ASCII
    if (list.size() > kBytesMax) {
      list.resize(kBytesMax);
      list += "...";
      break;
    }
  }
  headers->push_back({"X-Hussar-Ignored-Fields", list});
}

}  // namespace hussar
