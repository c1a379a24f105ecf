#include "bench/article/json_answer.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "bench/article/text_units.h"

namespace hussar {
namespace {

constexpr JsonLimits kLimits{.bytes_max = 1 << 20, .depth_max = 64};
constexpr int kObjectsTriedMax = 32;  // how many '{' of a long answer are looked at
constexpr std::string_view kSpaces = " \t\r\n";
constexpr size_t kShownBytesMax = 60;

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

void add_fault(AnswerFault fault, const std::string& detail, AnswerVerdict* verdict) {
  verdict->faults |= 1u << static_cast<int>(fault);
  if (verdict->detail.empty()) verdict->detail = detail;
}

std::string quoted(std::string_view text) { return "\"" + excerpt(text, kShownBytesMax) + "\""; }

// The end of the object that begins at `begin`, behind its closing brace; npos where it has none.
size_t object_end(std::string_view text, size_t begin) {
  int64_t depth = 0;
  bool in_string = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// A JSON document within an answer, and where in it.
struct Found {
  Json json;
  size_t begin = 0, end = 0;
};

std::optional<Found> find_object(std::string_view text) {
  size_t begin = 0;
  for (int tried = 0; tried < kObjectsTriedMax; ++tried, ++begin) {
    begin = text.find('{', begin);
    if (begin == std::string_view::npos) return std::nullopt;
    const size_t end = object_end(text, begin);
    if (end == std::string_view::npos) continue;
    auto json = parse_json(text.substr(begin, end - begin), kLimits);
    if (json.ok()) return Found{std::move(*json), begin, end};
  }
  return std::nullopt;
}

// The content of the first fence that is JSON; begin and end enclose the fence's own lines.
std::optional<Found> find_fenced(std::string_view text) {
  constexpr std::string_view kFence = "```";
  size_t open = text.find(kFence);
  while (open != std::string_view::npos) {
    const size_t line_end = text.find('\n', open);
    if (line_end == std::string_view::npos) return std::nullopt;
    const size_t close = text.find(kFence, line_end + 1);
    const size_t content_end = std::min(close, text.size());  // an unclosed fence reaches to the end
    auto json = parse_json(trim(text.substr(line_end + 1, content_end - line_end - 1)), kLimits);
    const size_t end = close == std::string_view::npos ? text.size() : close + kFence.size();
    if (json.ok()) return Found{std::move(*json), open, end};
    open = close;
  }
  return std::nullopt;
}

// The document of an answer; notes how the answer falls short of being nothing else.
std::optional<Json> extract(std::string_view answer, AnswerVerdict* verdict) {
  auto whole = parse_json(answer, kLimits);
  verdict->legal = verdict->legal_inside = whole.ok();
  if (whole.ok()) return std::move(*whole);
  auto found = find_fenced(answer);
  const bool fenced = found.has_value();
  if (!fenced) found = find_object(answer);
  if (!found) {
    add_fault(AnswerFault::kSyntax, answer.empty() ? "the answer is empty" : whole.error().message, verdict);
    return std::nullopt;
  }
  verdict->legal_inside = true;
  const std::string_view before = trim(answer.substr(0, found->begin)),
                         behind = trim(answer.substr(found->end));
  if (!before.empty() || !behind.empty()) {
    add_fault(AnswerFault::kExtraText,
              before.empty() ? "behind the JSON: " + quoted(behind) : "before the JSON: " + quoted(before),
              verdict);
  }
  if (fenced) add_fault(AnswerFault::kFence, "the JSON stands in a ``` fence", verdict);
  return std::move(found->json);
}

// "Full_Name", "full name" and "fullName" are one name.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == '_' || c == '-' || c == ' ') continue;
    plain.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return plain;
}

bool is_lower_case_english(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool means_field(const JsonField& field, std::string_view name) {
  const std::string plain = plain_name(name);
  return plain == plain_name(field.name) ||
         std::any_of(field.other_names.begin(), field.other_names.end(),
                     [&](const std::string& other) { return plain == plain_name(other); });
}

bool same_strings(const JsonArray& a, const JsonArray& b) {
  std::vector<std::string_view> left, right;
  for (const Json& item : a) left.push_back(item.as_string() ? trim(*item.as_string()) : "");
  for (const Json& item : b) right.push_back(item.as_string() ? trim(*item.as_string()) : "");
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  return left == right;
}

// Numbers by their value, strings but for spaces around them, lists in any order.
bool same_value(const Json& expected, const Json& got) {
  double a = 0, b = 0;
  if (expected.as_number(&a))
    return got.as_number(&b) && std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(a));
  if (expected.as_string()) return got.as_string() && trim(*expected.as_string()) == trim(*got.as_string());
  if (expected.as_bool()) return got.as_bool() && *expected.as_bool() == *got.as_bool();
  if (expected.as_array()) return got.as_array() && same_strings(*expected.as_array(), *got.as_array());
  return false;
}

bool has_accepted_value(const JsonField& field, const Json& got) {
  return std::any_of(field.accepted.begin(), field.accepted.end(),
                     [&](const Json& accepted) { return same_value(accepted, got); });
}

bool is_number_text(std::string_view text) {
  const auto json = parse_json(trim(text), kLimits);
  double number = 0;
  return json.ok() && json->as_number(&number);
}

bool has_type(FieldType type, const Json& json) {
  double number = 0;
  switch (type) {
    case FieldType::kString:
      return json.as_string() != nullptr;
    case FieldType::kInteger:  // 32.0 is an integer, as in JSON Schema
      return json.as_number(&number) && number == std::floor(number);
    case FieldType::kNumber:
      return json.as_number(&number);
    case FieldType::kBoolean:
      return json.as_bool() != nullptr;
    case FieldType::kStringList: {
      const JsonArray* list = json.as_array();
      return list != nullptr && std::all_of(list->begin(), list->end(),
                                            [](const Json& item) { return item.as_string() != nullptr; });
    }
  }
  return false;
}

// REQUIRES: the type is wrong.
AnswerFault type_fault(FieldType type, const Json& got) {
  const std::string* text = got.as_string();
  if (text && type == FieldType::kStringList) return AnswerFault::kArrayAsString;
  const bool number = type == FieldType::kInteger || type == FieldType::kNumber;
  if (text && number && is_number_text(*text)) return AnswerFault::kNumberInQuotes;
  return AnswerFault::kWrongType;
}

// The members of an object that are no field under its own name, taken away one by one.
using Members = std::vector<const std::pair<std::string, Json>*>;

const Json* take(Members* members, size_t index) {
  const Json* value = &(*members)[index]->second;
  members->erase(members->begin() + static_cast<ptrdiff_t>(index));
  return value;
}

const Json* take_by_other_name(const JsonField& field, Members* members, std::string* name) {
  // By what the member is called, else by what it says; that a flag is set says nothing of which flag it is.
  for (const bool by_value : {false, true}) {
    if (by_value && field.type == FieldType::kBoolean) break;
    for (size_t i = 0; i < members->size(); ++i) {
      const auto& [key, value] = *(*members)[i];
      if (!(by_value ? has_accepted_value(field, value) : means_field(field, key))) continue;
      *name = key;
      return take(members, i);
    }
  }
  return nullptr;
}

void judge_value(const JsonField& field, const Json& got, AnswerVerdict* verdict) {
  if (!has_type(field.type, got)) {
    const std::string kind(got.type_name());
    add_fault(type_fault(field.type, got), quoted(field.name) + " is of type " + kind, verdict);
    verdict->types_right = verdict->values_right = false;
  } else if (!has_accepted_value(field, got)) {
    add_fault(AnswerFault::kWrongValue,
              quoted(field.name) + " is " + excerpt(write_json(got), kShownBytesMax), verdict);
    verdict->values_right = false;
  }
}

void judge_field(const JsonTask& task, const JsonField& field, const Json* got, Members* others,
                 AnswerVerdict* verdict) {
  std::string name = field.name;
  if (got == nullptr) got = take_by_other_name(field, others, &name);
  if (got == nullptr) {
    add_fault(AnswerFault::kMissingField, "there is no " + quoted(field.name), verdict);
    verdict->complete = verdict->types_right = verdict->values_right = false;
    return;
  }
  if (name != field.name) {
    if (!task.names_keys && is_lower_case_english(name)) {
      verdict->renamed = true;
    } else {
      add_fault(AnswerFault::kWrongName, quoted(field.name) + " is called " + quoted(name), verdict);
      verdict->complete = verdict->types_right = verdict->values_right = false;
    }
  }
  judge_value(field, *got, verdict);
}

}  // namespace

std::string_view answer_fault_name(AnswerFault fault) {
  static constexpr std::string_view kNames[kAnswerFaultCount] = {
      "syntax",      "extra_text", "fence",           "missing_field",    "wrong_name",
      "extra_field", "wrong_type", "array_as_string", "number_in_quotes", "wrong_value"};
  return kNames[static_cast<int>(fault)];
}

AnswerVerdict judge_answer(const JsonTask& task, std::string_view answer) {
  AnswerVerdict verdict;
  const std::optional<Json> json = extract(trim(answer), &verdict);
  if (!json) return verdict;
  const JsonObject* object = json->as_object();
  if (object == nullptr) {
    add_fault(AnswerFault::kWrongType,
              "the answer is of type " + std::string(json->type_name()) + ", no object", &verdict);
    return verdict;
  }
  verdict.complete = verdict.types_right = verdict.values_right = true;
  // Names as they should be come first, so that no synonym takes a member that belongs to another field.
  Members others;
  for (const auto& member : *object) {
    const bool known = std::any_of(task.fields.begin(), task.fields.end(),
                                   [&](const JsonField& field) { return field.name == member.first; });
    if (!known) others.push_back(&member);
  }
  for (const JsonField& field : task.fields) {
    judge_field(task, field, json->find(field.name), &others, &verdict);
  }
  if (!others.empty()) {
    add_fault(AnswerFault::kExtraField, "nobody asked for " + quoted(others.front()->first), &verdict);
  }
  return verdict;
}

JsonObject schema_of(const JsonTask& task) {
  JsonObject properties;
  JsonArray required;
  for (const JsonField& field : task.fields) {
    JsonObject type;
    switch (field.type) {
      case FieldType::kString:
        type = {{"type", "string"}};
        break;
      case FieldType::kInteger:
        type = {{"type", "integer"}};
        break;
      case FieldType::kNumber:
        type = {{"type", "number"}};
        break;
      case FieldType::kBoolean:
        type = {{"type", "boolean"}};
        break;
      case FieldType::kStringList:
        type = {{"type", "array"}, {"items", JsonObject{{"type", "string"}}}};
        break;
    }
    properties.emplace_back(field.name, std::move(type));
    required.emplace_back(field.name);
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", std::move(required)},
          {"additionalProperties", false}};
}

}  // namespace hussar
