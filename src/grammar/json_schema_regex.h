// ECMA-262 regular expressions (with the flag u: whole code points, Unicode's general categories) that search
// in time linear in the text, whatever the pattern: a finite automaton is followed in all its states at once,
// so that "(a+)+b" costs what "a" does. Lookahead and lookbehind are automata of their own, run once over the
// text. Backreferences are no regular language and are refused, as are Unicode properties other than general
// categories.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/json_schema_budget.h"
#include "grammar/json_schema_regex_parser.h"

namespace hussar {

// What a search needs while it runs; one for each thread, to be used again.
struct RegexScratch {
  std::u32string points;
  std::vector<std::vector<bool>> looks;  // of each lookaround and position: whether it holds
  std::vector<uint32_t> active, next_active, stack;
  std::vector<uint64_t> mark;  // the round in which an instruction was last reached
  uint64_t round = 0;
};

// Immutable and thread-safe.
class SchemaRegex {
 public:
  struct Limits {
    RegexSyntaxLimits syntax;
    size_t instructions_max = 20'000;  // after repetitions are written out
  };
  // Errors: parse_regex's, read leniently; kUnsupported for a backreference; kTooLarge.
  static Result<SchemaRegex> compile(std::string_view pattern, const Limits& limits);

  // Whether the pattern matches anywhere in the text. When the budget is spent the answer means nothing.
  // REQUIRES: valid UTF-8.
  bool search(std::string_view text, StepBudget* budget, RegexScratch* scratch) const;

  size_t instructions() const;

 private:
  friend class RegexAssembler;
  friend class RegexRun;
  struct Instruction {
    enum class Op : uint8_t { kChar, kSet, kSplit, kBegin, kEnd, kWordBorder, kNoWordBorder, kLook, kMatch };
    Op op = Op::kMatch;
    uint32_t argument = 0;  // the code point, the set, the lookaround; of kSplit the second way
    uint32_t next = 0;
  };
  // An automaton that is read forward or backward.
  struct Program {
    enum class Direction : uint8_t { kForward, kBackward };
    Direction direction = Direction::kForward;
    std::vector<Instruction> instructions = {};
    uint32_t start = 0;
  };
  struct Look {
    Program program;
    bool negated = false;
  };

  std::vector<CharSet> sets_;
  std::vector<Look> looks_;  // inner ones first
  Program main_;
};

}  // namespace hussar
