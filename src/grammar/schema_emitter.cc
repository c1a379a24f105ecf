#include "grammar/schema_emitter.h"

#include <algorithm>

namespace hussar {
namespace {

std::string text_of(const Decimal& number) {
  std::string text = number.negative ? "-" : "";
  text += number.whole.empty() ? "0" : number.whole;
  if (!number.fraction.empty()) text += "." + number.fraction;
  return text;
}

}  // namespace

GrammarRules::Rule SchemaEmitter::emit(const SchemaGoal& root) {
  const Rule start = json_.rules().add_rule();
  json_.rules().define(start, value(root));
  while (!todo_.empty() && !expander_.refusal()) {
    const auto [goal, rule] = std::move(todo_.front());
    todo_.pop_front();
    define(goal, rule);
    if (json_.open_states() > limits_.open_states_max) {
      expander_.refuse(ErrorCode::kTooLarge, "", path_,
                       "the schema's strings and names take too long to compile; \"additionalProperties\": "
                       "false, fewer names "
                       "and simpler patterns help");
    }
    if (rules().rule_count() > limits_.rules_max || rules().expression_count() > limits_.expressions_max) {
      expander_.refuse(ErrorCode::kTooLarge, "", path_,
                       "the schema needs a grammar of more than " + std::to_string(limits_.rules_max) +
                           " rules or " + std::to_string(limits_.expressions_max) + " expressions");
    }
  }
  return start;
}

void SchemaEmitter::refuse(ErrorCode code, std::string_view keyword, std::string reason) {
  expander_.refuse(code, keyword, path_, std::move(reason));
}

GrammarRules::Expression SchemaEmitter::rule_of(Expression body) {
  const Rule rule = json_.rules().add_rule();
  json_.rules().define(rule, body);
  return json_.rules().reference(rule);
}

int32_t SchemaEmitter::repeat_min(int64_t min, std::string_view keyword) {
  if (min > limits_.repetitions_max) {
    refuse(ErrorCode::kTooLarge, keyword, "more than " + std::to_string(limits_.repetitions_max));
    return 0;
  }
  return static_cast<int32_t>(std::max<int64_t>(0, min));
}

int32_t SchemaEmitter::repeat_max(int64_t max, std::string_view keyword) {
  if (max <= limits_.repetitions_max) return static_cast<int32_t>(max);
  check(keyword);
  return -1;
}

GrammarRules::Expression SchemaEmitter::value(const SchemaGoal& goal) {
  if (std::find(goal.begin(), goal.end(), kAllowNone) != goal.end()) return GrammarRules::kNothing;
  const auto [it, added] = known_.try_emplace(goal, -1);
  if (added) {
    it->second = json_.rules().add_rule();
    todo_.emplace_back(goal, it->second);
    if (known_.size() > static_cast<size_t>(limits_.conjunctions_max)) {
      refuse(ErrorCode::kTooLarge, "",
             "more than " + std::to_string(limits_.conjunctions_max) +
                 " sets of schemas that apply to one value together");
    }
  }
  return json_.rules().reference(it->second);
}

void SchemaEmitter::define(const SchemaGoal& goal, Rule rule) {
  path_ = goal.empty() ? "" : expander_.path_of(goal[0]);
  std::vector<Expression> options;
  for (const Alternative& one : expander_.alternatives_of(goal)) {
    if (expander_.refusal()) return;
    const auto may_be = [&](Alternative::Type type) { return (one.types & type) != 0; };
    if (may_be(Alternative::kObject)) options.push_back(object(one.object));
    if (may_be(Alternative::kArray)) options.push_back(array(one.array));
    if (may_be(Alternative::kString)) options.push_back(string(one.string));
    if (may_be(Alternative::kNumber)) options.push_back(number(one.number));
    if (may_be(Alternative::kTrue)) options.push_back(text("true"));
    if (may_be(Alternative::kFalse)) options.push_back(text("false"));
    if (may_be(Alternative::kNull)) options.push_back(text("null"));
  }
  json_.rules().define(rule, choice(std::move(options)));
}

GrammarRules::Expression SchemaEmitter::number(const NumberFacet& facet) {
  if (facet.one_of) {
    std::vector<Expression> options;
    for (const Decimal& number : *facet.one_of) {
      if (facet.allows(number)) options.push_back(text(text_of(number)));
    }
    return choice(std::move(options));
  }
  if (facet.unbounded() && facet.kind == NumberFacet::Kind::kAny) return json_.any_number();
  if (facet.unbounded() && facet.kind == NumberFacet::Kind::kInteger) return json_.any_integer();
  constexpr int64_t kDemandsMax = 300;
  std::optional<StringAutomaton> spellings;
  if (facet.demands() <= kDemandsMax) spellings = number_automaton(facet, 2 * limits_.pattern_states_max);
  if (!spellings) {
    refuse(ErrorCode::kTooLarge, facet.multiples.empty() ? "minimum" : "multipleOf",
           "these bounds and multiples need too large an automaton together");
    return GrammarRules::kNothing;
  }
  return json_.text_of(*spellings);
}

GrammarRules::Expression SchemaEmitter::string(const StringFacet& facet) {
  if (facet.words) {
    std::vector<Expression> options;
    for (const std::string& word : *facet.words) options.push_back(json_.constant(Json(word)));
    return choice(std::move(options));
  }
  if (facet.all.empty() && facet.none.empty()) {
    if (facet.min > limits_.length_min_max) {
      refuse(ErrorCode::kTooLarge, "minLength", "more than " + std::to_string(limits_.length_min_max));
      return GrammarRules::kNothing;
    }
    return json_.string_of_length(static_cast<int32_t>(facet.min), repeat_max(facet.max, "maxLength"));
  }
  std::optional<StringAutomaton> strings = expander_.strings_of(facet);
  if (!strings) {
    StringFacet any_length = facet;
    any_length.min = 0;
    any_length.max = -1;
    strings = expander_.strings_of(any_length);
    if (facet.min > 0) check("minLength");
    if (facet.max >= 0) check("maxLength");
  }
  if (!strings) {
    refuse(ErrorCode::kTooLarge, "pattern", "these patterns need too large an automaton together");
    return GrammarRules::kNothing;
  }
  return json_.string_of(*strings);
}

GrammarRules::Expression SchemaEmitter::array(const ArrayFacet& facet) {
  if (!facet.contains.empty()) {
    if (is_countable(facet)) return counted_array(facet);
    check("contains");
  }
  const int32_t min = repeat_min(facet.min, "minItems");
  const int32_t max = repeat_max(facet.max, "maxItems");
  size_t prefix = 1;
  for (const ArrayFacet::Layer& layer : facet.layers) prefix = std::max(prefix, layer.prefix.size());
  const Expression space = json_.space();
  const Expression comma = text(",");
  const Expression end = sequence({space, text("]")});
  const auto item = [&](size_t index) { return value(SchemaExpander::item_goal(facet, index)); };
  // What may stand behind so many items, from the last that has a place of its own to the first.
  const int32_t places = static_cast<int32_t>(prefix);
  Expression tail = GrammarRules::kNothing;
  if (max < 0 || max >= places) {
    tail = sequence({json_.rules().repeat(sequence({comma, space, item(prefix)}), std::max(0, min - places),
                                          max < 0 ? -1 : max - places),
                     end});
  }
  for (int32_t count = places - 1; count >= 1; --count) {
    std::vector<Expression> options;
    if (count >= min && (max < 0 || count <= max)) options.push_back(end);
    if (max < 0 || count < max)
      options.push_back(sequence({comma, space, item(static_cast<size_t>(count)), tail}));
    tail = rule_of(choice(std::move(options)));
  }
  std::vector<Expression> options;
  if (min == 0) options.push_back(end);
  if (max != 0) options.push_back(sequence({space, item(0), tail}));
  return sequence({text("["), choice(std::move(options))});
}

GrammarRules::Expression SchemaEmitter::object(const ObjectFacet& facet) {
  const std::optional<StringAutomaton> names = allowed_names(facet);
  const std::optional<std::vector<Member>> known = members(facet, names);
  if (!known || expander_.refusal()) return GrammarRules::kNothing;
  const bool listed_only = others_ == OtherProperties::kWhereAsked && facet.lists_properties &&
                           !facet.says_of_others && facet.min <= static_cast<int64_t>(known->size());
  const Expression free = listed_only ? GrammarRules::kNothing : free_member(facet, names);
  return sequence({text("{"), members_in_order(facet, *known, free)});
}

std::optional<StringAutomaton> SchemaEmitter::allowed_names(const ObjectFacet& facet) {
  if (facet.names.empty()) return std::nullopt;
  const std::optional<StringAutomaton> names = expander_.strings_of(goal_of(facet.names));
  if (!names && !expander_.refusal()) {
    refuse(ErrorCode::kTooLarge, "propertyNames", "needs too large an automaton");
  }
  return names;
}

std::optional<std::vector<SchemaEmitter::Member>> SchemaEmitter::members(
    const ObjectFacet& facet, const std::optional<StringAutomaton>& names) {
  std::vector<Member> members;
  std::set<std::string> seen;
  const auto add = [&](const std::string& name) {
    if (!seen.insert(name).second) return true;
    Member member{name, SchemaExpander::value_goal(facet, name), facet.requires_name(name)};
    const bool impossible =
        std::find(member.goal.begin(), member.goal.end(), kAllowNone) != member.goal.end() ||
        (names && !names->matches(name));
    if (impossible) return !member.required;
    members.push_back(std::move(member));
    return true;
  };
  for (const ObjectFacet::Layer& layer : facet.layers) {
    for (const auto& [name, value] : layer.names) {
      if (!add(name)) return std::nullopt;
    }
  }
  for (const std::string& name : facet.required) {
    if (!add(name)) return std::nullopt;
  }
  return members;
}

GrammarRules::Expression SchemaEmitter::free_member(const ObjectFacet& facet,
                                                    const std::optional<StringAutomaton>& names) {
  std::vector<SharedAutomaton> patterns;
  std::vector<std::string> known(facet.required.begin(), facet.required.end());
  bool rest_allowed = true;
  for (const ObjectFacet::Layer& layer : facet.layers) {
    rest_allowed &= layer.rest != kAllowNone;
    for (const auto& [name, value] : layer.names) known.push_back(name);
    for (const auto& [automaton, value] : layer.patterns) {
      if (std::find(patterns.begin(), patterns.end(), automaton) == patterns.end())
        patterns.push_back(automaton);
    }
  }
  if (patterns.empty() && !rest_allowed) return GrammarRules::kNothing;
  size_t bytes = 0;
  for (const std::string& name : known) bytes += name.size();
  using Operation = StringAutomaton::Operation;
  std::optional<StringAutomaton> others = names ? *names : StringAutomaton::all();
  if (bytes <= static_cast<size_t>(limits_.pattern_states_max)) {
    others = StringAutomaton::combine(*others, StringAutomaton::words(known), Operation::kMinus,
                                      limits_.pattern_states_max);
  } else {
    others.reset();
  }
  // Names cut into regions: within each, the same patterns match.
  struct Region {
    StringAutomaton names;
    std::vector<SharedAutomaton> matched;
  };
  std::vector<Region> regions;
  if (others) regions.push_back({std::move(*others), {}});
  bool too_large = regions.empty();
  for (const SharedAutomaton& pattern : patterns) {
    std::vector<Region> cut;
    for (Region& region : regions) {
      std::optional<StringAutomaton> inside =
          StringAutomaton::combine(region.names, *pattern, Operation::kAnd, limits_.pattern_states_max);
      std::optional<StringAutomaton> outside =
          StringAutomaton::combine(region.names, *pattern, Operation::kMinus, limits_.pattern_states_max);
      too_large |= !inside || !outside || cut.size() > static_cast<size_t>(limits_.alternatives_max);
      if (too_large) break;
      std::vector<SharedAutomaton> matched = region.matched;
      matched.push_back(pattern);
      if (!inside->empty()) cut.push_back({std::move(*inside), std::move(matched)});
      if (!outside->empty()) cut.push_back({std::move(*outside), std::move(region.matched)});
    }
    regions = std::move(cut);
  }
  if (too_large) {
    refuse(ErrorCode::kTooLarge, patterns.empty() ? "properties" : "patternProperties",
           "names beside the known ones need too large an automaton; \"additionalProperties\": false needs "
           "none");
    return GrammarRules::kNothing;
  }
  std::vector<Expression> options;
  for (const Region& region : regions) {
    std::vector<SchemaRef> refs;
    for (const ObjectFacet::Layer& layer : facet.layers) {
      bool matched = false;
      for (const auto& [automaton, value] : layer.patterns) {
        if (std::find(region.matched.begin(), region.matched.end(), automaton) == region.matched.end())
          continue;
        matched = true;
        refs.push_back(value);
      }
      if (!matched) refs.push_back(layer.rest);
    }
    const Expression member = value(goal_of(std::move(refs)));
    if (member == GrammarRules::kNothing) continue;
    options.push_back(sequence({json_.string_of(region.names), text(":"), json_.space(), member}));
  }
  if (options.empty()) return GrammarRules::kNothing;
  return rule_of(choice(std::move(options)));
}

// Behind `count` members, those beyond the known ones and the end.
GrammarRules::Expression SchemaEmitter::free_members(Expression free, int64_t count, int64_t min,
                                                     int64_t max) {
  const Expression space = json_.space();
  const Expression end = sequence({space, text("}")});
  const int32_t low = repeat_min(std::max<int64_t>(0, min - count), "minProperties");
  const int32_t high = max < 0 ? -1 : repeat_max(std::max<int64_t>(0, max - count), "maxProperties");
  if (free == GrammarRules::kNothing) return low == 0 ? end : GrammarRules::kNothing;
  if (low > 1) check("minProperties");  // the same name twice is one property
  const Expression next = sequence({text(","), space, free});
  if (count > 0) return sequence({json_.rules().repeat(next, low, high), end});
  std::vector<Expression> options;
  if (low == 0) options.push_back(end);
  if (high != 0) {
    const Expression more = json_.rules().repeat(next, std::max(0, low - 1), high < 0 ? -1 : high - 1);
    options.push_back(sequence({space, free, more, end}));
  }
  return choice(std::move(options));
}

GrammarRules::Expression SchemaEmitter::members_in_order(const ObjectFacet& facet,
                                                         const std::vector<Member>& members,
                                                         Expression free) {
  // How many members there were matters up to `counted`; beyond it they are all the same.
  int64_t min = facet.min <= static_cast<int64_t>(facet.required.size()) ? 0 : facet.min;
  int64_t max = facet.max;
  const int64_t all = static_cast<int64_t>(members.size());
  if (free == GrammarRules::kNothing && max >= all) max = -1;
  int64_t counted = std::max<int64_t>({1, std::min(min, all), max < 0 ? 0 : std::min(max, all)});
  if (counted * all > limits_.repetitions_max) {
    if (min > 0) check("minProperties");
    if (max >= 0) check("maxProperties");
    min = 0;
    max = -1;
    counted = 1;
  }
  const Expression space = json_.space();
  std::vector<Expression> tails;  // [count]: what may stand behind so many members
  for (int64_t count = 0; count <= counted; ++count) {
    tails.push_back(max >= 0 && count > max ? GrammarRules::kNothing
                                            : rule_of(free_members(free, count, min, max)));
  }
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    const Expression written =
        sequence({text(write_json(Json(member->name)) + ":"), space, value(member->goal)});
    std::vector<Expression> before;
    for (int64_t count = 0; count <= counted; ++count) {
      std::vector<Expression> options;
      // A count at its end stands for all above it, unless there is a maximum.
      const int64_t next = std::min(count + 1, counted);
      const bool full = max >= 0 && count >= max;
      if (!full) {
        options.push_back(
            sequence({count > 0 ? text(",") : GrammarRules::kEmpty, space, written, tails[next]}));
      }
      if (!member->required) options.push_back(tails[count]);
      before.push_back(rule_of(choice(std::move(options))));
    }
    tails = std::move(before);
  }
  return tails[0];
}

}  // namespace hussar
