#include "grammar/code_point_set.h"

#include <algorithm>

namespace hussar {
namespace {

constexpr CodePointRange kSurrogates{0xd800, 0xdfff};

}  // namespace

CodePointSet::CodePointSet(std::vector<CodePointRange> ranges) {
  std::vector<CodePointRange> split;
  for (const CodePointRange& range : ranges) {
    const uint32_t last = std::min(range.last, kLast);
    if (range.first < kSurrogates.first && range.first <= last) {
      split.push_back({range.first, std::min(last, kSurrogates.first - 1)});
    }
    if (last > kSurrogates.last && range.first <= last) {
      split.push_back({std::max(range.first, kSurrogates.last + 1), last});
    }
  }
  std::sort(split.begin(), split.end(),
            [](const CodePointRange& a, const CodePointRange& b) { return a.first < b.first; });
  for (const CodePointRange& range : split) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CodePointSet CodePointSet::all() { return CodePointSet({{0, kLast}}); }

bool CodePointSet::contains(uint32_t code) const {
  for (const CodePointRange& range : ranges_) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

CodePointSet CodePointSet::united(const CodePointSet& other) const {
  std::vector<CodePointRange> ranges = ranges_;
  ranges.insert(ranges.end(), other.ranges_.begin(), other.ranges_.end());
  return CodePointSet(std::move(ranges));
}

CodePointSet CodePointSet::intersected(const CodePointSet& other) const {
  std::vector<CodePointRange> ranges;
  for (const CodePointRange& a : ranges_) {
    for (const CodePointRange& b : other.ranges_) {
      const uint32_t first = std::max(a.first, b.first);
      const uint32_t last = std::min(a.last, b.last);
      if (first <= last) ranges.push_back({first, last});
    }
  }
  return CodePointSet(std::move(ranges));
}

CodePointSet CodePointSet::complement() const {
  std::vector<CodePointRange> ranges;
  uint32_t next = 0;
  for (const CodePointRange& range : ranges_) {
    if (range.first > next) ranges.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) ranges.push_back({next, kLast});
  return CodePointSet(std::move(ranges));
}

}  // namespace hussar
