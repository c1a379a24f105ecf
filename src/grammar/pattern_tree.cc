#include "grammar/pattern_tree.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/utf8.h"

namespace hussar {
namespace {

constexpr int32_t kDepthMax = 64;
constexpr int32_t kCountMax = 100'000;

CodePointSet digits() { return CodePointSet({{'0', '9'}}); }
CodePointSet word_chars() { return CodePointSet({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}); }
CodePointSet spaces() {
  return CodePointSet({{0x09, 0x0d},
                       {' ', ' '},
                       {0xa0, 0xa0},
                       {0x1680, 0x1680},
                       {0x2000, 0x200a},
                       {0x2028, 0x2029},
                       {0x202f, 0x202f},
                       {0x205f, 0x205f},
                       {0x3000, 0x3000},
                       {0xfeff, 0xfeff}});
}
CodePointSet line_ends() { return CodePointSet({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}); }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<PatternNode> run() {
    PatternNode node = choice(0);
    if (!failed_ && at_ < text_.size()) fail(ErrorCode::kInvalid, "a ')' without its '('");
    if (failed_) return error_;
    return node;
  }

 private:
  using Kind = PatternNode::Kind;

  void fail(ErrorCode code, const std::string& what) {
    if (failed_) return;
    failed_ = true;
    error_ = Error{code, what + " at byte " + std::to_string(at_) + " of the pattern", ""};
  }
  bool more() const { return !failed_ && at_ < text_.size(); }
  bool next_is(std::string_view token) const { return text_.substr(at_).starts_with(token); }
  bool take(std::string_view token) {
    if (failed_ || !next_is(token)) return false;
    at_ += token.size();
    return true;
  }
  static PatternNode of(CodePointSet chars) {
    PatternNode node;
    node.kind = Kind::kChar;
    node.chars = std::move(chars);
    return node;
  }

  PatternNode choice(int32_t depth) {
    if (depth > kDepthMax) fail(ErrorCode::kTooLarge, "groups nested too deep");
    PatternNode node;
    node.kind = Kind::kChoice;
    do {
      node.parts.push_back(sequence(depth));
    } while (take("|"));
    return node.parts.size() == 1 ? std::move(node.parts[0]) : node;
  }

  PatternNode sequence(int32_t depth) {
    PatternNode node;
    node.kind = Kind::kSequence;
    while (more() && !next_is("|") && !next_is(")")) node.parts.push_back(quantified(depth));
    return node;
  }

  PatternNode quantified(int32_t depth) {
    PatternNode node = atom(depth);
    const size_t begin = at_;
    int32_t min = 0;
    int32_t max = -1;
    if (take("*")) {
    } else if (take("+")) {
      min = 1;
    } else if (take("?")) {
      max = 1;
    } else if (!counted(&min, &max)) {
      return node;
    }
    if (node.kind != Kind::kChar && node.kind != Kind::kSequence && node.kind != Kind::kChoice &&
        node.kind != Kind::kRepeat) {
      at_ = begin;
      fail(ErrorCode::kInvalid, "nothing to repeat");
    }
    take("?");  // lazy: the same strings match
    if (next_is("*") || next_is("+") || next_is("?")) fail(ErrorCode::kInvalid, "nothing to repeat");
    PatternNode repeat;
    repeat.kind = Kind::kRepeat;
    repeat.min = min;
    repeat.max = max;
    repeat.parts.push_back(std::move(node));
    return repeat;
  }

  // "{2}", "{2,}" or "{2,5}"; anything else in braces is literal text.
  bool counted(int32_t* min, int32_t* max) {
    const size_t begin = at_;
    if (!take("{")) return false;
    const std::optional<int32_t> low = count();
    bool fits = low.has_value();
    *min = low.value_or(0);
    *max = *min;
    if (fits && take(",")) {
      *max = -1;
      if (!next_is("}")) {
        const std::optional<int32_t> high = count();
        fits = high.has_value();
        *max = high.value_or(0);
      }
    }
    if (!fits || !take("}")) {
      at_ = begin;
      return false;
    }
    if (*max >= 0 && *max < *min) fail(ErrorCode::kInvalid, "a repetition whose bounds are out of order");
    return true;
  }

  std::optional<int32_t> count() {
    std::optional<int32_t> number;
    while (more() && text_[at_] >= '0' && text_[at_] <= '9') {
      number = std::min(kCountMax, number.value_or(0) * 10 + (text_[at_] - '0'));
      ++at_;
    }
    return number;
  }

  PatternNode atom(int32_t depth) {
    PatternNode node;
    if (take("^")) {
      node.kind = Kind::kBegin;
    } else if (take("$")) {
      node.kind = Kind::kEnd;
    } else if (take("(")) {
      return group(depth);
    } else if (take(".")) {
      return of(line_ends().complement());
    } else if (take("[")) {
      return of(char_class());
    } else if (next_is("*") || next_is("+") || next_is("?")) {
      fail(ErrorCode::kInvalid, "nothing to repeat");
    } else if (take("\\")) {
      return of(escape(false));
    } else {
      return of(CodePointSet::one(next_code_point(text_, &at_)));
    }
    return node;
  }

