// Which tokens of which sequences run in the next step, and what became of those that ran.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_table.h"
#include "base/result.h"
#include "base/types.h"
#include "engine/block_pool.h"
#include "engine/drafts.h"
#include "engine/forecast.h"
#include "engine/load_estimate.h"
#include "engine/request.h"
#include "engine/step_cost.h"
#include "engine/waiting_queue.h"
#include "grammar/stop_automaton.h"
#include "kernels/batch.h"

namespace hussar {

struct SchedulerLimits {
  int32_t context_max = 2048;     // positions of one sequence: prompt and answer
  int32_t running_max = 64;       // sequences that run at once; slots are 0 .. running_max - 1
  int32_t queue_max = 256;        // requests that wait
  int32_t step_tokens_max = 512;  // rows of one step; at least running_max, so that decoding always fits
  // While answers are generated, prompts get no more rows than let a step end in time by the cost of those
  // before it (StepCost::prompt_rows_within); 0: as many as fit.
  double step_seconds_max = 0;
  int64_t priority_ageing_ms = 1000;  // of waiting make up for one step of priority
  bool prefix_cache = true;
  // Blocks with generated tokens are published too: only where the device computes generated rows with the
  // same sums as a prompt's.
  bool cache_generated = false;
  int32_t draft_tokens_max = 0;  // that are guessed for one sequence in a step; 0: none
  DraftMode draft_mode = DraftMode::kWhenFaster;
  // Logit rows of one step; at least running_max. What is beyond the sequences' own is for drafts.
  int32_t logit_rows_max = 64;
};

// A part of one sequence that runs in a step: `rows` tokens from `first_position` on.
struct StepPart {
  int32_t slot;
  int32_t first_position;
  int32_t rows;
  // 1 when a token is sampled after its last row, 0 for a prompt's earlier chunks; where tokens were drafted,
  // all rows: the first is the last committed token, each other one a draft.
  int32_t logit_rows;
  RowRole role;
};

// Of a part with several logit rows all but the first are behind drafts.
inline size_t drafted_tokens(const StepPart& part) {
  return part.logit_rows > 1 ? static_cast<size_t>(part.logit_rows) - 1 : 0;
}

// A value: it can be logged and replayed. Decoding parts come first, then prompts.
struct StepPlan {
  int64_t step = 0;
  std::vector<StepPart> parts;
  int32_t rows = 0;
  int32_t logit_rows = 0;
  std::vector<TokenId> drafts;   // of the parts with several logit rows, in their order
  std::vector<int32_t> ended;    // slots that became free since the last plan, or whose answer begins anew
  std::vector<int32_t> started;  // slots that were given to a new sequence or answer, after `ended`
};

constexpr size_t kStepSizes = 16;

struct SchedulerCounts {
  int32_t waiting = 0, running = 0;
  int64_t finished[6] = {};  // by FinishReason
  int64_t prompt_tokens = 0;
  int64_t prefix_queried_tokens = 0, prefix_hit_tokens = 0;
  int64_t generated_tokens = 0;
  int64_t surplus_tokens = 0;
  int64_t checks_failed = 0;  // answers that did not pass their check
  int64_t drafted_tokens = 0, drafts_accepted = 0;
  int64_t rows = 0;
  int64_t steps = 0;
  int64_t steps_by_rows[kStepSizes] = {};  // steps of at most 1, 2, 4, ... rows, and larger ones at the end
  int64_t deadline_refused = 0;  // requests whose deadline could not be met, or only at another one's cost
};

// Continuous batching over a fixed pool of KV blocks. No clock, no device, no I/O, no locks: its callers take
// turns, and a test runs a million steps of it on values alone. Plans and event buffers are reused:
// no allocation in a steady state.
//
// Promises:
//  1. A request that submit() accepted gets exactly one terminal event, whatever happens.
//  2. An admitted request holds blocks, or pledges of them, for its prompt and all of its tokens_max: it is
//  never preempted and never waits
//     for memory. They return to the pool at once, or, when a plan that names them is under way, when that
//     plan is committed.
//  3. Every decoding sequence that doesn't sit out (a late mask, or see 6) runs in every step. Prompts share
//  the rest, or what the bound on a step's time leaves of it: the oldest gets at least half of it, the rest
//  goes to those with
//     the fewest tokens left, so that a short prompt never waits for all of a long one, and a long one never
//     waits for ever. A prompt whose next block another one is computing waits for that block instead of
//     computing it a second time.
//  4. Turns go to the tenant that was served least for its share, within a tenant by priority and age, and
//  what doesn't fit is waited for: nothing overtakes it.
//  5. Free + cached + used blocks == all blocks, after every call (check_integrity()).
//  6. Where tenants are told apart, the last eighth of slots and blocks is for those below their share, and
//  while several run, a step holds no more of a tenant's sequences than its share of the slots: the others
//  take turns. A flood costs another tenant its own share of the device at most.
//  A sequence whose answer is to be checked keeps its slot and its blocks until the verdict, and for the next
//  attempt, which begins at the prompt's last token. Its events are held back until it has passed.
//  A drafted token is committed when it is what its sequence's own (seed, position) samples: no answer
//  depends on drafts. They only take rows that nobody else wants.
//  7. A request with a deadline is accepted only when, by the cost of the steps so far, it ends in time
//  behind everything that is here and makes nothing late that was promised before; and nothing starts,
//  whatever its priority, that would make a promise late. A deadline that has passed ends its request.
class Scheduler {
 public:
  // `token_bytes[id]`, for stop strings, must outlive the scheduler; ids beyond its end have no bytes.
  Scheduler(const SchedulerLimits& limits, BlockPool& pool, const ByteTable& token_bytes);

