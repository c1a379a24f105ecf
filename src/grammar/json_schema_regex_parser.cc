#include "grammar/json_schema_regex_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/utf8.h"

namespace hussar {
namespace {

using Kind = RegexNode::Kind;

constexpr char32_t kEndOfPattern = 0xFFFF'FFFF;
constexpr size_t kGroupNamesMax = 200;
constexpr std::string_view kSyntaxCharacters = "^$\\.*+?()[]{}|";

bool is_ascii_in(char32_t point, std::string_view set) {
  return point < 128 && set.find(static_cast<char>(point)) != std::string_view::npos;
}
bool is_digit(char32_t point) { return point >= '0' && point <= '9'; }
bool is_ascii_letter(char32_t point) {
  return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
}
int hex_value(char32_t point) {
  if (is_digit(point)) return static_cast<int>(point - '0');
  if (point >= 'a' && point <= 'f') return static_cast<int>(point - 'a') + 10;
  if (point >= 'A' && point <= 'F') return static_cast<int>(point - 'A') + 10;
  return -1;
}
bool is_high_surrogate(char32_t point) { return point >= 0xD800 && point <= 0xDBFF; }
bool is_low_surrogate(char32_t point) { return point >= 0xDC00 && point <= 0xDFFF; }

// Recursive descent. A function that fails has set `error_`, and whoever called it returns at once.
class Parser {
 public:
  Parser(std::string_view pattern, RegexDialect dialect, const RegexSyntaxLimits& limits)
      : dialect_(dialect), depth_max_(limits.depth_max) {
    for (size_t offset = 0; offset < pattern.size();) points_.push_back(next_code_point(pattern, &offset));
  }

  Result<RegexTree> parse() {
    tree_.root = disjunction();
    if (!error_ && peek() != kEndOfPattern) fail("a \")\" without its \"(\"");
    if (!error_ && backreference_max_ > groups_) fail("a reference to a group that does not exist");
    for (const std::string& name : referred_names_) {
      const bool known = std::any_of(group_names_.begin(), group_names_.end(),
                                     [&](const GroupName& group) { return group.name == name; });
      if (!error_ && !known) fail("a reference to a group that does not exist");
    }
    if (error_) return *std::move(error_);
    return std::move(tree_);
  }

 private:
  char32_t peek(size_t ahead = 0) const {
    return at_ + ahead < points_.size() ? points_[at_ + ahead] : kEndOfPattern;
  }
  bool take(char32_t point) {
    if (peek() != point) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view ascii) {
    for (size_t i = 0; i < ascii.size(); ++i) {
      if (peek(i) != static_cast<unsigned char>(ascii[i])) return false;
    }
    at_ += ascii.size();
    return true;
  }

  void fail(std::string_view reason, ErrorCode code = ErrorCode::kInvalid) {
    if (error_) return;
    error_ = Error{code, std::string(reason) + " at character " + std::to_string(at_), "pattern"};
  }

  uint32_t add(RegexNode node) {
    tree_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(tree_.nodes.size() - 1);
  }
  uint32_t add(Kind kind) { return add(RegexNode{.kind = kind}); }
  uint32_t add_char(char32_t point) { return add(RegexNode{.kind = Kind::kChar, .point = point}); }
  uint32_t add_set(CharSet set) {
    set.seal();
    tree_.sets.push_back(std::move(set));
    return add(RegexNode{.kind = Kind::kSet, .index = static_cast<uint32_t>(tree_.sets.size() - 1)});
  }

  uint32_t disjunction() {
    if (++depth_ > depth_max_) {
      fail("groups are nested deeper than the limit of " + std::to_string(depth_max_), ErrorCode::kTooLarge);
      return 0;
    }
    RegexNode node{.kind = Kind::kAlternate};
    alternatives_.emplace_back(disjunctions_++, 0);
    do {
      node.children.push_back(alternative());
      ++alternatives_.back().second;
    } while (!error_ && take(U'|'));
    alternatives_.pop_back();
    --depth_;
    return node.children.size() == 1 ? node.children[0] : add(std::move(node));
  }