  PatternNode group(int32_t depth) {
    Kind kind = Kind::kEmpty;
    if (take("?:")) {
    } else if (take("?=")) {
      kind = Kind::kAhead;
    } else if (take("?!")) {
      kind = Kind::kNotAhead;
    } else if (next_is("?<=") || next_is("?<!")) {
      fail(ErrorCode::kUnsupported, "a lookbehind");
    } else if (take("?<")) {
      while (more() && text_[at_] != '>') ++at_;
      if (!take(">")) fail(ErrorCode::kInvalid, "a group's name without its end");
    } else if (next_is("?")) {
      fail(ErrorCode::kUnsupported, "a group with flags");
    }
    PatternNode body = choice(depth + 1);
    if (!take(")")) fail(ErrorCode::kInvalid, "a '(' without its ')'");
    PatternNode node;
    node.kind = kind == Kind::kEmpty ? Kind::kSequence : kind;
    node.parts.push_back(std::move(body));
    return node;
  }

  CodePointSet char_class() {
    const bool negated = take("^");
    CodePointSet chars;
    while (more() && !next_is("]")) {
      const CodePointSet low = class_atom();
      const bool range = next_is("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (!range) {
        chars = chars.united(low);
        continue;
      }
      take("-");
      const CodePointSet high = class_atom();
      const std::optional<uint32_t> first = single(low);
      const std::optional<uint32_t> last = single(high);
      if (!first || !last || *first > *last) {
        fail(ErrorCode::kInvalid, "a character range whose ends are out of order");
        break;
      }
      chars = chars.united(CodePointSet({{*first, *last}}));
    }
    if (!take("]")) fail(ErrorCode::kInvalid, "a '[' without its ']'");
    return negated ? chars.complement() : chars;
  }

  static std::optional<uint32_t> single(const CodePointSet& chars) {
    if (chars.ranges().size() != 1 || chars.ranges()[0].first != chars.ranges()[0].last) return std::nullopt;
    return chars.ranges()[0].first;
  }

  CodePointSet class_atom() {
    if (!more()) return CodePointSet();
    if (take("\\")) return escape(true);
    return CodePointSet::one(next_code_point(text_, &at_));
  }

  // After the backslash.
  CodePointSet escape(bool in_class) {
    if (!more()) return fail(ErrorCode::kInvalid, "a backslash with nothing behind it"), CodePointSet();
    const char c = text_[at_];
    static constexpr std::string_view kNames = "tnvfr";
    static constexpr std::string_view kMeanings = "\t\n\v\f\r";
    if (const size_t i = kNames.find(c); i != std::string_view::npos) {
      ++at_;
      return CodePointSet::one(static_cast<uint8_t>(kMeanings[i]));
    }
    if (take("d")) return digits();
    if (take("D")) return digits().complement();
    if (take("w")) return word_chars();
    if (take("W")) return word_chars().complement();
    if (take("s")) return spaces();
    if (take("S")) return spaces().complement();
    if (in_class && take("b")) return CodePointSet::one(8);
    if (take("x")) return CodePointSet::one(hex(2));
    if (take("u")) return CodePointSet::one(unicode_escape());
    if (next_is("b") || next_is("B")) return fail(ErrorCode::kUnsupported, "a word boundary"), CodePointSet();
    if (next_is("p") || next_is("P"))
      return fail(ErrorCode::kUnsupported, "a Unicode property"), CodePointSet();
    if (next_is("k") || (c >= '1' && c <= '9'))
      return fail(ErrorCode::kUnsupported, "a back reference"), CodePointSet();
    if (take("0")) return CodePointSet::one(0);
    if (take("c")) {
      const char letter = more() ? text_[at_] : ' ';
      if ((letter | 32) < 'a' || (letter | 32) > 'z')
        return fail(ErrorCode::kInvalid, "a bad control escape"), CodePointSet();
      ++at_;
      return CodePointSet::one(static_cast<uint32_t>(letter) % 32);
    }
    if ((c | 32) >= 'a' && (c | 32) <= 'z')
      return fail(ErrorCode::kInvalid, "an unknown escape"), CodePointSet();
    return CodePointSet::one(next_code_point(text_, &at_));
  }

  uint32_t hex(int32_t count) {
    uint32_t value = 0;
    for (int32_t i = 0; i < count; ++i) {
      const char c = more() ? text_[at_] : ' ';
      const char low = static_cast<char>(c | 32);
      const bool fits = (c >= '0' && c <= '9') || (low >= 'a' && low <= 'f');
      if (!fits) return fail(ErrorCode::kInvalid, "a bad hexadecimal escape"), 0;
      value = value * 16 + static_cast<uint32_t>(c <= '9' ? c - '0' : low - 'a' + 10);
      ++at_;
    }
    return value;
  }

  uint32_t unicode_escape() {
    if (take("{")) {
      uint32_t value = 0;
      while (more() && !next_is("}") && value <= CodePointSet::kLast) value = value * 16 + hex(1);
      if (!take("}") || value > CodePointSet::kLast) fail(ErrorCode::kInvalid, "a bad Unicode escape");
      return value;
    }
    const uint32_t high = hex(4);
    if (high < 0xd800 || high > 0xdfff) return high;
    if (!take("\\u")) return fail(ErrorCode::kUnsupported, "a lone surrogate"), 0;
    const uint32_t low = hex(4);
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
      return fail(ErrorCode::kUnsupported, "a lone surrogate"), 0;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  }

  std::string_view text_;
  size_t at_ = 0;
  bool failed_ = false;
  Error error_;
};

}  // namespace

Result<PatternNode> parse_pattern(std::string_view pattern) {
  if (!is_valid_utf8(pattern)) return Error{ErrorCode::kInvalid, "the pattern is not valid UTF-8", ""};
  return Parser(pattern).run();
}

}  // namespace hussar
