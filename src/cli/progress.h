// Shows how far loading is: a bar on a terminal, a log line now and then elsewhere.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace hussar {

class LoadProgress {
 public:
  LoadProgress();
  // Takes the bar away.
  ~LoadProgress();
  LoadProgress(const LoadProgress&) = delete;
  LoadProgress& operator=(const LoadProgress&) = delete;

  void show(int64_t done_bytes, int64_t all_bytes);

 private:
  const bool terminal_;
  int64_t percent_shown_ = -1;
  TimePoint line_after_;  // the next log line not before
};

}  // namespace hussar