  // Errors: kTooLarge (can never fit), kFull (queue), kDeadline (can't be met now; `wait_ms` would be),
  // kInvalid (a deadline that an idle device can't meet). REQUIRES: the request passed validate_request();
  // `id` is greater than any before.
  Result<void> submit(RequestId id, Request request, TimePoint now = {});

  // Ends a waiting or running request. An unknown or ended id is ignored: the client's cancel and the last
  // token may cross.
  void cancel(RequestId id, TimePoint now, std::vector<TokenEvent>* events);
  // Ends what has passed its deadline. To be called before each plan().
  void expire(TimePoint now, std::vector<TokenEvent>* events);
  void end_all(FinishReason reason, std::string_view error, TimePoint now, std::vector<TokenEvent>* events);

  // Whether a running sequence takes part in the plans that follow. One whose next mask is late sits out.
  enum class Turn : uint8_t { kTakesPart, kSitsOut };
  void set_turn(int32_t slot, Turn turn) { at(slot).turn = turn; }
  bool is_running(int32_t slot) const { return at(slot).state == State::kRunning; }
  // Ends a running sequence with kError. REQUIRES: no plan is uncommitted.
  void fail(int32_t slot, std::string_view error, TimePoint now, std::vector<TokenEvent>* events);

  // Whether a sequence's answer is complete and waits for its verdict: to be given with pass() or reject().
  bool awaits_check(int32_t slot) const { return at(slot).state == State::kAwaitsCheck; }
  // Its events come at once, as of `now`. REQUIRES: it awaits its check, and no plan is uncommitted.
  void pass(int32_t slot, TimePoint now, std::vector<TokenEvent>* events);
  // The answer is thrown away and drawn again while its request allows for it; else it ends with kError,
  // which tells the last `fault`. REQUIRES: as for pass().
  void reject(int32_t slot, std::string_view fault, TimePoint now, std::vector<TokenEvent>* events);

  // Admits what fits and says what to run next; a plan without parts when nothing can run. REQUIRES: the last
  // plan with parts is committed.
  void plan(TimePoint now, StepPlan* plan);

