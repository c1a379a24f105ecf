// A regular expression taken apart. Only regex_automaton.cc has use for it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/code_point_set.h"

namespace hussar {

struct PatternNode {
  enum class Kind { kEmpty, kChar, kSequence, kChoice, kRepeat, kBegin, kEnd, kAhead, kNotAhead };
  Kind kind = Kind::kEmpty;
  CodePointSet chars;              // kChar
  std::vector<PatternNode> parts;  // kSequence, kChoice; one part of the others that have any
  int32_t min = 0;                 // kRepeat
  int32_t max = -1;                // -1: without bound
};

// Errors: kInvalid, kUnsupported, kTooLarge (nested too deep).
Result<PatternNode> parse_pattern(std::string_view pattern);

}  // namespace hussar
