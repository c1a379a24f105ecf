// Which bytes of a file are there: half-open ranges, merged where they touch.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace hussar {

struct ByteRange {
  int64_t begin = 0, end = 0;  // [begin, end)
  int64_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

class RangeSet {
 public:
  // REQUIRES: 0 <= begin <= end.
  void add(ByteRange range);
  void subtract(ByteRange range);
  // The first hole in [0, size), at most `bytes_max` of it; none when all is there.
  std::optional<ByteRange> first_gap(int64_t size, int64_t bytes_max) const;
  int64_t total_bytes() const { return total_bytes_; }
  std::vector<ByteRange> ranges() const;

 private:
  std::map<int64_t, int64_t> ends_;  // begin -> end; neither overlapping nor touching
  int64_t total_bytes_ = 0;
};

// An answer's "Content-Range: bytes 0-99/1000" as [0, 100) of 1000; none where it is malformed or hides the
// size.
struct ContentRange {
  ByteRange range;
  int64_t size_bytes = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view text);

}  // namespace hussar
