#include "grammar/grammar_compiler.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "grammar/grammar_frame.h"

extern char** environ;

namespace hussar {
namespace {

// Every field with its length before it, so that two specs never share a key.
std::string key_of(const GrammarSpec& spec) {
  std::string key =
      std::to_string(static_cast<int>(spec.kind)) + ':' + std::to_string(spec.text.size()) + ':' + spec.text;
  for (const std::string& choice : spec.choices) key += std::to_string(choice.size()) + ':' + choice;
  return key;
}

size_t text_bytes(const GrammarSpec& spec) {
  size_t bytes = spec.text.size();
  for (const std::string& choice : spec.choices) bytes += choice.size();
  return bytes;
}

Error over_limit(const std::string& what, int64_t limit, const char* unit) {
  return {ErrorCode::kTooLarge,
          what + " the limit of " + std::to_string(limit) + " " + unit + ": make it simpler", ""};
}

Error spawn_error(int code) {
  return {ErrorCode::kIo, std::string("the grammar compiler can't be started: ") + std::strerror(code), ""};
}

Error stopped_error() { return {ErrorCode::kCancelled, "the server is shutting down", ""}; }

// Undoes what a server does to its signals: the child decides for itself.
void reset_signals(posix_spawnattr_t* attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);
  posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

}  // namespace

class GrammarCompiler::Child {
 public:
  ~Child() {
    if (fd_ >= 0) close(fd_);
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  // Errors: kIo.
  static Result<std::shared_ptr<Child>> start(const ChildCommand& command,
                                              const GrammarVocabularyFrame& tokens);
  Result<GrammarAnswerFrame> ask(const GrammarJobFrame& job);
  // Any thread: ask() ends with an error.
  void interrupt() { shutdown(fd_, SHUT_RDWR); }

 private:
  int fd_ = -1;
  pid_t pid_ = -1;
};

Result<std::shared_ptr<GrammarCompiler::Child>> GrammarCompiler::Child::start(
    const ChildCommand& command, const GrammarVocabularyFrame& tokens) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return spawn_error(errno);
  auto child = std::make_shared<Child>();
  child->fd_ = ends[0];
  std::vector<char*> arguments{const_cast<char*>(command.program.c_str())};
  for (const std::string& argument : command.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  // The library reports on these; the answer's frame has what the sender is to know.
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // Connections that the server has open must not stay open because of this process.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  reset_signals(&attributes);
  const int code =
      posix_spawn(&child->pid_, command.program.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  if (code != 0) {
    child->pid_ = -1;
    return spawn_error(code);
  }
  RETURN_IF_ERROR(write_frame(child->fd_, encode_frame(tokens)));
  return child;
}

Result<GrammarAnswerFrame> GrammarCompiler::Child::ask(const GrammarJobFrame& job) {
  RETURN_IF_ERROR(write_frame(fd_, encode_frame(job)));
  constexpr size_t kRoom = 4096;
  // The process keeps its own deadline for each grammar, this one is for the process itself; it may have to
  // make the vocabulary ready first.
  constexpr int64_t kWallFactor = 20;
  const TimePoint deadline = Clock::now() + std::chrono::milliseconds(job.limits.cpu_ms_max * kWallFactor) +
                             std::chrono::seconds(30);
  ASSIGN_OR_RETURN(const std::string bytes,
                   read_frame(fd_, static_cast<size_t>(job.limits.result_bytes_max) + 2 * kRoom, deadline));
  GrammarAnswerFrame answer;
  RETURN_IF_ERROR(decode_frame(bytes, &answer));
  return answer;
}

GrammarCompiler::GrammarCompiler(const GrammarLimits& limits, TokenBytes token_bytes,
                                 std::vector<TokenId> stop_ids, ChildCommand command)
    : limits_(limits),
      command_(std::move(command)),
      token_bytes_(std::move(token_bytes)),
      stop_ids_(std::move(stop_ids)) {}

GrammarCompiler::~GrammarCompiler() = default;

std::optional<Result<SharedGrammar>> GrammarCompiler::find(const GrammarSpec& spec) {
  const std::string key = key_of(spec);
  std::lock_guard lock(cache_mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  ++counters_.cache_hits;
  if (!found->second->result.ok()) ++counters_.refused;
  return found->second->result;
}

Result<SharedGrammar> GrammarCompiler::compile(const GrammarSpec& spec) {
  std::lock_guard lock(compile_mutex_);
  // Somebody may have asked for the same while this call waited.
  if (auto known = find(spec)) return std::move(*known);
  auto result = compile_in_child(spec);
  const bool of_spec = result.ok() || result.error().code == ErrorCode::kInvalid ||
                       result.error().code == ErrorCode::kUnsupported ||
                       result.error().code == ErrorCode::kTooLarge;
  if (of_spec) remember(key_of(spec), result);
  return result;
}

Result<SharedGrammar> GrammarCompiler::compile_in_child(const GrammarSpec& spec) {
  if (text_bytes(spec) > static_cast<size_t>(limits_.text_bytes_max)) {
    return over_limit("it is longer than", limits_.text_bytes_max, "bytes");
  }
  Result<GrammarAnswerFrame> answer = ask_child(spec);
  if (!answer.ok()) return std::move(answer).error();
  switch (answer->outcome) {
    case GrammarOutcome::kCompiled:
      return CompiledGrammar::deserialise(answer->text, spec, std::move(answer->checks), vocabulary_);
    case GrammarOutcome::kInvalid:
      return Error{ErrorCode::kInvalid, answer->text, ""};
    case GrammarOutcome::kUnsupported:
      return Error{ErrorCode::kUnsupported, answer->text, ""};
    case GrammarOutcome::kTooLarge:
      return Error{ErrorCode::kTooLarge, answer->text, ""};
    case GrammarOutcome::kTime:
      return over_limit("compiling it takes longer than", limits_.cpu_ms_max, "ms");
    case GrammarOutcome::kBusy:
      return Error{ErrorCode::kFull, "the machine is too busy to compile it now: try again later", ""};
    case GrammarOutcome::kMemory:
      return over_limit("compiling it takes more memory than", limits_.memory_bytes_max, "bytes");
    case GrammarOutcome::kResultTooLarge:
      return over_limit("what it compiles to is larger than", limits_.result_bytes_max, "bytes");
    case GrammarOutcome::kCrashed:
      break;
  }
  return Error{ErrorCode::kTooLarge, "the grammar compiler can't handle it: make it simpler", ""};
}

Result<GrammarAnswerFrame> GrammarCompiler::ask_child(const GrammarSpec& spec) {
  for (int tries = 1;; ++tries) {
    ASSIGN_OR_RETURN(const std::shared_ptr<Child> child, ready_child());
    auto answer = child->ask({spec, limits_});
    if (answer.ok()) return answer;
    std::lock_guard lock(child_mutex_);
    child_ = nullptr;
    if (stopped_) return stopped_error();
    // One that something else ended, perhaps long ago, is not this grammar's fault: a new one may compile it.
    if (tries == 2 || answer.error().code != ErrorCode::kIo)
      return Error{ErrorCode::kIo, answer.error().message, ""};
  }
}

Result<std::shared_ptr<GrammarCompiler::Child>> GrammarCompiler::ready_child() {
  if (vocabulary_ == nullptr) {
    ASSIGN_OR_RETURN(vocabulary_, GrammarVocabulary::create(token_bytes_(), stop_ids_));
  }
  std::lock_guard lock(child_mutex_);
  if (stopped_) return stopped_error();
  if (child_ == nullptr) {
    ASSIGN_OR_RETURN(child_, Child::start(command_, {token_bytes_(), stop_ids_}));
  }
  return child_;
}

void GrammarCompiler::stop() {
  std::lock_guard lock(child_mutex_);
  stopped_ = true;
  if (child_ != nullptr) child_->interrupt();
}

void GrammarCompiler::remember(std::string key, Result<SharedGrammar> result) {
  constexpr size_t kEntryBytes = 256;  // of an entry that holds nothing
  const size_t bytes = key.size() + kEntryBytes + (result.ok() ? (*result)->memory_bytes() : 0);
  std::lock_guard lock(cache_mutex_);
  ++(result.ok() ? counters_.compiled : counters_.refused);
  if (bytes > static_cast<size_t>(limits_.cache_bytes_max)) return;
  entries_.push_front({std::move(key), std::move(result), bytes});
  by_key_.emplace(entries_.front().key, entries_.begin());
  cache_bytes_ += bytes;
  while (cache_bytes_ > static_cast<size_t>(limits_.cache_bytes_max)) {
    cache_bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

GrammarCounters GrammarCompiler::counters() const {
  std::lock_guard lock(cache_mutex_);
  GrammarCounters counters = counters_;
  counters.cache_bytes = static_cast<int64_t>(cache_bytes_);
  return counters;
}

}  // namespace hussar
