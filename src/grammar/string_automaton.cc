#include "grammar/string_automaton.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/utf8.h"

namespace hussar {
namespace {

using State = StringAutomaton::State;
using Edge = StringAutomaton::Edge;

constexpr int32_t kNowhere = -1;
// Joining equal states takes time in the square of their number; a longer automaton stays as it is.
constexpr size_t kJoinedStatesMax = 400;

void add_edge(CodePointRange range, int32_t target, std::vector<Edge>* edges) {
  if (!edges->empty() && edges->back().target == target && edges->back().range.last + 1 == range.first) {
    edges->back().range.last = range.last;
  } else {
    edges->push_back({range, target});
  }
}

// States from which an accepting one can be reached.
std::vector<bool> living(const std::vector<State>& states) {
  std::vector<std::vector<int32_t>> from(states.size());
  std::vector<int32_t> work;
  std::vector<bool> alive(states.size(), false);
  for (size_t s = 0; s < states.size(); ++s) {
    for (const Edge& edge : states[s].edges) from[edge.target].push_back(static_cast<int32_t>(s));
    if (states[s].accepts) {
      alive[s] = true;
      work.push_back(static_cast<int32_t>(s));
    }
  }
  while (!work.empty()) {
    const int32_t state = work.back();
    work.pop_back();
    for (const int32_t s : from[state]) {
      if (alive[s]) continue;
      alive[s] = true;
      work.push_back(s);
    }
  }
  return alive;
}

// Edges of `state` with their targets replaced by classes, neighbours of one class joined.
std::vector<Edge> class_edges(const State& state, const std::vector<int32_t>& class_of) {
  std::vector<Edge> edges;
  for (const Edge& edge : state.edges) {
    if (class_of[edge.target] != kNowhere) add_edge(edge.range, class_of[edge.target], &edges);
  }
  return edges;
}

// What tells states apart while they are being joined: the class so far, and where their edges lead.
struct Signature {
  int32_t class_number = 0;
  std::vector<Edge> edges;
  bool operator==(const Signature&) const = default;
};

struct SignatureHash {
  size_t operator()(const Signature& signature) const {
    uint64_t hash = static_cast<uint64_t>(signature.class_number);
    const auto mix = [&](uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL + (hash >> 29); };
    for (const Edge& edge : signature.edges) {
      mix(edge.range.first);
      mix(edge.range.last);
      mix(static_cast<uint64_t>(edge.target));
    }
    return static_cast<size_t>(hash);
  }
};

// Walks the edges of two states side by side: visit(range, target of a, target of b), either of which may be
// nowhere.
template <typename Visit>
void for_each_common_range(const std::vector<Edge>& a, const std::vector<Edge>& b, Visit visit) {
  size_t i = 0;
  size_t j = 0;
  uint32_t next = 0;
  while (i < a.size() || j < b.size()) {
    const uint32_t begin_a = i < a.size() ? std::max(a[i].range.first, next) : UINT32_MAX;
    const uint32_t begin_b = j < b.size() ? std::max(b[j].range.first, next) : UINT32_MAX;
    const uint32_t begin = std::min(begin_a, begin_b);
    const bool in_a = begin_a == begin;
    const bool in_b = begin_b == begin;
    uint32_t last = UINT32_MAX;
    if (i < a.size()) last = std::min(last, in_a ? a[i].range.last : a[i].range.first - 1);
    if (j < b.size()) last = std::min(last, in_b ? b[j].range.last : b[j].range.first - 1);
    visit(CodePointRange{begin, last}, in_a ? a[i].target : kNowhere, in_b ? b[j].target : kNowhere);
    next = last + 1;
    if (i < a.size() && a[i].range.last < next) ++i;
    if (j < b.size() && b[j].range.last < next) ++j;
  }
}

}  // namespace

StringAutomaton::StringAutomaton(std::vector<State> states) : states_(std::move(states)) { reduce(); }

// Drops states that are dead or out of reach, joins those that accept the same (Moore's refinement) and
// numbers them in the order of a breadth-first walk, so that equal languages have equal automata unless they
// are long.
void StringAutomaton::reduce() {
  const std::vector<bool> alive = living(states_);
  std::vector<int32_t> class_of(states_.size());
  for (size_t s = 0; s < states_.size(); ++s) class_of[s] = !alive[s] ? kNowhere : states_[s].accepts ? 1 : 0;
  if (!alive[0]) {
    states_.assign(1, State{});
    return;
  }
  size_t classes = 0;
  if (states_.size() > kJoinedStatesMax) {
    for (size_t s = 0; s < states_.size(); ++s) {
      if (alive[s]) class_of[s] = static_cast<int32_t>(classes++);
    }
  }
  while (states_.size() <= kJoinedStatesMax) {
    std::unordered_map<Signature, int32_t, SignatureHash> known;
    std::vector<int32_t> refined(states_.size(), kNowhere);
    int32_t next = 0;
    for (size_t s = 0; s < states_.size(); ++s) {
      if (class_of[s] == kNowhere) continue;
      const auto [it, added] = known.try_emplace({class_of[s], class_edges(states_[s], class_of)}, next);
      if (added) ++next;
      refined[s] = it->second;
    }
    class_of = std::move(refined);
    if (static_cast<size_t>(next) == classes) break;
    classes = static_cast<size_t>(next);
  }
  std::vector<int32_t> member(classes, kNowhere);
  for (size_t s = 0; s < states_.size(); ++s) {
    if (class_of[s] != kNowhere) member[class_of[s]] = static_cast<int32_t>(s);
  }
  std::vector<int32_t> number(classes, kNowhere);
  std::vector<int32_t> order{class_of[0]};
  number[class_of[0]] = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    for (const Edge& edge : class_edges(states_[member[order[i]]], class_of)) {
      if (number[edge.target] != kNowhere) continue;
      number[edge.target] = static_cast<int32_t>(order.size());
      order.push_back(edge.target);
    }
  }
  std::vector<State> reduced;
  for (const int32_t id : order) {
    State state{states_[member[id]].accepts, class_edges(states_[member[id]], class_of)};
    for (Edge& edge : state.edges) edge.target = number[edge.target];
    reduced.push_back(std::move(state));
  }
  states_ = std::move(reduced);
}