  uint32_t alternative() {
    RegexNode node{.kind = Kind::kConcat};
    while (!error_ && peek() != kEndOfPattern && peek() != '|' && peek() != ')')
      node.children.push_back(term());
    if (node.children.size() == 1) return node.children[0];
    if (node.children.empty()) node.kind = Kind::kEmpty;
    return add(std::move(node));
  }

  uint32_t term() {
    if (take(U'^')) return add(Kind::kBegin);
    if (take(U'$')) return add(Kind::kEnd);
    if (take("\\b")) return add(Kind::kWordBorder);
    if (take("\\B")) return add(Kind::kNoWordBorder);
    if (take("(?=")) return look(RegexLook::Direction::kAhead, false);
    if (take("(?!")) return look(RegexLook::Direction::kAhead, true);
    if (take("(?<=")) return look(RegexLook::Direction::kBehind, false);
    if (take("(?<!")) return look(RegexLook::Direction::kBehind, true);
    const uint32_t node = atom();
    return error_ ? 0 : quantified(node);
  }

  uint32_t look(RegexLook::Direction direction, bool negated) {
    const uint32_t child = disjunction();
    if (!error_ && !take(U')')) fail("a \"(\" without its \")\"");
    tree_.looks.push_back({direction, negated, child});
    return add(RegexNode{.kind = Kind::kLook, .index = static_cast<uint32_t>(tree_.looks.size() - 1)});
  }

  uint32_t atom() {
    const char32_t point = peek();
    ++at_;
    switch (point) {
      case '.': {
        CharSet set;
        for (const char32_t end_of_line : {U'\n', U'\r', U'\u2028', U'\u2029'})
          set.add_range(end_of_line, end_of_line);
        set.negate();
        return add_set(std::move(set));
      }
      case '(':
        return group();
      case '[':
        return char_class();
      case '\\':
        return atom_escape();
      default:
        break;
    }
    if (is_ascii_in(point, kSyntaxCharacters)) {
      --at_;
      fail(is_ascii_in(point, "*+?{") ? "a quantifier without anything before it"
                                      : "a bracket that must be escaped");
      return 0;
    }
    return add_char(point);
  }

  uint32_t group() {
    if (take("?:")) {
      // Counts for nothing.
    } else if (take("?<")) {
      ++groups_;
      add_group_name(group_name());
    } else if (peek() == '?') {
      size_t ahead = 1;
      while (is_ascii_in(peek(ahead), "ims-")) ++ahead;
      const bool has_flags = ahead > 1 && peek(ahead) == ':';
      fail("a group of a kind that is not supported",
           has_flags ? ErrorCode::kUnsupported : ErrorCode::kInvalid);
    } else {
      ++groups_;
    }
    if (error_) return 0;
    const uint32_t node = disjunction();
    if (!error_ && !take(U')')) fail("a \"(\" without its \")\"");
    return node;
  }

  // Up to and with the ">". Names of other letters than ASCII's would need Unicode's identifier tables.
  std::string group_name() {
    std::string name;
    while (is_ascii_letter(peek()) || peek() == '_' || peek() == '$' || (is_digit(peek()) && !name.empty()))
      name.push_back(static_cast<char>(points_[at_++]));
    if (peek() == '\\' || (peek() >= 128 && peek() != kEndOfPattern)) {
      fail("a group's name is not of ASCII letters", ErrorCode::kUnsupported);
    } else if (name.empty() || !take(U'>')) {
      fail("a group's name is not legal");
    }
    return name;
  }

  // Two groups may share a name where they are in different alternatives of the same choice.
  void add_group_name(std::string name) {
    if (group_names_.size() >= kGroupNamesMax) fail("too many groups have names", ErrorCode::kTooLarge);
    for (const GroupName& other : group_names_) {
      if (other.name != name) continue;
      const auto [mine, theirs] = std::mismatch(alternatives_.begin(), alternatives_.end(),
                                                other.alternatives.begin(), other.alternatives.end());
      const bool apart =
          mine != alternatives_.end() && theirs != other.alternatives.end() && mine->first == theirs->first;
      if (!apart) fail("two groups of one name");
    }
    group_names_.push_back({std::move(name), alternatives_});
  }

