// Shows how a run goes while it goes: one line that changes on a terminal, a line now and then elsewhere.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/types.h"
#include "bench/load.h"
#include "cli/interrupts.h"

namespace hussar {

class RunDisplay {
 public:
  enum class TimeLeft { kKnown, kAtMost };  // kAtMost: the run may end sooner by itself
  struct Options {
    std::string title;  // stands before each line: "probe 3, 12 requests/s"
    TimeLeft time_left = TimeLeft::kKnown;
  };
  explicit RunDisplay(Options options);
  // Takes the line away.
  ~RunDisplay();
  RunDisplay(const RunDisplay&) = delete;
  RunDisplay& operator=(const RunDisplay&) = delete;

  // Call a few times a second, from one thread.
  void show(const RunProgress& progress);
  // A line of its own.
  void note(const std::string& line);

 private:
  const bool terminal_;
  const Options options_;
  bool line_shown_ = false;
  TimePoint next_line_;
};

// "12 s, 340 sent, 8 running, 2 errors, 28.3 answers/s, first token 41.0 ms (p99 120 ms), whole 1200 ms (p99
// 2100 ms), 18 s left".
std::string progress_text(const RunProgress& progress, RunDisplay::TimeLeft time_left);

struct ShownRun {
  RunLog log;
  bool interrupted = false;  // by a person; log.interrupted is also true where whoever called set `stop`
};

// Runs `run` (run_load with the given options and stop) on a thread of its own, while this one shows how it
// goes and hears Ctrl-C: the first sets *stop, which ends the run and keeps its records, a second ends the
// process.
ShownRun run_shown(const RunDisplay::Options& display, Interrupts* interrupts, LoadOptions options,
                   std::atomic<bool>* stop,
                   const std::function<RunLog(const LoadOptions&, const std::atomic<bool>&)>& run);

}  // namespace hussar
