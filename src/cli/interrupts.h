// Ctrl-C, SIGTERM and, where wanted, SIGHUP as something to ask for and to wait for, in place of handlers.
#pragma once

namespace hussar {

// Holds the signals back for this thread and all threads that it starts later. REQUIRES: made before
// any other thread.
class Interrupts {
 public:
  enum class Hangup { kEndsProcess, kIsTaken };
  explicit Interrupts(Hangup hangup = Hangup::kEndsProcess);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  enum class Kind { kNone, kInterrupt, kTerminate, kHangup };
  Kind take();                    // the next one that came, if any
  Kind wait();                    // until one comes
  Kind wait_for(int wait_ms);     // or the time is over: kNone
  int fd() const { return fd_; }  // readable while one waits to be taken

  // From here on one ends the process at once: for what follows the first.
  void let_through();

 private:
  const Hangup hangup_;
  int fd_;
};

}  // namespace hussar
