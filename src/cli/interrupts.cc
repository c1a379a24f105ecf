#include "cli/interrupts.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"

namespace hussar {
namespace {

sigset_t signals(Interrupts::Hangup hangup) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (hangup == Interrupts::Hangup::kIsTaken) sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Interrupts::Interrupts(Hangup hangup) : hangup_(hangup) {
  const sigset_t set = signals(hangup);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK_NOTE(fd_ >= 0, "signalfd");
}

Interrupts::~Interrupts() { close(fd_); }

Interrupts::Kind Interrupts::take() {
  signalfd_siginfo info;
  if (read(fd_, &info, sizeof info) != sizeof info) return Kind::kNone;
  if (info.ssi_signo == SIGHUP) return Kind::kHangup;
  return info.ssi_signo == SIGINT ? Kind::kInterrupt : Kind::kTerminate;
}

Interrupts::Kind Interrupts::wait() {
  while (true) {
    if (const Kind kind = take(); kind != Kind::kNone) return kind;
    pollfd waiting{fd_, POLLIN, 0};
    poll(&waiting, 1, -1);
  }
}

Interrupts::Kind Interrupts::wait_for(int wait_ms) {
  if (const Kind kind = take(); kind != Kind::kNone) return kind;
  pollfd waiting{fd_, POLLIN, 0};
  poll(&waiting, 1, wait_ms);
  return take();
}

void Interrupts::let_through() {
  const sigset_t set = signals(hangup_);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace hussar
