// Sets of Unicode code points, without surrogates: what one character of a string may be.
#pragma once

#include <cstdint>
#include <vector>

namespace hussar {

struct CodePointRange {
  uint32_t first = 0;
  uint32_t last = 0;  // inclusive
  bool operator==(const CodePointRange&) const = default;
};

class CodePointSet {
 public:
  static constexpr uint32_t kLast = 0x10ffff;

  CodePointSet() = default;
  // Any ranges, in any order.
  explicit CodePointSet(std::vector<CodePointRange> ranges);
  static CodePointSet all();
  static CodePointSet one(uint32_t code) { return CodePointSet({{code, code}}); }

  bool empty() const { return ranges_.empty(); }
  bool contains(uint32_t code) const;
  // Sorted, disjoint, not adjacent.
  const std::vector<CodePointRange>& ranges() const { return ranges_; }

  CodePointSet united(const CodePointSet& other) const;
  CodePointSet intersected(const CodePointSet& other) const;
  CodePointSet complement() const;

  bool operator==(const CodePointSet&) const = default;

 private:
  std::vector<CodePointRange> ranges_;
};

}  // namespace hussar