  // Plans the step behind one that is under way, whose tokens are not known yet: a row for each sequence that
  // `current` samples a token of, unless that token is its last one in any case. A token that ends an answer
  // by itself makes the row behind it surplus. False, and nothing is changed, where plan() might do more than
  // that once the tokens are known: admit a request, go on with a prompt, draft, let tenants take turns, or
  // choose by what was sampled (grammars, bad words). `ahead` neither starts nor ends a slot.
  // REQUIRES: `current` is the last plan, and the only one that is not committed.
  bool plan_ahead(const StepPlan& current, StepPlan* ahead);

  // How many of a part's sampled tokens stand behind tokens that are the answer's: of a draft, up to the
  // first that was guessed wrong. `sampled` and `drafts` are the part's own.
  static int32_t tokens_confirmed(std::span<const SampledToken> sampled, std::span<const TokenId> drafts);

  // Takes the sampled tokens of a plan that has run, one for each logit row, and appends their events in the
  // plan's order. Those behind a wrong draft are dropped and counted as surplus. A token of a sequence that
  // ended in the meantime is dropped and counted as surplus.
  void commit(const StepPlan& plan, std::span<const SampledToken> tokens, TimePoint now,
              std::vector<TokenEvent>* events);

  // What a planned part is about. Valid until the next call that is neither const nor submit(). A part that
  // was planned ahead begins behind the last of `tokens`.
  struct SequenceView {
    RequestId id;
    const Request& request;  // its prompt is empty: it has moved to the front of `tokens`
    int32_t prompt_tokens;
    int32_t generated_tokens;
    int32_t attempt;                  // 0, or how often the answer failed its check
    std::span<const TokenId> tokens;  // prompt, then committed tokens
    std::span<const int32_t> blocks;  // of positions 0 .. at least the end of the planned part
  };
  // REQUIRES: the slot is in a plan that is not committed, or in the last one.
  SequenceView sequence(int32_t slot) const;

  // The blocks that a request of this size can need at most.
  static int64_t blocks_needed(int64_t prompt_tokens, int64_t tokens_max, int32_t block_tokens);

  SchedulerCounts counts() const;
  int64_t waiting_tokens() const { return waiting_.tokens(); }
  // `share` is the tenant's, which may have nothing here.
  LoadEstimate load(TenantId tenant, double share) const;
  // CHECKs the pool and that each block's references are the tables that name it.
  void check_integrity() const;

 private:
  // kEnded: a plan that names it is still under way.
  enum class State : uint8_t { kIdle, kRunning, kAwaitsCheck, kEnded };

  struct Sequence {
    State state = State::kIdle;
    Turn turn = Turn::kTakesPart;
    int32_t flights = 0;      // plans under way that name it
    int32_t flight_rows = 0;  // of them together
    RequestId id = 0;
    Request request;
    int32_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
    std::vector<TokenId> tokens;
    std::vector<int32_t> blocks;  // the first `published` of them are published
    int32_t published = 0;
    int32_t pledged = 0;
    int32_t computed = 0;  // positions whose keys and values are stored
    std::optional<StopMatcher> stops;
    TimePoint admitted;
    int32_t tokens_left = 0;  // to be generated at most, by this attempt and those that may follow
    int32_t attempts = 1;
    int32_t discarded_tokens = 0;
    std::vector<TokenEvent> held;  // of a checked answer
    DraftTrust trust;
    int64_t last_step = 0;  // that it took part in
    bool sits_out = false;  // of the step that is planned
  };

  Sequence& at(int32_t slot) { return sequences_[static_cast<size_t>(slot)]; }
  static bool takes_part(const Sequence& sequence) {
    return sequence.state == State::kRunning && sequence.turn == Turn::kTakesPart && !sequence.sits_out;
  }
  const Sequence& at(int32_t slot) const { return sequences_[static_cast<size_t>(slot)]; }

