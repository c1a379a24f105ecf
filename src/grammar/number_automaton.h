// Which numbers a value may be, and the automaton of their spellings: digits without exponent, without
// needless zeros before them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "grammar/decimal.h"
#include "grammar/string_automaton.h"

namespace hussar {

struct NumberFacet {
  struct Bound {
    Decimal value;
    bool excluded = false;
  };
  enum class Kind { kAny, kInteger, kFraction };  // kFraction: not an integer

  std::optional<Bound> min, max;
  Kind kind = Kind::kAny;
  bool nothing = false;  // two demands exclude each other
  std::vector<DecimalStep> multiples, no_multiples;
  std::optional<std::vector<Decimal>> one_of;
  std::vector<Decimal> none_of;

  bool unbounded() const {
    return !min && !max && multiples.empty() && no_multiples.empty() && !one_of && none_of.empty();
  }
  // Beside the bounds: each takes an automaton of its own.
  int64_t demands() const {
    return static_cast<int64_t>(multiples.size() + no_multiples.size() + none_of.size());
  }
  bool allows(const Decimal& number) const;
  // Keeps what both allow.
  void intersect(const NumberFacet& other);
};

// Nothing when it needs more than `states_max` states. REQUIRES: no one_of.
std::optional<StringAutomaton> number_automaton(const NumberFacet& facet, int32_t states_max);

}  // namespace hussar