StringAutomaton StringAutomaton::all() { return lengths(0, -1); }

StringAutomaton StringAutomaton::lengths(int32_t min, int32_t max) {
  std::vector<State> states;
  const CodePointSet any = CodePointSet::all();
  const int32_t last = max < 0 ? min : max;
  for (int32_t n = 0; n <= last; ++n) {
    State state{n >= min, {}};
    const bool loops = n == last;
    if (!loops || max < 0) {
      for (const CodePointRange& range : any.ranges()) state.edges.push_back({range, loops ? n : n + 1});
    }
    states.push_back(std::move(state));
  }
  return StringAutomaton(std::move(states));
}

StringAutomaton StringAutomaton::words(const std::vector<std::string>& words) {
  std::vector<State> states(1);
  std::vector<std::map<uint32_t, int32_t>> children(1);
  for (const std::string& word : words) {
    const std::string text = replace_invalid_utf8(word);
    int32_t at = 0;
    for (size_t offset = 0; offset < text.size();) {
      const uint32_t code = next_code_point(text, &offset);
      const auto [it, added] = children[at].try_emplace(code, static_cast<int32_t>(states.size()));
      at = it->second;
      if (added) {
        states.emplace_back();
        children.emplace_back();
      }
    }
    states[at].accepts = true;
  }
  for (size_t s = 0; s < states.size(); ++s) {
    for (const auto& [code, target] : children[s]) states[s].edges.push_back({{code, code}, target});
  }
  return StringAutomaton(std::move(states));
}

bool StringAutomaton::matches(std::string_view raw) const {
  const std::string text = replace_invalid_utf8(raw);
  int32_t at = 0;
  for (size_t offset = 0; offset < text.size();) {
    const uint32_t code = next_code_point(text, &offset);
    int32_t next = kNowhere;
    for (const Edge& edge : states_[at].edges) {
      if (code >= edge.range.first && code <= edge.range.last) next = edge.target;
    }
    if (next == kNowhere) return false;
    at = next;
  }
  return states_[at].accepts;
}

std::optional<StringAutomaton> StringAutomaton::combine(const StringAutomaton& a, const StringAutomaton& b,
                                                        Operation operation, int32_t states_max) {
  std::vector<State> states;
  std::map<std::pair<int32_t, int32_t>, int32_t> known;
  std::vector<std::pair<int32_t, int32_t>> pairs;
  const auto number_of = [&](int32_t in_a, int32_t in_b) {
    const auto [it, added] = known.try_emplace({in_a, in_b}, static_cast<int32_t>(pairs.size()));
    if (added) pairs.emplace_back(in_a, in_b);
    return it->second;
  };
  number_of(0, 0);
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs.size() > static_cast<size_t>(states_max)) return std::nullopt;
    const auto [in_a, in_b] = pairs[i];
    const bool accepts_a = in_a != kNowhere && a.states_[in_a].accepts;
    const bool accepts_b = in_b != kNowhere && b.states_[in_b].accepts;
    State state;
    state.accepts = operation == Operation::kAnd  ? accepts_a && accepts_b
                    : operation == Operation::kOr ? accepts_a || accepts_b
                                                  : accepts_a && !accepts_b;
    static const std::vector<Edge> none;
    for_each_common_range(
        in_a == kNowhere ? none : a.states_[in_a].edges, in_b == kNowhere ? none : b.states_[in_b].edges,
        [&](CodePointRange range, int32_t to_a, int32_t to_b) {
          const bool useful = operation == Operation::kAnd  ? to_a != kNowhere && to_b != kNowhere
                              : operation == Operation::kOr ? to_a != kNowhere || to_b != kNowhere
                                                            : to_a != kNowhere;
          if (useful) add_edge(range, number_of(to_a, to_b), &state.edges);
        });
    states.push_back(std::move(state));
  }
  return StringAutomaton(std::move(states));
}

bool StringAutomaton::operator==(const StringAutomaton& other) const {
  if (states_.size() != other.states_.size()) return false;
  for (size_t s = 0; s < states_.size(); ++s) {
    if (states_[s].accepts != other.states_[s].accepts || states_[s].edges != other.states_[s].edges)
      return false;
  }
  return true;
}

}  // namespace hussar
