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
  // `title` stands before each line: "load", "probe 3: 12 requests/s".
  explicit RunDisplay(std::string title);
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
  const std::string title_;
  bool line_shown_ = false;
  TimePoint next_line_;
};

// "12 s, 340 sent, 8 running, 2 errors; 28.3 requests/s, first token 41 ms (p99 120), whole 1.2 s (p99 2.1);
// 18 s left".
std::string progress_text(const RunProgress& progress);

struct ShownRun {
  RunLog log;
  bool interrupted = false;  // by a person; log.interrupted is also true where whoever called set `stop`
};

// Runs `run` (run_load with the given options and stop) on a thread of its own, while this one shows how it
// goes and hears Ctrl-C: the first sets *stop, which ends the run and keeps its records, a second ends the
// process.
ShownRun run_shown(const std::string& title, Interrupts* interrupts, LoadOptions options,
                   std::atomic<bool>* stop,
                   const std::function<RunLog(const LoadOptions&, const std::atomic<bool>&)>& run);

}  // namespace hussar
