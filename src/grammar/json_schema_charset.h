// Sets of code points, as a regular expression's classes and escapes name them.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace hussar {

// Code point ranges and Unicode general categories together, or all but these. Built with add..., then
// sealed.
class CharSet {
 public:
  using Range = std::pair<char32_t, char32_t>;  // both ends belong to it

  void add_range(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }
  // The escapes \d, \D, \s, \S, \w and \W, by their letter. ECMA-262's: \d and \w are ASCII.
  void add_escape(char letter);
  enum class Which : uint8_t { kThose, kAllOthers };
  // What stands between the braces of \p{...} or \P{...}: a general category under any of its names ("L",
  // "Letter", "gc=Lu", "General_Category=Lu"), "Any", "Assigned" or "ASCII". False where it is another
  // property.
  bool add_property(std::string_view name, Which which);
  void negate() { negated_ = !negated_; }
  // Sorts the ranges. REQUIRES: called once, after everything was added.
  void seal();

  bool contains(char32_t point) const {
    if (point < 128) return (ascii_[point >> 6] >> (point & 63) & 1) != 0;
    return contains_beyond_ascii(point);
  }

 private:
  bool holds(char32_t point) const;  // ranges and categories, by their tables
  bool contains_beyond_ascii(char32_t point) const { return holds(point) != negated_; }

  std::vector<Range> ranges_;
  uint32_t categories_ = 0;  // bit n stands for the category that utf8proc numbers n
  bool negated_ = false;
  uint64_t ascii_[2] = {0, 0};
};

}  // namespace hussar
