#include "hub/range_set.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace hussar {
namespace {

constexpr int64_t kSize = 64;

// The same as one flag a byte.
std::vector<ByteRange> ranges_of(const std::vector<bool>& bytes) {
  std::vector<ByteRange> ranges;
  for (int64_t i = 0; i < kSize; ++i) {
    if (!bytes[static_cast<size_t>(i)]) continue;
    if (ranges.empty() || ranges.back().end != i) ranges.push_back({i, i});
    ranges.back().end = i + 1;
  }
  return ranges;
}

TEST(RangeSet, AgreesWithAFlagForEachByte) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  for (int round = 0; round < 200; ++round) {
    RangeSet set;
    std::vector<bool> bytes(kSize, false);
    for (int step = 0; step < 60; ++step) {
      const int64_t a = static_cast<int64_t>(random() % (kSize + 1)),
                    b = static_cast<int64_t>(random() % (kSize + 1));
      const ByteRange range{std::min(a, b), std::max(a, b)};
      const bool adds = random() % 3 != 0;
      adds ? set.add(range) : set.subtract(range);
      for (int64_t i = range.begin; i < range.end; ++i) bytes[static_cast<size_t>(i)] = adds;
      ASSERT_EQ(set.ranges(), ranges_of(bytes));
      ASSERT_EQ(set.total_bytes(), std::count(bytes.begin(), bytes.end(), true));
      const auto gap = set.first_gap(kSize, 5);
      const auto hole = std::find(bytes.begin(), bytes.end(), false);
      ASSERT_EQ(gap.has_value(), hole != bytes.end());
      if (!gap) continue;
      ASSERT_EQ(gap->begin, hole - bytes.begin());
      const auto filled = std::find(hole, bytes.end(), true);
      ASSERT_EQ(gap->size(), std::min<int64_t>(5, filled - hole));
    }
  }
}

TEST(ContentRange, TakesWholeOnesOnly) {
  const auto range = parse_content_range("bytes 5-9/100");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->range, (ByteRange{5, 10}));
  EXPECT_EQ(range->size_bytes, 100);
  for (const char* text : {"", "bytes", "bytes 5-9", "bytes 5-9/*", "bytes */100", "bytes 9-5/100",
                           "bytes 5-100/100", "bytes -5-9/100", "bytes 5-9/100 ", "items 5-9/100",
                           "bytes 5-9/99999999999999999999", "bytes +5-9/100", "bytes 5 - 9/100"}) {
    EXPECT_FALSE(parse_content_range(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace hussar
