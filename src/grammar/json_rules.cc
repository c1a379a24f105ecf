#include "grammar/json_rules.h"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace hussar {
namespace {

constexpr int32_t kIndentMax = 32;

CodePointSet range(char first, char last) {
  return CodePointSet({{static_cast<uint8_t>(first), static_cast<uint8_t>(last)}});
}
CodePointSet must_be_escaped() { return CodePointSet({{0, 0x1f}, {'"', '"'}, {'\\', '\\'}}); }
CodePointSet as_it_is() { return must_be_escaped().complement(); }
CodePointSet digit() { return range('0', '9'); }
CodePointSet hex_digit() { return CodePointSet({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}); }

std::string escaped(uint32_t code) {
  static constexpr std::string_view kCodes = "\b\f\n\r\t\"\\";
  static constexpr std::string_view kNames = "bfnrt\"\\";
  if (const size_t i = kCodes.find(static_cast<char>(code)); i != std::string_view::npos) {
    return std::string("\\") + kNames[i];
  }
  char text[8];
  std::snprintf(text, sizeof(text), "\\u%04x", code);
  return text;
}

// A state that each character leads back to.
bool allows_everything(const StringAutomaton::State& state, int32_t number) {
  std::vector<CodePointRange> ranges;
  for (const StringAutomaton::Edge& edge : state.edges) {
    if (edge.target == number) ranges.push_back(edge.range);
  }
  return state.accepts && CodePointSet(std::move(ranges)) == CodePointSet::all();
}

}  // namespace

GrammarRules::Expression JsonRules::once(std::optional<GrammarRules::Rule>* rule,
                                         Expression (JsonRules::*make)()) {
  if (!*rule) {
    *rule = rules_.add_rule();
    const Expression body = (this->*make)();
    rules_.define(**rule, body);
  }
  return rules_.reference(**rule);
}

GrammarRules::Expression JsonRules::space() { return once(&space_, &JsonRules::make_space); }
GrammarRules::Expression JsonRules::any_number() { return once(&number_, &JsonRules::make_number); }
GrammarRules::Expression JsonRules::any_integer() { return once(&integer_, &JsonRules::make_integer); }

GrammarRules::Expression JsonRules::make_space() {
  return rules_.choice({GrammarRules::kEmpty, rules_.literal(" "),
                        rules_.sequence({rules_.literal("\n"),
                                         rules_.repeat(rules_.chars(CodePointSet({{'\t', '\t'}, {' ', ' '}})),
                                                       0, kIndentMax)})});
}

// Behind a backslash. Surrogates are left out: half of a pair is no character, and a pair is written as it
// is.
GrammarRules::Expression JsonRules::escapes() {
  const Expression hex = rules_.chars(hex_digit());
  const CodePointSet not_d = CodePointSet({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}});
  const Expression first_two =
      rules_.choice({rules_.sequence({rules_.chars(not_d), hex}),
                     rules_.sequence({rules_.chars(CodePointSet({{'D', 'D'}, {'d', 'd'}})),
                                      rules_.chars(range('0', '7'))})});
  const CodePointSet names(
      {{'"', '"'}, {'/', '/'}, {'\\', '\\'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}});
  return rules_.choice({rules_.chars(names), rules_.sequence({rules_.literal("u"), first_two, hex, hex})});
}

GrammarRules::Expression JsonRules::make_character() {
  return rules_.choice({rules_.chars(as_it_is()), rules_.sequence({rules_.literal("\\"), escapes()})});
}

// Any of those that can't stand as they are.
GrammarRules::Expression JsonRules::make_special() {
  const CodePointSet names(
      {{'"', '"'}, {'\\', '\\'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}});
  const Expression code =
      rules_.sequence({rules_.literal("u00"), rules_.chars(range('0', '1')), rules_.chars(hex_digit())});
  return rules_.sequence({rules_.literal("\\"), rules_.choice({rules_.chars(names), code})});
}

// The closing quote belongs to the rule: one that could end after each character would be slow to match.
GrammarRules::Expression JsonRules::make_string_rest() {
  const Expression again = rules_.reference(*string_rest_);
  return rules_.choice({rules_.literal("\""), rules_.sequence({rules_.chars(as_it_is()), again}),
                        rules_.sequence({rules_.literal("\\"), escapes(), again})});
}

GrammarRules::Expression JsonRules::make_characters() {
  const Expression again = rules_.reference(*characters_);
  return rules_.choice({GrammarRules::kEmpty, rules_.sequence({rules_.chars(as_it_is()), again}),
                        rules_.sequence({rules_.literal("\\"), escapes(), again})});
}

GrammarRules::Expression JsonRules::make_integer() {
  const Expression sign = rules_.repeat(rules_.literal("-"), 0, 1);
  return rules_.choice({rules_.literal("0"), rules_.sequence({sign, rules_.chars(range('1', '9')),
                                                              rules_.repeat(rules_.chars(digit()), 0, -1)})});
}

