#include "grammar/number_automaton.h"

#include <algorithm>
#include <string>
#include <utility>

namespace hussar {
namespace {

using State = StringAutomaton::State;
using Operation = StringAutomaton::Operation;

// A double tells decimals of so many digits apart, so that whoever reads one compares it with a bound as we
// do.
constexpr int32_t kDoubleDigits = 15;
constexpr int32_t kFractionDigits = 6;

class Builder {
 public:
  int32_t add(bool accepts) {
    states_.push_back({accepts, {}});
    return static_cast<int32_t>(states_.size()) - 1;
  }
  // REQUIRES: called in the order of the characters, for each state.
  void edge(int32_t from, char first, char last, int32_t to) {
    if (first <= last)
      states_[from].edges.push_back({{static_cast<uint8_t>(first), static_cast<uint8_t>(last)}, to});
  }
  void digits(int32_t from, int32_t to) { edge(from, '0', '9', to); }
  StringAutomaton done() && { return StringAutomaton(std::move(states_)); }

 private:
  std::vector<State> states_;
};

// "0", "12", "12.5": at most `fraction_max` digits behind the point; kFraction wants one that is no zero,
// kInteger none at all. A fraction stands behind so few digits only that a double doesn't round it away.
StringAutomaton unsigned_form(NumberFacet::Kind kind, int32_t fraction_max) {
  Builder b;
  const bool plain = kind != NumberFacet::Kind::kFraction;
  const int32_t start = b.add(false);
  std::vector<int32_t> whole{b.add(plain),
                             b.add(plain)};  // "0"; then [n]: n digits, the last one for all above
  if (!plain) {
    while (static_cast<int32_t>(whole.size()) <= kDoubleDigits - fraction_max) whole.push_back(b.add(false));
  }
  std::vector<int32_t> all_zero;  // [n]: behind the point and n zeros
  std::vector<int32_t> other;     // [n]: behind n digits, one of them no zero
  for (int32_t n = 0; n <= fraction_max; ++n) {
    all_zero.push_back(b.add(plain && n > 0));
    other.push_back(b.add(true));
  }
  b.edge(start, '0', '0', whole[0]);
  b.edge(start, '1', '9', whole[1]);
  for (size_t n = 0; n < whole.size(); ++n) {
    if (kind != NumberFacet::Kind::kInteger && fraction_max > 0) b.edge(whole[n], '.', '.', all_zero[0]);
    if (n > 0 && n + 1 < whole.size()) b.digits(whole[n], whole[n + 1]);
  }
  if (plain) b.digits(whole.back(), whole.back());
  for (int32_t n = 0; n < fraction_max; ++n) {
    b.edge(all_zero[n], '0', '0', all_zero[n + 1]);
    b.edge(all_zero[n], '1', '9', other[n + 1]);
    if (n > 0) b.digits(other[n], other[n + 1]);
  }
  return std::move(b).done();
}

struct Verdicts {
  bool less = false, equal = false, greater = false;
};

// Unsigned spellings whose value compares with `bound` as wanted. REQUIRES: bound not negative.
StringAutomaton compared(const Decimal& bound, Verdicts wanted) {
  Builder b;
  const std::string whole = bound.whole.empty() ? "0" : bound.whole;
  const size_t n = whole.size();
  struct Prefix {
    int32_t less, equal, greater;
  };
  std::vector<Prefix> prefixes;  // [k]: k digits read, which compare so with the bound's first k
  for (size_t k = 0; k <= n; ++k) {
    const bool full = k == n;
    // Made first, so that nothing read, which is equal so far, is the start.
    const bool equal_accepts = full ? (bound.fraction.empty() ? wanted.equal : wanted.less) : wanted.less;
    const int32_t equal = b.add(k > 0 && equal_accepts);
    prefixes.push_back({b.add(wanted.less), equal, b.add(full ? wanted.greater : wanted.less)});
  }
  const int32_t longer = b.add(wanted.greater);
  const int32_t less = b.add(wanted.less);
  const int32_t greater = b.add(wanted.greater);
  std::vector<int32_t> matched;  // [j]: j digits behind the point, the same as the bound's
  for (size_t j = 0; j <= bound.fraction.size(); ++j) {
    matched.push_back(b.add(j == bound.fraction.size() ? wanted.equal : wanted.less));
  }
  for (size_t k = 0; k <= n; ++k) {
    const bool full = k == n;
    const Prefix& at = prefixes[k];
    if (k > 0) {
      b.edge(at.less, '.', '.', less);
      b.edge(at.equal, '.', '.', full ? matched[0] : less);
      b.edge(at.greater, '.', '.', full ? greater : less);
    }
    if (full) {
      for (const int32_t state : {at.less, at.equal, at.greater}) b.digits(state, longer);
      continue;
    }
    const Prefix& next = prefixes[k + 1];
    const char digit = whole[k];
    b.edge(at.equal, '0', static_cast<char>(digit - 1), next.less);
    b.edge(at.equal, digit, digit, next.equal);
    b.edge(at.equal, static_cast<char>(digit + 1), '9', next.greater);
    if (k > 0) {
      b.digits(at.less, next.less);
      b.digits(at.greater, next.greater);
    }
  }
  b.edge(longer, '.', '.', greater);
  b.digits(longer, longer);
  b.digits(less, less);
  b.digits(greater, greater);
  for (size_t j = 0; j < matched.size(); ++j) {
    const bool full = j == bound.fraction.size();
    const char digit = full ? '0' : bound.fraction[j];
    b.edge(matched[j], '0', static_cast<char>(digit - 1), less);
    b.edge(matched[j], digit, digit, full ? matched[j] : matched[j + 1]);
    b.edge(matched[j], static_cast<char>(digit + 1), '9', greater);
  }
  return std::move(b).done();
}

// Unsigned spellings of multiples. The state is what is left of the digits so far, and a column: 0 before the
// point, 1 + n behind n digits after it.
int64_t columns(const DecimalStep& step) { return step.places == 0 ? 1 : step.places + 2; }

StringAutomaton multiples_of(const DecimalStep& step) {
  const auto number = [&](int64_t rest, int64_t column) {
    return static_cast<int32_t>(rest * columns(step) + column);
  };
  std::vector<State> states(static_cast<size_t>(step.step * columns(step)));
  for (int64_t rest = 0; rest < step.step; ++rest) {
    for (int64_t column = 0; column < columns(step); ++column) {
      State& state = states[static_cast<size_t>(number(rest, column))];
      int64_t scaled = rest;
      for (int64_t i = std::max<int64_t>(0, column - 1); i < step.places; ++i)
        scaled = scaled * 10 % step.step;
      state.accepts = scaled == 0;
      if (column == 0 && step.places > 0) state.edges.push_back({{'.', '.'}, number(rest, 1)});
      if (column > step.places) continue;
      for (char digit = '0'; digit <= '9'; ++digit) {
        const uint8_t code = static_cast<uint8_t>(digit);
        const int64_t next = (rest * 10 + (digit - '0')) % step.step;
        state.edges.push_back({{code, code}, number(next, column == 0 ? 0 : column + 1)});
      }
    }
  }
  return StringAutomaton(std::move(states));
}

// Digits of both signs: `positive` as it is, `negative` behind a minus.
StringAutomaton with_sign(const StringAutomaton& positive, const StringAutomaton& negative) {
  std::vector<State> states{{positive.states()[0].accepts, {}}};
  const auto append = [&](const StringAutomaton& part) {
    const int32_t offset = static_cast<int32_t>(states.size());
    for (State state : part.states()) {
      for (StringAutomaton::Edge& edge : state.edges) edge.target += offset;
      states.push_back(std::move(state));
    }
    return offset;
  };
  const int32_t minus = append(negative);
  const int32_t plain = append(positive);
  states[0].edges.push_back({{'-', '-'}, minus});
  for (const StringAutomaton::Edge& edge : states[plain].edges) states[0].edges.push_back(edge);
  return StringAutomaton(std::move(states));
}

int32_t fraction_digits(const NumberFacet& facet) {
  int32_t whole = 0;
  int32_t fraction = 0;
  const auto see = [&](const Decimal& number) {
    whole = std::max(whole, static_cast<int32_t>(number.whole.size()));
    fraction = std::max(fraction, static_cast<int32_t>(number.fraction.size()));
  };
  if (facet.min) see(facet.min->value);
  if (facet.max) see(facet.max->value);
  for (const Decimal& number : facet.none_of) see(number);
  int32_t digits = std::max(fraction, std::min(kFractionDigits, kDoubleDigits - whole));
  for (const DecimalStep& step : facet.multiples) digits = std::max(digits, step.places);
  return digits;
}

class Intersection {
 public:
  Intersection(StringAutomaton start, int32_t states_max)
      : automaton_(std::move(start)), states_max_(states_max) {}