  void admit_waiting(TimePoint now, StepPlan* plan);
  bool admit_one(TimePoint now, StepPlan* plan);
  bool admit(const WaitingRequest& waiting, TimePoint now, StepPlan* plan);
  const WaitingRequest* next_in_turn();
  bool over_share(const WaitingRequest& waiting) const;
  void choose_sitting_out();
  void find_prefix(const Request& request);
  void adopt_prefix(Sequence& sequence);
  void plan_prompts(StepPlan* plan);
  void plan_drafts(StepPlan* plan);
  void begin_plan(StepPlan* plan) const;
  bool can_plan_ahead() const;
  bool goes_on(const Sequence& sequence) const;
  void set_under_way(const StepPlan& plan, int32_t prompt_rows);
  int32_t draft_room(const Sequence& sequence, const StepPlan& plan) const;
  bool waits_for_another(int32_t slot) const;
  void add_part(int32_t slot, int32_t rows, RowRole role, StepPlan* plan);
  void take_blocks(Sequence& sequence, int32_t positions);
  void commit_answer(const StepPart& part, std::span<const SampledToken> sampled,
                     std::span<const TokenId> drafts, TimePoint now, std::vector<TokenEvent>* events);

  // Promises to requests with deadlines.
  static int32_t tokens_of(const Request& request);  // that it may generate, all attempts together
  ForecastJob job_of(const Request& request) const;
  void collect_running();
  Clock::duration rest_of_step(TimePoint now) const;
  void forecast(std::span<const ForecastJob> waiting, std::vector<double>* ends);
  Result<void> check_deadline(RequestId id, TimePoint now);
  enum class CandidateStart { kNow, kInTurn };
  bool harms_promise(const WaitingRequest& candidate, CandidateStart start, TimePoint now);
  bool keeps_promises(const WaitingRequest& candidate, TimePoint now);

  void publish_full_blocks(Sequence& sequence);
  void accept(int32_t slot, const SampledToken& sampled, TimePoint now, std::vector<TokenEvent>* events);
  std::optional<FinishReason> finish_of(Sequence& sequence, TokenId token, TokenEvent* event);
  void end(int32_t slot, FinishReason reason, TokenEvent* event);
  int32_t discard_answer(Sequence& sequence);
  void end_without_token(int32_t slot, FinishReason reason, std::string_view error, TimePoint now,
                         std::vector<TokenEvent>* events);
  void end_waiting(const WaitingRequest& waiting, FinishReason reason, std::string_view error, TimePoint now,
                   std::vector<TokenEvent>* events);
  void note_size(const Sequence& sequence);
  void free_slot(int32_t slot);

  const SchedulerLimits limits_;
  BlockPool& pool_;
  const ByteTable& token_bytes_;
  WaitingQueue waiting_;
  StepCost cost_;
  std::vector<Sequence> sequences_;  // by slot
  std::vector<int32_t> running_;     // slots, oldest first
  std::vector<int32_t> slots_free_;
  std::vector<int32_t> slots_ended_;  // for the next plan
  std::vector<int32_t> slots_anew_;   // whose answers begin anew with the next plan
  bool admission_blocked_ =
      false;  // what is next did not fit, and nothing has been released or has come since
  // Plans that are not committed, oldest first: one, and one that was planned ahead.
  struct Flight {
    int64_t step;
    int32_t prompt_rows, generated_rows;
  };
  std::vector<Flight> flights_;
  TimePoint step_began_, last_commit_;  // step_began_: the oldest flight's
  int32_t running_deadlines_ = 0;
  // Of requests as they were lately.
  double mean_prompt_rows_ = 0, mean_generated_ = 0;
  double limit_used_ = 1;  // share of tokens_max that was generated
  SchedulerCounts counts_;
  // Reused by plan().
  struct Pending {
    int32_t slot;
    int32_t left;
    int32_t rows;
  };
  std::vector<Pending> pending_;
  std::vector<int32_t> by_left_;
  std::vector<TokenId> draft_;
  std::vector<int32_t> hits_;
  // Reused by admission.
  std::vector<TenantId> turns_;
  std::vector<const WaitingRequest*> urgent_;
  std::vector<int32_t> mine_;
  Forecast forecast_;
  std::vector<ForecastJob> running_jobs_, waiting_jobs_;
  std::vector<int32_t> owners_;  // of blocks, see collect_running()
  int64_t ending_blocks_ = 0;
  std::vector<double> ends_held_, ends_before_, ends_after_;
};

}  // namespace hussar
