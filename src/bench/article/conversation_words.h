// What conversations talk about: kinds of facts with their sentences, and questions of no importance.
#pragma once

#include <span>
#include <string_view>

namespace hussar {

// "{}" in a sentence stands for the value.
struct FactKind {
  std::string_view plant, change, ask, ask_again;
  std::span<const std::string_view> values;  // '|' between spellings; none contains another
};

struct ConversationWords {
  std::span<const FactKind> kinds;
  std::span<const std::string_view> fillers;  // none mentions a value
};

// REQUIRES: language is "en" or "zh".
const ConversationWords& conversation_words(std::string_view language);

}  // namespace hussar
