// The parts of JSON texts as rules of a grammar: white space, strings and numbers of an automaton's language,
// constants.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/json.h"
#include "grammar/grammar_rules.h"
#include "grammar/string_automaton.h"

namespace hussar {

class JsonRules {
 public:
  using Expression = GrammarRules::Expression;

  GrammarRules& rules() { return rules_; }
  const GrammarRules& rules() const { return rules_; }

  // Between two tokens: nothing, one blank, or a line break and an indent.
  Expression space();
  // With quotes. A character has one spelling, the shortest, in a string of an automaton; any in the others.
  Expression string_of(const StringAutomaton& automaton);
  // With a `max` (-1: none) of more than kCountedMax, an escape counts as the characters it is written with;
  // it may be one too many then, but never one too few.
  Expression string_of_length(int32_t min, int32_t max);
  static constexpr int32_t kCountedMax = 24;
  // States of strings that many characters lead on from: what a compiler spends its time on.
  int32_t open_states() const { return open_states_; }
  // The automaton's strings as they are: spellings of numbers.
  Expression text_of(const StringAutomaton& automaton);
  Expression any_number();
  Expression any_integer();
  Expression constant(const Json& value) { return rules_.literal(write_json(value)); }

 private:
  Expression once(std::optional<GrammarRules::Rule>* rule, Expression (JsonRules::*make)());
  Expression make_space();
  Expression make_character();
  Expression make_special();
  Expression make_string_rest();
  Expression string_rest();
  Expression make_characters();
  Expression make_number();
  Expression make_integer();
  Expression escapes();
  Expression spelled(const CodePointSet& set);
  Expression states_of(const StringAutomaton& automaton, std::string_view end, bool in_json);

  GrammarRules rules_;
  int32_t open_states_ = 0;
  std::optional<GrammarRules::Rule> space_, character_, special_, string_rest_, characters_, number_,
      integer_;
};

}  // namespace hussar