  uint32_t quantified(uint32_t node) {
    RegexNode repeat{.kind = Kind::kRepeat, .children = {node}};
    if (take(U'*')) {
      repeat.repeat_max = kRepeatForever;
    } else if (take(U'+')) {
      repeat.repeat_min = 1;
      repeat.repeat_max = kRepeatForever;
    } else if (take(U'?')) {
      repeat.repeat_max = 1;
    } else if (take(U'{')) {
      if (!repeat_bounds(&repeat.repeat_min, &repeat.repeat_max)) return 0;
    } else {
      return node;
    }
    take(U'?');  // lazy or not: the same texts match
    return add(std::move(repeat));
  }

  bool repeat_bounds(uint32_t* min, uint32_t* max) {
    bool legal = number(min);
    *max = *min;
    if (legal && take(U',')) {
      *max = kRepeatForever;
      if (peek() != '}') legal = number(max);
    }
    if (!legal || !take(U'}')) return fail("a \"{\" that begins no quantifier"), false;
    if (*min > *max) return fail("a quantifier whose bounds are out of order"), false;
    return true;
  }

  // Decimal digits; a number too large for 32 bits stays just below kRepeatForever.
  bool number(uint32_t* value) {
    if (!is_digit(peek())) return false;
    uint64_t sum = 0;
    while (is_digit(peek())) sum = std::min<uint64_t>(sum * 10 + (points_[at_++] - '0'), kRepeatForever - 1);
    *value = static_cast<uint32_t>(sum);
    return true;
  }

  uint32_t atom_escape() {
    if (peek() >= '1' && peek() <= '9') {
      uint32_t group = 0;
      number(&group);
      backreference_max_ = std::max(backreference_max_, group);
      tree_.has_backreference = true;
      return add(Kind::kEmpty);
    }
    if (take("k<")) {
      referred_names_.push_back(group_name());
      tree_.has_backreference = true;
      return add(Kind::kEmpty);
    }
    CharSet set;
    if (class_escape(&set)) return add_set(std::move(set));
    const char32_t point = error_ ? 0 : character_escape();
    return error_ ? 0 : add_char(point);
  }

  // Takes \d \D \s \S \w \W \p{...} \P{...}, behind the backslash, into the set. False when it is none of
  // these, or failed.
  bool class_escape(CharSet* set) {
    if (is_ascii_in(peek(), "dDsSwW")) {
      set->add_escape(static_cast<char>(points_[at_++]));
      return true;
    }
    if (peek() != 'p' && peek() != 'P') return false;
    const auto which = points_[at_++] == 'p' ? CharSet::Which::kThose : CharSet::Which::kAllOthers;
    std::string name;
    bool closed = false;
    if (take(U'{')) {
      while (is_ascii_letter(peek()) || is_digit(peek()) || peek() == '_' || peek() == '=')
        name.push_back(static_cast<char>(points_[at_++]));
      closed = take(U'}');
    }
    if (!closed || name.empty()) {
      fail("a \\p without a property in braces");
    } else if (!set->add_property(name, which)) {
      fail("the Unicode property \"" + name.substr(0, 64) + "\" is not supported", ErrorCode::kUnsupported);
    }
    return !error_;
  }

  // One character behind a backslash.
  char32_t character_escape() {
    const char32_t point = peek();
    ++at_;
    switch (point) {
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'v':
        return '\v';
      case 'f':
        return '\f';
      case 'r':
        return '\r';
      case '0':
        if (is_digit(peek())) break;
        return 0;
      case 'c':
        if (!is_ascii_letter(peek())) break;
        return points_[at_++] % 32;
      case 'x':
        return hex_digits(2);
      case 'u':
        return unicode_escape();
      default:
        if (is_ascii_in(point, kSyntaxCharacters) || point == '/') return point;
        if (dialect_ == RegexDialect::kLenient && point > ' ' && point < 127 && !is_ascii_letter(point) &&
            !is_digit(point))
          return point;
    }
    --at_;
    fail("an escape that is not known");
    return 0;
  }

