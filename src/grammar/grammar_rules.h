// A context-free grammar under construction: rules over bytes, written out as EBNF for the compiler. What can
// never be finished is left out, so that the text has no dead ends, and the least bytes that finish it are
// known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/code_point_set.h"

namespace hussar {

class GrammarRules {
 public:
  using Expression = int32_t;
  using Rule = int32_t;
  static constexpr Expression kEmpty = 0;    // the empty text
  static constexpr Expression kNothing = 1;  // no text at all

  GrammarRules();

  Expression literal(std::string_view bytes);
  Expression chars(const CodePointSet& set);
  Expression sequence(std::vector<Expression> parts);
  Expression choice(std::vector<Expression> options);
  Expression repeat(Expression body, int32_t min, int32_t max);  // max -1: without bound
  Expression reference(Rule rule);

  // A rule that allows nothing until it is defined.
  Rule add_rule();
  void define(Rule rule, Expression body) { rules_[rule] = body; }
  // A rule that ends at the first place where it can, once its text has so many characters.
  Rule add_limited_rule(Expression body, int32_t characters_max);

  int32_t rule_count() const { return static_cast<int32_t>(rules_.size()); }
  int32_t expression_count() const { return static_cast<int32_t>(nodes_.size()); }

  struct Text {
    std::string ebnf;
    std::string shortest;
    int32_t rules = 0;        // that the start reaches
    int32_t expressions = 0;  // in them
  };
  // REQUIRES: every rule is defined. Nothing when `start` allows no finite text. The start is called `name`,
  // the others `name`_1, _2, ... `shortest` is left empty, and *shortest_bytes alone tells its size, when
  // that is over `shortest_bytes_max`.
  std::optional<Text> write(Rule start, std::string_view name, int64_t shortest_bytes_max,
                            int64_t* shortest_bytes) const;

 private:
  enum class Kind { kLiteral, kNothing, kChars, kSequence, kChoice, kRepeat, kReference };
  struct Node {
    Kind kind = Kind::kLiteral;
    std::string bytes;              // kLiteral
    CodePointSet set;               // kChars
    std::vector<Expression> parts;  // kSequence, kChoice; the body of kRepeat
    int32_t min = 0, max = 0;       // kRepeat
    Rule rule = -1;                 // kReference
  };
  // Of the shortest text: its bytes, then how many rules deep it is, so that following the least of both
  // ends.
  struct Cost {
    int64_t bytes = 0;
    int64_t depth = 0;
    auto operator<=>(const Cost&) const = default;
  };
  static constexpr int64_t kInfinite = int64_t{1} << 50;

  Expression add(Node node);
  Cost cost_of(Expression expression, const std::vector<Cost>& costs) const;
  std::vector<Cost> rule_costs() const;
  void references_of(Expression expression, std::vector<Rule>* rules) const;
  std::string shortest_text(Rule start, const std::vector<Cost>& costs) const;
  class Writer;

  std::vector<Node> nodes_;
  std::vector<Expression> rules_;
  std::vector<int32_t> characters_max_;  // of each rule; -1: any number
};

}  // namespace hussar
