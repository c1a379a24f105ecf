// What an answer is to be held to, as plain text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hussar {

enum class GrammarKind : uint8_t {
  kJsonObject,  // any JSON object
  kJsonSchema,  // a JSON value that fits the schema `text`
  kRegex,       // a text that the regular expression `text` matches as a whole
  kChoice,      // one of `choices`
  kEbnf,        // a text of the grammar `text`, whose first rule is called root
};

struct GrammarSpec {
  GrammarKind kind = GrammarKind::kJsonObject;
  std::string text;
  std::vector<std::string> choices;

  friend bool operator==(const GrammarSpec&, const GrammarSpec&) = default;
};

}  // namespace hussar