  char32_t hex_digits(int count) {
    char32_t value = 0;
    for (int i = 0; i < count; ++i) {
      const int digit = hex_value(peek());
      if (digit < 0) return fail("an escape with too few hexadecimal digits"), 0;
      ++at_;
      value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
  }

  char32_t unicode_escape() {
    if (take(U'{')) {
      char32_t value = 0;
      bool any = false;
      for (; hex_value(peek()) >= 0; ++at_) {
        any = true;
        value = std::min<char32_t>(value * 16 + static_cast<char32_t>(hex_value(peek())), 0x110000);
      }
      if (!any || value > 0x10FFFF || !take(U'}')) fail("a \\u{...} that is no code point");
      return value;
    }
    const char32_t high = hex_digits(4);
    if (error_ || !is_high_surrogate(high) || peek() != '\\' || peek(1) != 'u') return high;
    const size_t back = at_;
    at_ += 2;
    char32_t low = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_value(peek());
      if (digit < 0) break;
      low = low * 16 + static_cast<char32_t>(digit);
      ++at_;
    }
    if (at_ - back == 6 && is_low_surrogate(low)) return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    at_ = back;
    return high;
  }

  // One member of a class: a character, or a set such as \w.
  struct ClassAtom {
    bool is_set = false;
    char32_t point = 0;
  };

  ClassAtom class_atom(CharSet* set) {
    if (peek() == kEndOfPattern) return fail("a \"[\" without its \"]\""), ClassAtom();
    if (!take(U'\\')) return {false, points_[at_++]};
    if (take(U'b')) return {false, '\b'};
    if (take(U'-')) return {false, '-'};
    if (class_escape(set)) return {true, 0};
    return {false, error_ ? 0 : character_escape()};
  }

  uint32_t char_class() {
    CharSet set;
    const bool negated = take(U'^');
    while (!error_ && !take(U']')) {
      const ClassAtom first = class_atom(&set);
      const bool is_range = !error_ && peek() == '-' && peek(1) != ']' && peek(1) != kEndOfPattern;
      if (!is_range) {
        if (!error_ && !first.is_set) set.add_range(first.point, first.point);
        continue;
      }
      ++at_;
      const ClassAtom last = class_atom(&set);
      if (error_) break;
      if (first.is_set || last.is_set) {
        if (dialect_ == RegexDialect::kStrict) fail("a range whose end is a set of characters");
        set.add_range('-', '-');
        for (const ClassAtom& atom : {first, last})
          if (!atom.is_set) set.add_range(atom.point, atom.point);
      } else if (first.point > last.point) {
        fail("a range that is out of order");
      } else {
        set.add_range(first.point, last.point);
      }
    }
    if (error_) return 0;
    if (negated) set.negate();
    return add_set(std::move(set));
  }

  RegexDialect dialect_;
  int32_t depth_max_;
  std::u32string points_;
  size_t at_ = 0;
  int32_t depth_ = 0;
  RegexTree tree_;
  std::optional<Error> error_;
  uint32_t groups_ = 0;
  uint32_t backreference_max_ = 0;
  // The choices that are open, each with the alternative that is being read.
  using Alternatives = std::vector<std::pair<uint32_t, uint32_t>>;
  struct GroupName {
    std::string name;
    Alternatives alternatives;
  };
  Alternatives alternatives_;
  uint32_t disjunctions_ = 0;
  std::vector<GroupName> group_names_;
  std::vector<std::string> referred_names_;
};

}  // namespace

Result<RegexTree> parse_regex(std::string_view pattern, RegexDialect dialect,
                              const RegexSyntaxLimits& limits) {
  if (pattern.size() > limits.pattern_bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 "the regular expression has " + std::to_string(pattern.size()) +
                     " bytes, more than the limit of " + std::to_string(limits.pattern_bytes_max),
                 "pattern"};
  }
  if (!is_valid_utf8(pattern))
    return Error{ErrorCode::kInvalid, "the regular expression is not UTF-8", "pattern"};
  return Parser(pattern, dialect, limits).parse();
}

}  // namespace hussar
