// Deterministic automata over code points: the language of a string (or of a number's spelling). Patterns,
// lengths and lists of words become automata, which can be intersected, united and subtracted exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/code_point_set.h"

namespace hussar {

class StringAutomaton {
 public:
  struct Edge {
    CodePointRange range;
    int32_t target = 0;
    bool operator==(const Edge&) const = default;
  };
  struct State {
    bool accepts = false;
    std::vector<Edge> edges;  // by range, disjoint; a character without an edge leads nowhere
  };

  // Accepts nothing.
  StringAutomaton() : states_(1) {}
  // REQUIRES: edges sorted and disjoint, targets within `states`; state 0 is the start. Reduced to its
  // smallest form.
  explicit StringAutomaton(std::vector<State> states);

  static StringAutomaton all();
  static StringAutomaton words(const std::vector<std::string>& words);
  // Strings of `min` to `max` (-1: any number of) code points.
  static StringAutomaton lengths(int32_t min, int32_t max);

  const std::vector<State>& states() const { return states_; }
  bool empty() const { return states_.size() == 1 && !states_[0].accepts && states_[0].edges.empty(); }
  bool matches(std::string_view text) const;

  enum class Operation { kAnd, kOr, kMinus };
  // Nothing when the result needs more than `states_max` states.
  static std::optional<StringAutomaton> combine(const StringAutomaton& a, const StringAutomaton& b,
                                                Operation operation, int32_t states_max);

  bool operator==(const StringAutomaton& other) const;

 private:
  void reduce();
  std::vector<State> states_;
};

}  // namespace hussar
