// Arrays of which some items must satisfy `contains`: a rule for each place and each set of counts.
#include <algorithm>
#include <map>

#include "grammar/schema_emitter.h"

namespace hussar {
namespace {

constexpr size_t kContainsMax = 3;  // that are counted at the same time
constexpr int64_t kStatesMax = 2'000;

// How far a count matters.
int64_t counted(const ArrayFacet::Contains& contains) {
  return contains.max < 0 ? contains.min : contains.max;
}

// From which item on all places are alike.
int64_t places(const ArrayFacet& facet) {
  int64_t places = std::max(facet.min, facet.max);
  for (const ArrayFacet::Layer& layer : facet.layers) {
    places = std::max(places, static_cast<int64_t>(layer.prefix.size()));
  }
  for (const ArrayFacet::Contains& contains : facet.contains) places = std::max(places, contains.from);
  return std::max<int64_t>(places, 1);
}

}  // namespace

bool SchemaEmitter::is_countable(const ArrayFacet& facet) {
  if (facet.contains.size() > kContainsMax) return false;
  int64_t states = places(facet) + 1;
  for (const ArrayFacet::Contains& contains : facet.contains) {
    if (counted(contains) > kStatesMax) return false;
    states *= counted(contains) + 1;
    if (states > kStatesMax) return false;
    if (contains.max >= 0 && !expander_.can_expand(negated(contains.item))) return false;
  }
  return true;
}

GrammarRules::Expression SchemaEmitter::counted_array(const ArrayFacet& facet) {
  struct State {
    int64_t place = 0;
    std::vector<int64_t> counts;
    auto operator<=>(const State&) const = default;
  };
  const size_t kinds = facet.contains.size();
  const int64_t last_place = places(facet);
  const Expression space = json_.space();
  std::map<State, Rule> known;
  std::vector<State> todo;
  const auto rule_of_state = [&](const State& state) {
    const auto [it, added] = known.try_emplace(state, -1);
    if (added) {
      it->second = json_.rules().add_rule();
      todo.push_back(state);
    }
    return json_.rules().reference(it->second);
  };
  const Expression start = rule_of_state({0, std::vector<int64_t>(kinds, 0)});
  while (!todo.empty()) {
    const State state = todo.back();
    todo.pop_back();
    bool may_end = state.place >= facet.min;
    uint32_t open = 0;  // kinds for which it matters whether the next item is one
    for (size_t k = 0; k < kinds; ++k) {
      const ArrayFacet::Contains& contains = facet.contains[k];
      may_end &= state.counts[k] >= contains.min;
      const bool matters = contains.max >= 0 || state.counts[k] < contains.min;
      if (state.place >= contains.from && matters) open |= 1U << k;
    }
    std::vector<Expression> options;
    if (may_end) options.push_back(sequence({space, text("]")}));
    for (uint32_t set = 0; set < (1U << kinds); ++set) {
      if ((set & ~open) != 0 || (facet.max >= 0 && state.place >= facet.max)) continue;
      State next{std::min(state.place + 1, last_place), state.counts};
      SchemaGoal refs = SchemaExpander::item_goal(facet, static_cast<size_t>(state.place));
      bool fits = true;
      for (size_t k = 0; k < kinds; ++k) {
        const ArrayFacet::Contains& contains = facet.contains[k];
        if ((set >> k & 1) != 0) {
          refs.push_back(contains.item);
          ++next.counts[k];
          fits &= contains.max < 0 || next.counts[k] <= contains.max;
        } else if ((open >> k & 1) != 0 && contains.max >= 0) {
          refs.push_back(negated(contains.item));
        }
      }
      if (!fits) continue;
      const Expression item = value(goal_of(std::move(refs)));
      options.push_back(
          sequence({state.place > 0 ? text(",") : GrammarRules::kEmpty, space, item, rule_of_state(next)}));
    }
    json_.rules().define(known.at(state), choice(std::move(options)));
  }
  return sequence({text("["), start});
}

}  // namespace hussar
