#include "grammar/grammar_compiler_child.h"

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

// The fork's whole life.
[[noreturn]] void run_job(const GrammarJobFrame& job,
                          const std::shared_ptr<const GrammarVocabulary>& vocabulary, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
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

GrammarAnswerFrame fork_job(const GrammarJobFrame& job,
                            const std::shared_ptr<const GrammarVocabulary>& vocabulary) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return {GrammarOutcome::kCrashed, "", {}};
  const pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return {GrammarOutcome::kCrashed, "", {}};
  }
  if (pid == 0) {
    close(ends[0]);
    run_job(job, vocabulary, ends[1]);
  }
  close(ends[1]);
  // Processor time is what is limited; a busy machine gives a process of low priority a small share of it.
  constexpr int64_t kWallFactor = 10;
  const TimePoint deadline = Clock::now() + std::chrono::milliseconds(job.limits.cpu_ms_max * kWallFactor);
  constexpr size_t kRoom = 4096;
  const auto bytes = read_frame(ends[0], static_cast<size_t>(job.limits.result_bytes_max) + kRoom, deadline);
  close(ends[0]);
  kill(pid, SIGKILL);  // what has answered is at its end; what has not is late
  int status = 0;
  rusage used{};
  while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR) {
  }
  GrammarAnswerFrame answer;
  if (bytes.ok() && decode_frame(*bytes, &answer).ok()) return answer;
  const bool late = !bytes.ok() && bytes.error().code == ErrorCode::kCancelled;
  return {late ? outcome_of_lateness(used, job.limits) : outcome_of_death(status), "", {}};
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
