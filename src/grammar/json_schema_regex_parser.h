// Reads ECMA-262 regular expressions, as with the flag u (whole code points, Unicode properties), into a
// syntax tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/json_schema_charset.h"

namespace hussar {

// One node; children are indices into RegexTree::nodes and come before their parent.
struct RegexNode {
  enum class Kind : uint8_t {
    kEmpty,
    kChar,       // `point`
    kSet,        // `index` into RegexTree::sets
    kConcat,     // children in order
    kAlternate,  // one of the children
    kRepeat,     // the child, repeat_min to repeat_max times
    kBegin,      // ^
    kEnd,        // $
    kWordBorder,
    kNoWordBorder,
    kLook,  // the child matches from here on (ahead) or up to here (behind); `index` into looks
  };
  Kind kind = Kind::kEmpty;
  char32_t point = 0;
  uint32_t index = 0;
  uint32_t repeat_min = 0, repeat_max = 0;
  std::vector<uint32_t> children = {};
};

inline constexpr uint32_t kRepeatForever = 0xFFFF'FFFF;

struct RegexLook {
  enum class Direction : uint8_t { kAhead, kBehind };
  Direction direction = Direction::kAhead;
  bool negated = false;
  uint32_t child = 0;
};

struct RegexTree {
  std::vector<RegexNode> nodes;
  std::vector<CharSet> sets;
  std::vector<RegexLook> looks;  // inner ones before those that hold them
  uint32_t root = 0;
  bool has_backreference = false;  // legal, but nothing that a finite automaton can follow; stands as kEmpty
};

enum class RegexDialect {
  kStrict,  // the letter of ECMA-262 with the flag u
  // Also what any engine reads alike though the flag u forbids it: an escaped punctuation mark ("\-", "\_",
  // "\@"), and a hyphen beside an escape in a class ("[\w-.]").
  kLenient,
};

struct RegexSyntaxLimits {
  size_t pattern_bytes_max = 16'384;
  int32_t depth_max = 100;  // of groups
};

// Errors: kInvalid (no regular expression), kTooLarge, kUnsupported (a Unicode property or a flag group that
// this reader does not know).
Result<RegexTree> parse_regex(std::string_view pattern, RegexDialect dialect,
                              const RegexSyntaxLimits& limits);

}  // namespace hussar