  void apply(const StringAutomaton& other, Operation operation) {
    if (!automaton_) return;
    automaton_ = StringAutomaton::combine(*automaton_, other, operation, states_max_);
  }
  void keep(const StringAutomaton& other) { apply(other, Operation::kAnd); }
  std::optional<StringAutomaton> take() && { return std::move(automaton_); }

 private:
  std::optional<StringAutomaton> automaton_;
  int32_t states_max_;
};

// Magnitudes of one sign. `low` and `high` bound the magnitude.
std::optional<StringAutomaton> one_sign(const NumberFacet& facet, bool negative,
                                        const std::optional<NumberFacet::Bound>& low,
                                        const std::optional<NumberFacet::Bound>& high, int32_t states_max) {
  Intersection numbers(unsigned_form(facet.kind, fraction_digits(facet)), states_max);
  if (negative) numbers.keep(compared(Decimal(), {.greater = true}));  // zero has one sign only
  if (low && low->value.negative) {
    // Every magnitude is above it.
  } else if (low) {
    numbers.keep(compared(low->value, {.equal = !low->excluded, .greater = true}));
  }
  if (high && high->value.negative) return StringAutomaton();
  if (high) numbers.keep(compared(high->value, {.less = true, .equal = !high->excluded}));
  for (const DecimalStep& step : facet.multiples) {
    if (step.step > states_max / columns(step)) return std::nullopt;
    numbers.keep(multiples_of(step));
  }
  for (const DecimalStep& step : facet.no_multiples) {
    if (step.step > states_max / columns(step)) return std::nullopt;
    numbers.apply(multiples_of(step), Operation::kMinus);
  }
  for (const Decimal& number : facet.none_of) {
    if (number.negative != negative) continue;
    numbers.apply(compared(number.magnitude(), {.equal = true}), Operation::kMinus);
  }
  return std::move(numbers).take();
}

std::optional<NumberFacet::Bound> mirrored(const std::optional<NumberFacet::Bound>& bound) {
  if (!bound) return std::nullopt;
  NumberFacet::Bound other = *bound;
  if (!other.value.is_zero()) other.value.negative = !other.value.negative;
  return other;
}

}  // namespace

bool NumberFacet::allows(const Decimal& number) const {
  const int above = min ? compare(number, min->value) : 1;
  const int below = max ? compare(number, max->value) : -1;
  const auto is = [&](const Decimal& other) { return number == other; };
  const auto divides = [&](const DecimalStep& step) { return is_multiple(number, step); };
  return !nothing && above >= 0 && !(above == 0 && min->excluded) && below <= 0 &&
         !(below == 0 && max->excluded) &&
         (kind == Kind::kAny || (kind == Kind::kInteger) == number.is_integer()) &&
         std::all_of(multiples.begin(), multiples.end(), divides) &&
         std::none_of(no_multiples.begin(), no_multiples.end(), divides) &&
         (!one_of || std::any_of(one_of->begin(), one_of->end(), is)) &&
         std::none_of(none_of.begin(), none_of.end(), is);
}

void NumberFacet::intersect(const NumberFacet& other) {
  nothing |= other.nothing;
  if (other.min) {
    const int order = min ? compare(other.min->value, min->value) : 1;
    if (order > 0) min = other.min;
    if (order == 0) min->excluded |= other.min->excluded;
  }
  if (other.max) {
    const int order = max ? compare(other.max->value, max->value) : -1;
    if (order < 0) max = other.max;
    if (order == 0) max->excluded |= other.max->excluded;
  }
  if (kind == Kind::kAny) {
    kind = other.kind;
  } else if (other.kind != Kind::kAny && other.kind != kind) {
    nothing = true;
  }
  multiples.insert(multiples.end(), other.multiples.begin(), other.multiples.end());
  no_multiples.insert(no_multiples.end(), other.no_multiples.begin(), other.no_multiples.end());
  none_of.insert(none_of.end(), other.none_of.begin(), other.none_of.end());
  if (!one_of) one_of = other.one_of;
  if (min && max) {
    const int order = compare(min->value, max->value);
    if (order > 0 || (order == 0 && (min->excluded || max->excluded))) nothing = true;
  }
  if (one_of) {
    std::erase_if(*one_of, [&](const Decimal& number) { return !allows(number) || !other.allows(number); });
    if (one_of->empty()) nothing = true;
  }
}

std::optional<StringAutomaton> number_automaton(const NumberFacet& facet, int32_t states_max) {
  if (facet.nothing) return StringAutomaton();
  const std::optional<StringAutomaton> positive = one_sign(facet, false, facet.min, facet.max, states_max);
  const std::optional<StringAutomaton> negative =
      one_sign(facet, true, mirrored(facet.max), mirrored(facet.min), states_max);
  if (!positive || !negative) return std::nullopt;
  return with_sign(*positive, *negative);
}

}  // namespace hussar
