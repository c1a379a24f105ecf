// Compiles grammars that come from elsewhere, in a process of their own with limits on time and memory, and
// keeps the results for the next request.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "grammar/compiled_grammar.h"
#include "grammar/grammar_limits.h"
#include "grammar/grammar_spec.h"

namespace hussar {

struct GrammarAnswerFrame;

using SharedGrammar = std::shared_ptr<const CompiledGrammar>;

struct GrammarCounters {
  int64_t compiled = 0;
  int64_t refused = 0;  // malformed, or over a limit
  int64_t cache_hits = 0;
  int64_t cache_bytes = 0;
};

// Any thread. compile() works on one grammar at a time: a second caller waits.
class GrammarCompiler {
 public:
  // How the compiling process is started: a program whose arguments make it call
  // run_grammar_compiler_child(0).
  struct ChildCommand {
    std::string program = "/proc/self/exe";
    std::vector<std::string> arguments = {"compile-grammars"};
  };

  using TokenBytes = std::function<std::vector<std::string>()>;

  // Starts nothing yet: a server that sees no grammar pays nothing. What `token_bytes` makes, and `stop_ids`,
  // as in GrammarVocabulary::create; it is called when a compiling process is started, and outlives this.
  GrammarCompiler(const GrammarLimits& limits, TokenBytes token_bytes, std::vector<TokenId> stop_ids,
                  ChildCommand command);
  ~GrammarCompiler();  // ends the compiling process

  // What compile() would give, when that is known already.
  std::optional<Result<SharedGrammar>> find(const GrammarSpec& spec);

  // Errors: kInvalid (malformed, or no answer can fit it), kUnsupported (a keyword that can't be enforced),
  // kTooLarge (over a limit: the message names it); kFull (the machine is too busy for it now); kIo and
  // kOutOfMemory when the compiling process can't be had, which is not the sender's fault.
  Result<SharedGrammar> compile(const GrammarSpec& spec);

  // Ends what is being compiled: that call, and all later ones, fail with kCancelled. For a server that
  // stops.
  void stop();

  GrammarCounters counters() const;

 private:
  class Child;
  struct Entry {
    std::string key;
    Result<SharedGrammar> result;
    size_t bytes;
  };

  Result<SharedGrammar> compile_in_child(const GrammarSpec& spec);
  Result<GrammarAnswerFrame> ask_child(const GrammarSpec& spec);
  Result<std::shared_ptr<Child>> ready_child();
  void remember(std::string key, Result<SharedGrammar> result);

  const GrammarLimits limits_;
  const ChildCommand command_;
  std::mutex compile_mutex_;  // held while a grammar is compiled; guards the next three
  const TokenBytes token_bytes_;
  std::vector<TokenId> stop_ids_;
  std::shared_ptr<const GrammarVocabulary> vocabulary_;

  std::mutex child_mutex_;  // guards the next two; taken after compile_mutex_
  std::shared_ptr<Child> child_;
  bool stopped_ = false;

  mutable std::mutex cache_mutex_;  // guards what follows; taken after compile_mutex_
  std::list<Entry> entries_;        // last used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;  // keys are the entries' own
  size_t cache_bytes_ = 0;
  GrammarCounters counters_;
};

}  // namespace hussar