// Two digits of an exponent at most: more soon leave what a double can hold.
GrammarRules::Expression JsonRules::make_number() {
  const Expression digits = rules_.repeat(rules_.chars(digit()), 0, -1);
  const Expression whole =
      rules_.choice({rules_.literal("0"), rules_.sequence({rules_.chars(range('1', '9')), digits})});
  const Expression fraction = rules_.sequence({rules_.literal("."), rules_.chars(digit()), digits});
  const Expression exponent =
      rules_.sequence({rules_.chars(CodePointSet({{'E', 'E'}, {'e', 'e'}})),
                       rules_.repeat(rules_.chars(CodePointSet({{'+', '+'}, {'-', '-'}})), 0, 1),
                       rules_.repeat(rules_.chars(digit()), 1, 2)});
  return rules_.sequence({rules_.repeat(rules_.literal("-"), 0, 1), whole, rules_.repeat(fraction, 0, 1),
                          rules_.repeat(exponent, 0, 1)});
}

GrammarRules::Expression JsonRules::string_rest() {
  return once(&string_rest_, &JsonRules::make_string_rest);
}

// Counts characters by a rule for each while they are few, by the compiler's own counter beyond that: a
// repetition of either would cost it a second, or each token of the answer some 50 ms.
GrammarRules::Expression JsonRules::string_of_length(int32_t min, int32_t max) {
  const Expression quote = rules_.literal("\"");
  const bool counted = max >= 0 && max <= kCountedMax;
  Expression tail = string_rest();
  if (max > kCountedMax && max > min) {
    // The rule of the compiler's counter must be able to end after each character, and so the quote stands
    // outside.
    const Expression characters = once(&characters_, &JsonRules::make_characters);
    const Expression body =
        rules_.choice({GrammarRules::kEmpty, rules_.sequence({rules_.chars(as_it_is()), characters}),
                       rules_.sequence({rules_.literal("\\"), escapes(), characters})});
    tail = rules_.sequence({rules_.reference(rules_.add_limited_rule(body, max - min)), quote});
  }
  const int32_t last = counted || max == min ? max : min;
  if (last == max) tail = quote;
  for (int32_t length = last - 1; length >= 0; --length) {
    ++open_states_;
    const Expression character = once(&character_, &JsonRules::make_character);
    const Expression more = rules_.sequence({character, tail});
    const GrammarRules::Rule rule = rules_.add_rule();
    rules_.define(rule, length >= min ? rules_.choice({quote, more}) : more);
    tail = rules_.reference(rule);
  }
  return rules_.sequence({quote, tail});
}

// A character of `set`, as a JSON string spells it.
GrammarRules::Expression JsonRules::spelled(const CodePointSet& set) {
  if (set == CodePointSet::all()) return once(&character_, &JsonRules::make_character);
  std::vector<Expression> options{rules_.chars(set.intersected(as_it_is()))};
  const CodePointSet special = set.intersected(must_be_escaped());
  if (special == must_be_escaped()) {
    options.push_back(once(&special_, &JsonRules::make_special));
    return rules_.choice(std::move(options));
  }
  for (const CodePointRange& part : special.ranges()) {
    for (uint32_t code = part.first; code <= part.last; ++code)
      options.push_back(rules_.literal(escaped(code)));
  }
  return rules_.choice(std::move(options));
}

// One rule a state: the text from there to the end.
GrammarRules::Expression JsonRules::states_of(const StringAutomaton& automaton, std::string_view end,
                                              bool in_json) {
  constexpr uint32_t kManyCharacters = 128;
  std::vector<GrammarRules::Rule> rules;
  for (size_t i = 0; i < automaton.states().size(); ++i) rules.push_back(rules_.add_rule());
  for (size_t i = 0; i < rules.size(); ++i) {
    const StringAutomaton::State& state = automaton.states()[i];
    if (in_json && allows_everything(state, static_cast<int32_t>(i))) {
      rules_.define(rules[i], string_rest());  // one rule for all such states of all strings
      continue;
    }
    if (!state.edges.empty() && state.edges.back().range.last >= kManyCharacters) ++open_states_;
    std::vector<Expression> options;
    if (state.accepts) options.push_back(rules_.literal(end));
    std::vector<std::pair<int32_t, std::vector<CodePointRange>>> by_target;
    for (const StringAutomaton::Edge& edge : state.edges) {
      auto it = by_target.begin();
      while (it != by_target.end() && it->first != edge.target) ++it;
      if (it == by_target.end()) it = by_target.insert(it, {edge.target, {}});
      it->second.push_back(edge.range);
    }
    for (auto& [target, ranges] : by_target) {
      const CodePointSet set(std::move(ranges));
      const Expression character = in_json ? spelled(set) : rules_.chars(set);
      const StringAutomaton::State& next = automaton.states()[target];
      const bool ends = next.accepts && next.edges.empty();
      options.push_back(
          rules_.sequence({character, ends ? rules_.literal(end) : rules_.reference(rules[target])}));
    }
    rules_.define(rules[i], rules_.choice(std::move(options)));
  }
  return rules_.reference(rules[0]);
}

GrammarRules::Expression JsonRules::string_of(const StringAutomaton& automaton) {
  if (automaton == StringAutomaton::all()) return string_of_length(0, -1);
  return rules_.sequence({rules_.literal("\""), states_of(automaton, "\"", true)});
}

GrammarRules::Expression JsonRules::text_of(const StringAutomaton& automaton) {
  return states_of(automaton, "", false);
}

}  // namespace hussar
