#include "grammar/grammar_compiler_child.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <utility>

#include "base/priority.h"
#include "grammar/compiled_grammar.h"
#include "grammar/grammar_frame.h"

namespace hussar {
namespace {

constexpr size_t kVocabularyBytesMax = 256 << 20;
constexpr size_t kJobBytesMax = 256 << 20;
constexpr int kExitBad = 2;

// The pages of address space that this process has now; 0 when the system does not tell.
int64_t address_space_pages() {
  int64_t pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  long long read = 0;
  if (std::fscanf(file, "%lld", &read) == 1) pages = read;
  std::fclose(file);
  return pages;
}

void limit_this_process(const GrammarLimits& limits) {
  const int64_t bytes = address_space_pages() * sysconf(_SC_PAGESIZE) + limits.memory_bytes_max;
  const rlimit memory{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  setrlimit(RLIMIT_AS, &memory);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // Ends the process by SIGPROF; RLIMIT_CPU counts whole seconds only.
  itimerval timer{};
  timer.it_value.tv_sec = limits.cpu_ms_max / 1000;
  timer.it_value.tv_usec = limits.cpu_ms_max % 1000 * 1000;
  setitimer(ITIMER_PROF, &timer, nullptr);
}

GrammarAnswerFrame compile(const GrammarJobFrame& job, std::shared_ptr<const GrammarVocabulary> vocabulary) {
  const auto outcome_of = [](const Error& error) {
    switch (error.code) {
      case ErrorCode::kOutOfMemory:
        return GrammarOutcome::kMemory;
      case ErrorCode::kUnsupported:
        return GrammarOutcome::kUnsupported;
      case ErrorCode::kTooLarge:
        return GrammarOutcome::kTooLarge;
      default:
        return GrammarOutcome::kInvalid;
    }
  };
  const auto grammar = CompiledGrammar::compile(job.spec, std::move(vocabulary));
  if (!grammar.ok()) return {outcome_of(grammar.error()), grammar.error().message, {}};
  auto bytes = (*grammar)->serialise();
  if (!bytes.ok()) return {outcome_of(bytes.error()), bytes.error().message, {}};
  if (bytes->size() > static_cast<size_t>(job.limits.result_bytes_max)) {
    return {GrammarOutcome::kResultTooLarge, "", {}};
  }
  return {GrammarOutcome::kCompiled, std::move(*bytes), (*grammar)->checks()};
}

// When a fork runs: where others want all processors, one that only runs when they don't may get nowhere.
enum class Eagerness { kWhenIdle, kInBackground };

// The fork's whole life.
[[noreturn]] void run_job(const GrammarJobFrame& job,
                          const std::shared_ptr<const GrammarVocabulary>& vocabulary, Eagerness eagerness,
                          int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (eagerness == Eagerness::kWhenIdle) run_when_idle();
  limit_this_process(job.limits);
  (void)write_frame(out, encode_frame(compile(job, vocabulary)));
  // Nothing of what the parent has is to be closed or written a second time.
  _exit(0);
}

int64_t milliseconds(const timeval& time) { return int64_t{time.tv_sec} * 1000 + time.tv_usec / 1000; }

// Of one that had not answered in all that time: its own fault only where it had the processor meanwhile.
GrammarOutcome outcome_of_lateness(const rusage& used, const GrammarLimits& limits) {
  const bool worked = milliseconds(used.ru_utime) + milliseconds(used.ru_stime) >= limits.cpu_ms_max / 2;
  return worked ? GrammarOutcome::kTime : GrammarOutcome::kBusy;
}

GrammarOutcome outcome_of_death(int status) {
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGPROF || WTERMSIG(status) == SIGXCPU)) {
    return GrammarOutcome::kTime;
  }
  return GrammarOutcome::kCrashed;
}

// A process that works on a job. Ends with the object.
class Fork {
 public:
  Fork(const GrammarJobFrame& job, const std::shared_ptr<const GrammarVocabulary>& vocabulary,
       Eagerness eagerness)
      : job_(job) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    fd_ = ends[0];
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      run_job(job, vocabulary, eagerness, ends[1]);
    }
    close(ends[1]);
  }
  ~Fork() {
    if (fd_ >= 0) close(fd_);
    if (pid_ > 0) (void)reap(nullptr);
  }
  Fork(const Fork&) = delete;
  Fork& operator=(const Fork&) = delete;

  // Whether it got less than a quarter of a processor in that time, and has not answered.
  bool starves(std::chrono::milliseconds time) {
    pollfd answer{fd_, POLLIN, 0};
    if (pid_ <= 0 || poll(&answer, 1, static_cast<int>(time.count())) != 0) return false;
    clockid_t clock;
    timespec used{};
    if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) return false;
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec) < time / 4;
  }

  GrammarAnswerFrame answer(TimePoint deadline) {
    if (pid_ <= 0) return {GrammarOutcome::kBusy, "", {}};
    constexpr size_t kRoom = 4096;
    const auto bytes = read_frame(fd_, static_cast<size_t>(job_.limits.result_bytes_max) + kRoom, deadline);
    close(std::exchange(fd_, -1));
    rusage used{};
    const int status = reap(&used);
    GrammarAnswerFrame answer;
    if (bytes.ok() && decode_frame(*bytes, &answer).ok()) return answer;
    const bool late = !bytes.ok() && bytes.error().code == ErrorCode::kCancelled;
    return {late ? outcome_of_lateness(used, job_.limits) : outcome_of_death(status), "", {}};
  }

 private:
  // What has answered is at its end; what has not is late.
  int reap(rusage* used) {
    kill(pid_, SIGKILL);
    int status = 0;
    while (wait4(pid_, &status, 0, used) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  const GrammarJobFrame& job_;
  int fd_ = -1;
  pid_t pid_ = -1;
};

GrammarAnswerFrame fork_job(const GrammarJobFrame& job,
                            const std::shared_ptr<const GrammarVocabulary>& vocabulary) {
  // Processor time is what is limited; a busy machine gives a process of low priority a small share of it.
  constexpr int64_t kWallFactor = 10;
  constexpr std::chrono::milliseconds kPatience{500};
  const TimePoint deadline = Clock::now() + std::chrono::milliseconds(job.limits.cpu_ms_max * kWallFactor);
  {
    Fork fork(job, vocabulary, Eagerness::kWhenIdle);
    if (!fork.starves(kPatience)) return fork.answer(deadline);
  }
  Fork fork(job, vocabulary, Eagerness::kInBackground);
  return fork.answer(deadline);
}

}  // namespace

int run_grammar_compiler_child(int fd) {
  // A terminal's interrupt goes to the server, which ends this process by closing the connection.
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(ignored, SIG_IGN);
  run_in_background();
  const auto first = read_frame(fd, kVocabularyBytesMax, std::nullopt);
  GrammarVocabularyFrame tokens;
  if (!first.ok() || !decode_frame(*first, &tokens).ok()) return kExitBad;
  const auto vocabulary = GrammarVocabulary::create(tokens.token_bytes, std::move(tokens.stop_ids));
  if (!vocabulary.ok()) return kExitBad;
  tokens = {};
  for (;;) {
    const auto bytes = read_frame(fd, kJobBytesMax, std::nullopt);
    if (!bytes.ok()) return 0;  // the server has gone
    GrammarJobFrame job;
    if (!decode_frame(*bytes, &job).ok()) return kExitBad;
    if (!write_frame(fd, encode_frame(fork_job(job, *vocabulary))).ok()) return 0;
  }
}

}  // namespace hussar
