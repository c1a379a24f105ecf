// Checks finished answers beside the engine's thread: a validator may take longer than a step.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "grammar/compiled_grammar.h"

namespace hussar {

// Owned by the engine thread, which alone calls it. The thread that checks is started with the first answer.
class AnswerChecks {
 public:
  explicit AnswerChecks(int32_t slots) : cells_(static_cast<size_t>(slots)) {}
  ~AnswerChecks();
  AnswerChecks(const AnswerChecks&) = delete;
  AnswerChecks& operator=(const AnswerChecks&) = delete;

  // REQUIRES: no answer of the slot is being checked.
  void begin(int32_t slot, std::shared_ptr<const CompiledGrammar> grammar, std::string answer);
  // The slot's sequence has ended; its verdict is of no interest any more. Also for a slot without one.
  void end(int32_t slot);

  bool under_way() const { return !used_.empty(); }
  // Waits until a verdict is there, or `deadline`.
  void wait_until(TimePoint deadline);

  struct Verdict {
    int32_t slot;
    Result<void> result;  // CompiledGrammar::check()'s
  };
  // The verdicts since the last call, in the order of their answers' ends.
  std::vector<Verdict> take();

 private:
  struct Cell {
    std::shared_ptr<const CompiledGrammar> grammar;
    std::string answer;
    std::optional<Result<void>> result;  // this and the next: under mutex_
    bool abandoned = false;
  };

  static Result<void> check(const Cell& cell);
  void work();

  std::vector<std::shared_ptr<Cell>> cells_;  // by slot; null: none
  std::vector<int32_t> used_;

  std::mutex mutex_;
  std::condition_variable queued_, done_;
  std::deque<std::shared_ptr<Cell>> queue_;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace hussar
