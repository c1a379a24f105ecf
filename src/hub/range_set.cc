#include "hub/range_set.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "base/check.h"

namespace hussar {
namespace {

// A number of digits only, taken off the front of `text`.
std::optional<int64_t> take_number(std::string_view* text) {
  int64_t number = 0;
  if (text->empty() || (*text)[0] < '0' || (*text)[0] > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc()) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return number;
}

bool take(std::string_view* text, std::string_view word) {
  if (!text->starts_with(word)) return false;
  text->remove_prefix(word.size());
  return true;
}

}  // namespace

void RangeSet::add(ByteRange range) {
  CHECK(range.begin >= 0 && range.begin <= range.end);
  if (range.begin == range.end) return;
  auto at = ends_.upper_bound(range.begin);
  if (at != ends_.begin() && std::prev(at)->second >= range.begin) --at;
  while (at != ends_.end() && at->first <= range.end) {
    range.begin = std::min(range.begin, at->first);
    range.end = std::max(range.end, at->second);
    total_bytes_ -= at->second - at->first;
    at = ends_.erase(at);
  }
  ends_.emplace(range.begin, range.end);
  total_bytes_ += range.size();
}

void RangeSet::subtract(ByteRange range) {
  CHECK(range.begin >= 0 && range.begin <= range.end);
  if (range.begin == range.end) return;
  auto at = ends_.upper_bound(range.begin);
  if (at != ends_.begin() && std::prev(at)->second > range.begin) --at;
  while (at != ends_.end() && at->first < range.end) {
    const auto [begin, end] = *at;
    total_bytes_ -= end - begin;
    at = ends_.erase(at);
    if (begin < range.begin) {
      ends_.emplace(begin, range.begin);
      total_bytes_ += range.begin - begin;
    }
    if (range.end < end) {
      at = std::next(ends_.emplace(range.end, end).first);
      total_bytes_ += end - range.end;
    }
  }
}

std::optional<ByteRange> RangeSet::first_gap(int64_t size, int64_t bytes_max) const {
  int64_t begin = 0, end = size;
  if (!ends_.empty()) {
    const auto first = ends_.begin();
    if (first->first > 0) {
      end = std::min(end, first->first);
    } else {
      begin = first->second;
      if (const auto second = std::next(first); second != ends_.end()) end = std::min(end, second->first);
    }
  }
  if (begin >= end) return std::nullopt;
  return ByteRange{begin, std::min(end, begin + bytes_max)};
}

std::vector<ByteRange> RangeSet::ranges() const {
  std::vector<ByteRange> all;
  for (const auto& [begin, end] : ends_) all.push_back({begin, end});
  return all;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!take(&text, "bytes ")) return std::nullopt;
  const auto first = take_number(&text);
  if (!first || !take(&text, "-")) return std::nullopt;
  const auto last = take_number(&text);
  if (!last || !take(&text, "/")) return std::nullopt;
  const auto size = take_number(&text);
  if (!size || !text.empty() || *last < *first || *size <= *last) return std::nullopt;
  return ContentRange{{*first, *last + 1}, *size};
}

}  // namespace hussar
