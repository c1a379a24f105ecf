#include "grammar/regex_automaton.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grammar/pattern_tree.h"

namespace hussar {
namespace {

using Kind = PatternNode::Kind;

Error too_large(const RegexLimits& limits) {
  return Error{ErrorCode::kTooLarge,
               "the pattern needs an automaton of more than " + std::to_string(limits.states_max) + " states",
               ""};
}

// Thompson's construction. A state is a list of moves: on a character of a set, or free, perhaps only at one
// end of the string.
class Nfa {
 public:
  enum class When { kChar, kFree, kAtBegin, kAtEnd };
  struct Move {
    When when = When::kFree;
    CodePointSet chars;
    int32_t target = 0;
  };

  explicit Nfa(size_t states_max) : states_max_(states_max) {}

  int32_t add_state() {
    states_.emplace_back();
    return static_cast<int32_t>(states_.size()) - 1;
  }
  void move(int32_t from, When when, const CodePointSet& chars, int32_t to) {
    states_[from].push_back({when, chars, to});
  }
  void free_move(int32_t from, int32_t to) { move(from, When::kFree, CodePointSet(), to); }
  const std::vector<Move>& moves(int32_t state) const { return states_[state]; }
  bool full() const { return states_.size() > states_max_; }
  bool saw_lookahead() const { return saw_lookahead_; }

  // Moves from `from` through `node`; where that ends. The work stops when the machine is full.
  int32_t add(const PatternNode& node, int32_t from) {
    if (full()) return from;
    switch (node.kind) {
      case Kind::kEmpty:
        return from;
      case Kind::kChar:
        return step(from, When::kChar, node.chars);
      case Kind::kBegin:
        return step(from, When::kAtBegin, CodePointSet());
      case Kind::kEnd:
        return step(from, When::kAtEnd, CodePointSet());
      case Kind::kSequence:
        for (const PatternNode& part : node.parts) from = add(part, from);
        return from;
      case Kind::kChoice: {
        const int32_t end = add_state();
        for (const PatternNode& part : node.parts)
          free_move(add(part, step(from, When::kFree, CodePointSet())), end);
        return end;
      }
      case Kind::kRepeat:
        return add_repeat(node, from);
      case Kind::kAhead:
      case Kind::kNotAhead:
        saw_lookahead_ = true;
        return from;
    }
    return from;
  }

 private:
  int32_t step(int32_t from, When when, const CodePointSet& chars) {
    const int32_t to = add_state();
    move(from, when, chars, to);
    return to;
  }

  int32_t add_repeat(const PatternNode& node, int32_t from) {
    const PatternNode& body = node.parts[0];
    for (int32_t i = 0; i < node.min && !full(); ++i) from = add(body, from);
    if (node.max < 0) {
      const int32_t loop = step(from, When::kFree, CodePointSet());
      free_move(add(body, loop), loop);
      return step(loop, When::kFree, CodePointSet());
    }
    const int32_t end = add_state();
    for (int32_t i = node.min; i < node.max && !full(); ++i) {
      free_move(from, end);
      from = add(body, step(from, When::kFree, CodePointSet()));
    }
    free_move(from, end);
    return end;
  }

