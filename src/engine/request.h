// What the engine is asked for and what it answers: token ids only, never text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "grammar/compiled_grammar.h"
#include "grammar/stop_automaton.h"
#include "kernels/batch.h"

namespace hussar {

using RequestId = uint64_t;  // chosen by Engine::submit, never reused
using TenantId = int32_t;    // in whose name it is asked; 0 where nobody is told apart

// Why an answer ended; exactly one for each accepted request.
enum class FinishReason : uint8_t { kStop, kLength, kCancelled, kDeadline, kError, kShutdown };

struct Request {
  std::vector<TokenId> prompt;  // at least 1 token, each within the vocabulary
  int32_t tokens_max = 0;       // at least 1; prompt + tokens_max fits the context
  // The first tokens_min tokens can't be stop ids, and stop strings are looked for in the bytes of the tokens
  // after them only.
  int32_t tokens_min = 0;
  SampleParams sample;
  uint64_t seed = 0;
  std::vector<TokenBias> bias;
  // Bit set: allowed; ceil(vocabulary / 32) words. Null: every token.
  std::shared_ptr<const std::vector<uint32_t>> allowed;
  // No answer holds one of these sequences: its last token is forbidden where the ones before it have just
  // been generated.
  std::vector<std::vector<TokenId>> bad_words;
  std::vector<TokenId> stop_ids;               // the file's end tokens too, unless they are ignored
  std::shared_ptr<const StopAutomaton> stops;  // null: none
  // Null: none. With one, tokens_min is 0 and the grammar's stop ids are among stop_ids: they are sampled
  // only where the document is whole.
  std::shared_ptr<const CompiledGrammar> grammar;
  // Where the grammar leaves something to be checked, no event comes before the whole answer has passed. One
  // that fails is thrown away and drawn anew, attempts_max times in all, as long as the failed ones have
  // taken no more than retry_tokens_max tokens beside the tokens_max of the answer; then it ends with kError.
  int32_t attempts_max = 1;
  int32_t retry_tokens_max = 0;
  int32_t logprobs_top = -1;  // as in SampleRow
  std::string cache_salt;     // prompts share cached blocks only under the same salt

  // Ended with kDeadline when it has not ended by then; accepted only when it can end before.
  TimePoint deadline = TimePoint::max();  // max(): none
  // Less is sooner, within its tenant; each step is made up for by SchedulerLimits::priority_ageing_ms of
  // waiting.
  int32_t priority = 0;
  TenantId tenant = 0;
  double tenant_share = 1;  // what the tenant is entitled to, in (0, 1]; 1: there is no other

  bool has_deadline() const { return deadline != TimePoint::max(); }
  bool is_checked() const { return grammar != nullptr && !grammar->checks().empty(); }
};

// One committed token, or the end. The last event of a request has `finish` and comes exactly once.
struct TokenEvent {
  RequestId request = 0;
  TokenId token = -1;  // -1: no token, only the end (cancelled, shutdown, error)
  float logprob = 0.0f;
  std::vector<TokenLogprob> top;
  std::optional<FinishReason> finish;
  TimePoint time;  // of the commit
  // With the last event: what the request used (nothing when it ended while it waited).
  int32_t prompt_tokens = 0;
  int32_t cached_prompt_tokens = 0;  // of those, taken from the prefix cache
  int32_t generated_tokens = 0;      // committed ones up to the one that ended the answer
  int32_t attempts = 1;              // at the answer; more than one where it is checked
  int32_t discarded_tokens = 0;      // that were generated and thrown away
  TokenId stop_token = -1;           // the stop id that ended it, or -1
  TimePoint admitted;                // with the last event: when the request left the queue
  std::string error;                 // with kError
  bool check_failed = false;         // with kError: no attempt at the answer passed its check
};

// Called on the engine thread, in order, with the events of one request of one step; must not block.
using EventSink = std::function<void(std::span<const TokenEvent>)>;

}  // namespace hussar
