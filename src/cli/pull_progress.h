// Shows how far a pull is: a bar with rate and time left on a terminal, a line now and then elsewhere.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "base/types.h"
#include "hub/pull.h"

namespace hussar {

class PullDisplay {
 public:
  PullDisplay();
  // Takes the bar away.
  ~PullDisplay();
  PullDisplay(const PullDisplay&) = delete;
  PullDisplay& operator=(const PullDisplay&) = delete;

  // Call a few times a second, from one thread.
  void show(const PullProgress& progress);
  // A line of its own; from any thread.
  void note(const std::string& line);

 private:
  struct Sample {
    TimePoint at;
    int64_t bytes;
  };
  // Of the last seconds; 0 where not known yet.
  double bytes_per_second(int64_t received_bytes);

  const bool terminal_;
  std::mutex mutex_;  // one line at a time
  bool bar_shown_ = false;
  TimePoint line_after_;
  std::deque<Sample> samples_;
};

// "850 KB/s", "12 MB/s"; "3 s", "4 min 05 s", "2 h 10 min".
std::string rate_text(double bytes_per_second);
std::string duration_text(int64_t seconds);

}  // namespace hussar