  size_t states_max_;
  std::vector<std::vector<Move>> states_;
  bool saw_lookahead_ = false;
};

using StateSet = std::vector<int32_t>;  // sorted

// What free moves reach: those at the string's begin or end too where `at_begin`, `at_end` say so.
StateSet closure(const Nfa& nfa, StateSet states, bool at_begin, bool at_end) {
  std::set<int32_t> seen(states.begin(), states.end());
  while (!states.empty()) {
    const int32_t state = states.back();
    states.pop_back();
    for (const Nfa::Move& move : nfa.moves(state)) {
      const bool passes = move.when == Nfa::When::kFree || (at_begin && move.when == Nfa::When::kAtBegin) ||
                          (at_end && move.when == Nfa::When::kAtEnd);
      if (passes && seen.insert(move.target).second) states.push_back(move.target);
    }
  }
  return StateSet(seen.begin(), seen.end());
}

// Cuts the characters that leave `states` into ranges within which all go to the same states.
std::vector<std::pair<CodePointRange, StateSet>> leaving(const Nfa& nfa, const StateSet& states) {
  std::map<uint32_t, std::pair<StateSet, StateSet>>
      borders;  // code point: targets that begin, targets that end before it
  for (const int32_t state : states) {
    for (const Nfa::Move& move : nfa.moves(state)) {
      if (move.when != Nfa::When::kChar) continue;
      for (const CodePointRange& range : move.chars.ranges()) {
        borders[range.first].first.push_back(move.target);
        borders[range.last + 1].second.push_back(move.target);
      }
    }
  }
  std::vector<std::pair<CodePointRange, StateSet>> ranges;
  std::multiset<int32_t> open;
  uint32_t begin = 0;
  for (const auto& [code, border] : borders) {
    if (!open.empty())
      ranges.emplace_back(CodePointRange{begin, code - 1}, StateSet(open.begin(), open.end()));
    for (const int32_t target : border.second) open.erase(open.find(target));
    for (const int32_t target : border.first) open.insert(target);
    begin = code;
  }
  return ranges;
}

Result<StringAutomaton> determinize(const Nfa& nfa, int32_t start, int32_t accept,
                                    const RegexLimits& limits) {
  std::vector<StringAutomaton::State> states;
  // The string's first state alone may pass a '^', so it is never the same as a later one.
  std::map<std::pair<bool, StateSet>, int32_t> known;
  std::vector<std::pair<bool, StateSet>> sets;
  size_t work = 0;
  const auto number_of = [&](bool at_begin, StateSet set) {
    const auto [it, added] = known.try_emplace({at_begin, set}, static_cast<int32_t>(sets.size()));
    if (added) {
      work += set.size();
      sets.emplace_back(at_begin, std::move(set));
    }
    return it->second;
  };
  number_of(true, closure(nfa, {start}, true, false));
  for (size_t i = 0; i < sets.size(); ++i) {
    if (sets.size() > static_cast<size_t>(limits.states_max) ||
        work > 200 * static_cast<size_t>(limits.states_max)) {
      return too_large(limits);
    }
    const auto [at_begin, set] = sets[i];
    StringAutomaton::State state;
    const StateSet at_end = closure(nfa, set, at_begin, true);
    state.accepts = std::binary_search(at_end.begin(), at_end.end(), accept);
    for (auto& [range, targets] : leaving(nfa, set)) {
      state.edges.push_back({range, number_of(false, closure(nfa, std::move(targets), false, false))});
    }
    states.push_back(std::move(state));
  }
  return StringAutomaton(std::move(states));
}

Result<StringAutomaton> automaton_of(const PatternNode& node, RegexMatch match, const RegexLimits& limits) {
  Nfa nfa(8 * static_cast<size_t>(limits.states_max));
  const int32_t start = nfa.add_state();
  int32_t from = start;
  if (match == RegexMatch::kSearch) {
    nfa.move(start, Nfa::When::kChar, CodePointSet::all(), start);
    from = nfa.add_state();
    nfa.free_move(start, from);
  }
  const int32_t body_end = nfa.add(node, from);
  const int32_t accept = nfa.add_state();
  nfa.free_move(body_end, accept);
  if (match == RegexMatch::kSearch) nfa.move(accept, Nfa::When::kChar, CodePointSet::all(), accept);
  if (nfa.saw_lookahead()) {
    return Error{ErrorCode::kUnsupported, "a lookahead other than at the start of an anchored pattern", ""};
  }
  if (nfa.full()) return too_large(limits);
  return determinize(nfa, start, accept, limits);
}

// "^(?=a)(?!b)c": what stands before c is about the same place, the string's begin, so the languages are
// intersected.
Result<StringAutomaton> with_leading_lookaheads(const PatternNode& node, RegexMatch match,
                                                const RegexLimits& limits) {
  PatternNode rest = node;
  std::vector<PatternNode> ahead;
  if (node.kind == Kind::kSequence && !node.parts.empty() && node.parts[0].kind == Kind::kBegin) {
    while (rest.parts.size() > 1 &&
           (rest.parts[1].kind == Kind::kAhead || rest.parts[1].kind == Kind::kNotAhead)) {
      ahead.push_back(std::move(rest.parts[1]));
      rest.parts.erase(rest.parts.begin() + 1);
    }
  }
  ASSIGN_OR_RETURN(StringAutomaton automaton, automaton_of(rest, match, limits));
  for (PatternNode& look : ahead) {
    const bool wanted = look.kind == Kind::kAhead;
    PatternNode begin;
    begin.kind = Kind::kBegin;
    look.kind = Kind::kSequence;
    look.parts.insert(look.parts.begin(), begin);
    ASSIGN_OR_RETURN(const StringAutomaton condition, automaton_of(look, RegexMatch::kSearch, limits));
    std::optional<StringAutomaton> both = StringAutomaton::combine(
        automaton, condition, wanted ? StringAutomaton::Operation::kAnd : StringAutomaton::Operation::kMinus,
        limits.states_max);
    if (!both) return too_large(limits);
    automaton = std::move(*both);
  }
  return automaton;
}

}  // namespace

Result<StringAutomaton> regex_automaton(std::string_view pattern, RegexMatch match,
                                        const RegexLimits& limits) {
  if (pattern.size() > limits.bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 "the pattern is longer than " + std::to_string(limits.bytes_max) + " bytes", ""};
  }
  ASSIGN_OR_RETURN(const PatternNode node, parse_pattern(pattern));
  return with_leading_lookaheads(node, match, limits);
}

}  // namespace hussar
