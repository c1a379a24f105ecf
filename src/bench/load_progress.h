// Inside the load generator: what a display shows while a run goes on.
#pragma once

#include <array>
#include <cstdint>

#include "bench/load.h"

namespace hussar {

// Counts durations in bounded memory; a quantile is off by less than 3 %.
class LogHistogram {
 public:
  void add(int64_t duration_ns);
  // The q-quantile in milliseconds; -1 when nothing was added.
  double quantile_ms(double q) const;

 private:
  // Sixteen buckets for each doubling, from a microsecond to more than an hour.
  static constexpr int kPerDoubling = 16;
  static constexpr int kBuckets = kPerDoubling * 33;
  std::array<uint32_t, kBuckets> counts_{};
  uint64_t total_ = 0;
};

class ProgressCounts {
 public:
  void add(const RequestRecord& record);
  // Fills in what it knows.
  void show(RunProgress* progress) const;

 private:
  int64_t ok_ = 0, errors_ = 0, chunks_ = 0;
  LogHistogram ttft_, e2e_;
};

}  // namespace hussar
