// Whether alternatives can hold at the same time, and whether one leaves any value at all.
#include <algorithm>

#include "grammar/schema_expander.h"

namespace hussar {
namespace {

constexpr int32_t kStatesMax = 400;  // of an automaton that is built only to see whether it is empty
constexpr int64_t kAutomatonWork = 30;
constexpr int64_t kItemsSeenMax = 8;

}  // namespace

std::optional<StringAutomaton> SchemaExpander::strings_of(const StringFacet& facet) {
  const int32_t states_max = limits_.pattern_states_max;
  StringAutomaton strings = StringAutomaton::all();
  if (facet.words) {
    size_t bytes = 0;
    for (const std::string& word : *facet.words) bytes += word.size();
    if (bytes > static_cast<size_t>(states_max)) return std::nullopt;
    return StringAutomaton::words(*facet.words);
  }
  for (const SharedAutomaton& automaton : facet.all) {
    std::optional<StringAutomaton> both =
        StringAutomaton::combine(strings, *automaton, StringAutomaton::Operation::kAnd, states_max);
    if (!both || !spend(static_cast<int64_t>(both->states().size()))) return std::nullopt;
    strings = std::move(*both);
  }
  for (const SharedAutomaton& automaton : facet.none) {
    std::optional<StringAutomaton> rest =
        StringAutomaton::combine(strings, *automaton, StringAutomaton::Operation::kMinus, states_max);
    if (!rest || !spend(static_cast<int64_t>(rest->states().size()))) return std::nullopt;
    strings = std::move(*rest);
  }
  if (facet.min == 0 && facet.max < 0) return strings;
  if (std::max(facet.min, facet.max) > states_max) return std::nullopt;
  return StringAutomaton::combine(
      strings, StringAutomaton::lengths(static_cast<int32_t>(facet.min), static_cast<int32_t>(facet.max)),
      StringAutomaton::Operation::kAnd, states_max);
}

std::optional<StringAutomaton> SchemaExpander::strings_of(const SchemaGoal& goal) {
  StringAutomaton strings;
  for (const Alternative& one : alternatives_of(goal)) {
    if ((one.types & Alternative::kString) == 0) continue;
    const std::optional<StringAutomaton> some = strings_of(one.string);
    if (!some) return std::nullopt;
    std::optional<StringAutomaton> both =
        StringAutomaton::combine(strings, *some, StringAutomaton::Operation::kOr, limits_.pattern_states_max);
    if (!both) return std::nullopt;
    strings = std::move(*both);
  }
  if (refusal_) return std::nullopt;
  return strings;
}

bool SchemaExpander::is_goal_impossible(const SchemaGoal& goal, int32_t depth) {
  if (goal.empty() || depth <= 0) return false;
  if (std::find(goal.begin(), goal.end(), kAllowNone) != goal.end()) return true;
  // A goal that is being worked out further up can't be asked about here.
  if (std::any_of(goal.begin(), goal.end(), [&](SchemaRef ref) { return open_.contains(ref); })) return false;
  std::optional<Alternatives> alternatives = attempt([&] {
    Alternatives all{Alternative()};
    for (const SchemaRef ref : goal) all = cross(all, expand(ref, Tracking::kNo), ref / 2);
    return all;
  });
  if (!alternatives) return false;
  return std::all_of(alternatives->begin(), alternatives->end(),
                     [&](Alternative& one) { return is_impossible(&one, depth - 1); });
}

// Drops the types of which nothing is left.
bool SchemaExpander::is_impossible(Alternative* one, int32_t depth) {
  const auto drop = [&](Alternative::Type type) { one->types &= static_cast<uint8_t>(~type); };
  const auto may_be = [&](Alternative::Type type) { return (one->types & type) != 0; };
  const NumberFacet& number = one->number;
  const bool bounded = !number.one_of && !number.unbounded();
  if (may_be(Alternative::kNumber) && bounded && spend(kAutomatonWork * (1 + number.demands()))) {
    const std::optional<StringAutomaton> spellings = number_automaton(number, kStatesMax);
    if (spellings && spellings->empty()) drop(Alternative::kNumber);
  }
  const StringFacet& string = one->string;
  const size_t demands = string.all.size() + string.none.size() + (string.min > 0 || string.max >= 0 ? 1 : 0);
  if (may_be(Alternative::kString) && demands > 1 && spend(kAutomatonWork)) {
    const std::optional<StringAutomaton> strings = strings_of(string);
    if (strings && strings->empty()) drop(Alternative::kString);
  }
  if (may_be(Alternative::kArray)) {
    for (int64_t i = 0; i < std::min(one->array.min, kItemsSeenMax); ++i) {
      if (!is_goal_impossible(item_goal(one->array, static_cast<size_t>(i)), depth)) continue;
      drop(Alternative::kArray);
      break;
    }
  }
  if (may_be(Alternative::kObject)) {
    for (const std::string& name : one->object.required) {
      if (!is_goal_impossible(value_goal(one->object, name), depth)) continue;
      drop(Alternative::kObject);
      break;
    }
  }
  return one->types == 0;
}

bool SchemaExpander::overlap(const Alternatives& a, const Alternatives& b) {
  constexpr int32_t kDepth = 3;
  for (const Alternative& one : a) {
    for (const Alternative& other : b) {
      if (!spend(1)) return true;
      if ((one.types & other.types) == 0) continue;
      Alternative both = one;
      both.intersect(other);
      if (both.types != 0 && !is_impossible(&both, kDepth)) return true;
    }
  }
  return false;
}

}  // namespace hussar
