// Regular expressions of ECMA-262 (as JSON Schema's `pattern` means them, with the flag u) to automata.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "grammar/string_automaton.h"

namespace hussar {

enum class RegexMatch {
  kSearch,  // somewhere in the string, unless anchored: `pattern`
  kWhole,   // the whole string
};

struct RegexLimits {
  size_t bytes_max = 2'000;
  int32_t states_max = 2'000;  // of the automaton, and of those on the way to it
};

// Supported: literals, classes, groups, alternatives, quantifiers (lazy ones mean the same), anchors
// anywhere, and lookaheads at the start of an anchored expression. Errors: kInvalid (not an expression, with
// its byte offset), kUnsupported (back references, other lookaround, \b, \p), kTooLarge.
Result<StringAutomaton> regex_automaton(std::string_view pattern, RegexMatch match,
                                        const RegexLimits& limits);

}  // namespace hussar
