// The scheduler's part about answers that are checked when they are whole: let through, or drawn again.
#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "engine/scheduler.h"

namespace hussar {

void Scheduler::pass(int32_t slot, TimePoint now, std::vector<TokenEvent>* events) {
  Sequence& sequence = at(slot);
  CHECK(flights_.empty() && awaits_check(slot));
  counts_.generated_tokens += sequence.generated_tokens;
  for (TokenEvent& event : sequence.held) {
    event.time = now;
    events->push_back(std::move(event));
  }
  sequence.held.clear();
  end(slot, *events->back().finish, &events->back());
}

void Scheduler::reject(int32_t slot, std::string_view fault, TimePoint now, std::vector<TokenEvent>* events) {
  Sequence& sequence = at(slot);
  CHECK(flights_.empty() && awaits_check(slot));
  ++counts_.checks_failed;
  sequence.tokens_left -= discard_answer(sequence);
  Request& request = sequence.request;
  if (sequence.attempts >= request.attempts_max || sequence.tokens_left < request.grammar->tokens_min()) {
    const std::string error = "no answer satisfied the schema in " + std::to_string(sequence.attempts) +
                              (sequence.attempts == 1 ? " attempt: " : " attempts: ") + std::string(fault);
    end_without_token(slot, FinishReason::kError, error, now, events);
    events->back().check_failed = true;
    return;
  }
  ++sequence.attempts;
  request.tokens_max = std::min(request.tokens_max, sequence.tokens_left);
  sequence.state = State::kRunning;
  sequence.turn = Turn::kTakesPart;
  sequence.computed = sequence.prompt_tokens - 1;  // the logits behind it are gone
  slots_anew_.push_back(slot);
}

// Takes back what has been generated; returns how many tokens that were.
int32_t Scheduler::discard_answer(Sequence& sequence) {
  const int32_t discarded = sequence.generated_tokens;
  counts_.surplus_tokens += discarded;
  sequence.discarded_tokens += discarded;
  sequence.generated_tokens = 0;
  sequence.tokens.resize(static_cast<size_t>(sequence.prompt_tokens));
  sequence.held.clear();
  return discarded;
}

}  // namespace hussar
