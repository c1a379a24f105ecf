// Which tokens may come next in the sequences that answer within a grammar, worked out beside the engine's
// thread: what one grammar takes long for must not hold up the others.
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

#include "base/types.h"
#include "grammar/compiled_grammar.h"
#include "grammar/ending.h"
#include "grammar/matcher.h"

namespace hussar {

// Owned by the engine thread, which alone calls it.
class GrammarMasks {
 public:
  // Masks have a bit for each of `vocab_size` logits, which are at least as many as a grammar's tokens.
  // `states_max` as in Matcher: a mask that takes more fails.
  GrammarMasks(int32_t slots, int32_t vocab_size, int32_t threads, int64_t states_max = Matcher::kStatesMax);
  ~GrammarMasks();
  GrammarMasks(const GrammarMasks&) = delete;
  GrammarMasks& operator=(const GrammarMasks&) = delete;

  // A sequence begins in `slot`: its first mask is ready at once.
  void begin(int32_t slot, std::shared_ptr<const CompiledGrammar> grammar);
  // Also for a slot without a grammar.
  void end(int32_t slot);

  bool has_grammar(int32_t slot) const { return at(slot) != nullptr; }
  const std::vector<int32_t>& slots() const { return used_; }  // those that have one

  // `token` was sampled for the slot: a thread takes it into the answer and works out the next mask.
  // REQUIRES: the slot has a grammar, and its mask is ready.
  void advance(int32_t slot, TokenId token);

  // Waits until every mask that is under way is ready, or `deadline`. What isn't ready then is late, and no
  // later call waits for it.
  void wait_until(TimePoint deadline);
  // Waits until one that is late is ready, or `deadline`.
  void wait_for_late_until(TimePoint deadline);

  // Before the slot's token is sampled, as one of `tokens_left`: where only the shortest way to the end fits,
  // the mask keeps its next token alone.
  void press(int32_t slot, int64_t tokens_left);
  // After it was sampled. False when the answer could not end within the `tokens_left` tokens that follow:
  // the token is not allowed any more, and another is to be sampled.
  bool take(int32_t slot, TokenId token, int64_t tokens_left);
  // The next token of the shortest way to the end alone is allowed.
  void force(int32_t slot);

  enum class State : uint8_t { kReady, kUnderWay, kFailed };
  State state(int32_t slot) const;
  // REQUIRES: kReady. Valid until advance() or end() of the slot.
  const uint32_t* mask(int32_t slot) const { return at(slot)->mask.data(); }
  // REQUIRES: kFailed.
  const std::string& error(int32_t slot) const { return at(slot)->error; }

 private:
  // A thread that works on one, which is under way then, shares it; nobody else touches it meanwhile but for
  // `late` and `abandoned`.
  struct Cell {
    std::shared_ptr<const CompiledGrammar> grammar;
    std::optional<Matcher> matcher;  // made with the first token
    std::vector<uint32_t> mask;
    TokenId token = -1;
    std::optional<Ending> ending;  // the engine thread's own
    std::string error;
    State state = State::kReady;  // this and the next two: under mutex_
    bool late = false;
    bool abandoned = false;  // its sequence has ended
  };

  const std::shared_ptr<Cell>& at(int32_t slot) const { return cells_[static_cast<size_t>(slot)]; }
  void work();
  bool advance(Cell* cell) const;

  const size_t mask_words_;
  const int64_t states_max_;
  std::vector<std::shared_ptr<Cell>> cells_;  // by slot; null: no grammar
  std::vector<int32_t> used_;

  mutable std::mutex mutex_;
  std::condition_variable queued_, done_;
  std::deque<std::shared_ptr<Cell>> queue_;
  int32_t awaited_ = 0;  // under way, neither late nor abandoned
  int64_t late_done_ = 0;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hussar
