// Judges a model's answer to a task that asks for JSON: is it JSON, is it complete, are its types and values
// right, and if not, what is wrong with it. The answer is foreign text: it is parsed within limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hussar {

enum class FieldType { kString, kInteger, kNumber, kBoolean, kStringList };

struct JsonField {
  std::string name;
  FieldType type = FieldType::kString;
  std::vector<Json> accepted;            // values that are right, the expected one first
  std::vector<std::string> other_names;  // what else a model may call it
};

struct JsonTask {
  std::string id;        // "person-zh"
  std::string language;  // "en" or "zh"
  std::string prompt;
  // False: the prompt does not say what the fields are called, so that another fitting English lower-case
  // name is a choice of the model's and no error.
  bool names_keys = true;
  std::vector<JsonField> fields;
};

// What can be wrong; an answer may be wrong in several ways.
enum class AnswerFault : uint8_t {
  kSyntax,     // no JSON in it
  kExtraText,  // words before or behind the JSON
  kFence,      // the JSON stands in a ``` fence, which no program asked for
  kMissingField,
  kWrongName,
  kExtraField,
  kWrongType,       // and what is wrong is neither of the next two
  kArrayAsString,   // "a, b" for ["a", "b"]
  kNumberInQuotes,  // "32" for 32
  kWrongValue,
};
inline constexpr int kAnswerFaultCount = 10;
std::string_view answer_fault_name(AnswerFault fault);  // "syntax", "extra_text", ...

struct AnswerVerdict {
  bool legal = false;         // the answer as it stands, but for spaces around it, is one JSON document
  bool legal_inside = false;  // there is a JSON document in it: bare, in a fence, or between other text
  bool complete = false;      // every field is there, under a name that was allowed
  bool types_right = false;   // complete, and every field has its type
  bool values_right = false;  // and its value
  bool renamed = false;       // names were chosen that the prompt leaves open
  uint32_t faults = 0;        // bit i: AnswerFault i
  std::string detail;         // what was found first, one line; empty when nothing is wrong

  bool has(AnswerFault fault) const { return faults >> static_cast<int>(fault) & 1; }
  bool ok() const { return faults == 0; }
};

AnswerVerdict judge_answer(const JsonTask& task, std::string_view answer);

// The task as a JSON Schema for `response_format`: its fields in order, all required, nothing else allowed.
JsonObject schema_of(const JsonTask& task);

}  // namespace hussar
