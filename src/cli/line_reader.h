// Lines of standard input, and Ctrl-C while it waits for one.
#pragma once

#include <string>

#include "cli/interrupts.h"

namespace hussar {

class LineReader {
 public:
  explicit LineReader(Interrupts* interrupts) : interrupts_(interrupts) {}

  enum class Event { kLine, kEnd, kInterrupted };
  // kLine: the next line without its end, invalid UTF-8 replaced. kEnd: standard input has ended.
  Event next(std::string* line);

 private:
  bool take_line(std::string* line);

  Interrupts* interrupts_;
  std::string pending_;
  bool ended_ = false;
};

}  // namespace hussar
