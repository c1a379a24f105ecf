#include "engine/engine_loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "engine/answer_checks.h"
#include "engine/block_pool.h"
#include "engine/grammar_masks.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/validate.h"

namespace hussar {
namespace {

// How long an idle engine sleeps at most, so that EngineCounters::last_step shows that it lives.
constexpr std::chrono::milliseconds kIdleTurn{100};
// How long it waits for a late mask when there is nothing else to do, before it looks for commands.
constexpr std::chrono::milliseconds kLateTurn{1};

SchedulerLimits scheduler_limits(const EngineOptions& options, const DeviceInfo& device) {
  SchedulerLimits limits;
  limits.context_max = options.context_max;
  limits.running_max = options.running_max;
  limits.queue_max = options.queue_max;
  limits.step_tokens_max = options.step_tokens_max;
  limits.step_seconds_max = static_cast<double>(options.itl_ms_max) / 1000;
  limits.priority_ageing_ms = options.priority_ageing_ms;
  limits.prefix_cache = options.prefix_cache;
  limits.cache_generated = device.roles_agree;
  limits.draft_tokens_max = device.takes_back ? options.draft_tokens_max : 0;
  limits.draft_mode = options.draft_mode;
  limits.logit_rows_max = step_limits(options).logit_rows_max;
  return limits;
}

int64_t wait_ms(const LoadEstimate& load) {
  return static_cast<int64_t>(std::ceil(std::min(load.wait_seconds, 1e9) * 1000));
}

class EngineLoop final : public Engine {
 public:
  EngineLoop(const EngineOptions& options, EngineParts parts);
  ~EngineLoop() override { shutdown(); }

  Result<RequestId> submit(Request request, EventSink sink) override;
  void cancel(RequestId id) override;
  EngineCounters counters() const override;
  LoadEstimate load(TenantId tenant, double share) const override;
  const EngineOptions& options() const override { return options_; }
  const DeviceInfo& device() const override { return backend_->info(); }
  std::optional<Error> fault() const override;
  void shutdown() override;

 private:
  struct Step {
    StepPlan plan;
    std::vector<SampleRow> rows;
    std::vector<size_t> constrained;  // of rows, those whose tokens a grammar has to take
  };

  void run();
  // Waits for masks within the step's budget and says who sits out.
  void settle_masks();
  // Lets pass, or begin anew, what has been checked.
  void settle_checks();
  // Cancels what is to be cancelled, ends what is late, and plans a step; false when the engine is to end.
  bool plan_step();
  // The same for the step behind the one that is under way; false when it must be planned after that one.
  bool plan_ahead();
  void cancel_queued(TimePoint now);
  void release_and_start_slots();
  // Runs the planned step, and those behind it that can be launched before its tokens are known.
  Result<void> run_steps();
  void launch(Step* step);
  void flatten(const StepPart& part, std::span<const TokenId> drafts, Step* step);
  Result<void> finish(const Step& step);
  Result<StepOutput> finish_sampling(const Step& step);
  void take_back_wrong_drafts(const StepPlan& plan, std::span<const SampledToken> sampled);
  void follow_answer(int32_t slot, TokenId token);
  void rest();
  void end(FinishReason reason, const std::string& error);
  void publish();
  void forget_ended();

  const EngineOptions options_;
  const std::unique_ptr<Backend> backend_;
  const Backend::Forward forward_;
  const ByteTable token_bytes_;
  const RequestLimits request_limits_;

  // --- shared
  // ------------------------------------------------------------------------------------------------------------------------
  // An accepted request until its last event was handed to the sink.
  struct Live {
    EventSink sink;
    bool cancelled = false;  // a cancellation is queued
    bool ended = false;      // its last event is on the way
  };
  // Guards what follows up to the next line; never held while a sink or the backend runs. Submitting threads
  // hand requests to the scheduler themselves, so that they hear at once whether a deadline can be met; what
  // a step reads of the scheduler while the backend runs, submit() does not change.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  EngineCounters counters_;
  BlockPool pool_;
  Scheduler scheduler_;
  std::unordered_map<RequestId, Live> live_;
  std::vector<RequestId> cancels_;  // at most one for each live request
  RequestId next_id_ = 1;
  bool closed_ = false;
  Error closed_error_;
  std::mutex join_mutex_;

  // --- the engine thread's
  // -----------------------------------------------------------------------------------------------------------
  Sampler sampler_;
  GrammarMasks masks_;
  AnswerChecks checks_;
  int32_t sitting_out_ = 0;
  int64_t masks_late_ = 0;
  Step step_, ahead_;
  bool resting_ = false;
  // Reused from step to step.
  std::vector<TokenEvent> events_;
  std::vector<EventSink*> sinks_;
  std::vector<TokenId> tokens_;
  std::vector<BatchPart> parts_;
  std::vector<int32_t> row_of_slot_;  // in the step last launched, the slot's first sampled row
  std::vector<int32_t> wrong_rows_;
  std::vector<size_t> unsettled_;  // of a step's constrained rows

  std::thread thread_;
};

EngineLoop::EngineLoop(const EngineOptions& options, EngineParts parts)
    : options_(options),
      backend_(std::move(parts.backend)),
      forward_(std::move(parts.forward)),
      token_bytes_(std::move(parts.token_bytes)),
      request_limits_{.vocab_size = parts.vocab_size,
                      .context_max = options.context_max,
                      .kv_blocks = options.kv_blocks,
                      .kv_block_tokens = backend_->info().kv_block_tokens},
      pool_(options.kv_blocks, backend_->info().kv_block_tokens),
      scheduler_(scheduler_limits(options, backend_->info()), pool_, token_bytes_),
      sampler_(options.running_max),
      masks_(options.running_max, parts.vocab_size, options.mask_threads, options.mask_states_max),
      checks_(options.running_max),
      row_of_slot_(static_cast<size_t>(options.running_max)) {
  counters_.blocks_all = counters_.blocks_free = options.kv_blocks;
  counters_.last_step = Clock::now();
  thread_ = std::thread([this] { run(); });
}

// --- any thread
// ---------------------------------------------------------------------------------------------------------------------------

Result<RequestId> EngineLoop::submit(Request request, EventSink sink) {
  Result<void> valid = validate_request(request, request_limits_);
  std::lock_guard lock(mutex_);
  const auto refuse = [this](Error error) {
    ++counters_.requests_refused;
    return error;
  };
  if (closed_) return refuse(closed_error_);
  if (!valid.ok()) return refuse(std::move(valid).error());
  const int64_t tokens = static_cast<int64_t>(request.prompt.size()) + request.tokens_max;
  const bool full = scheduler_.counts().waiting >= options_.queue_max;
  if (full ||
      (scheduler_.waiting_tokens() > 0 && scheduler_.waiting_tokens() + tokens > options_.queue_tokens_max)) {
    const std::string what = full ? std::to_string(options_.queue_max) + " requests"
                                  : std::to_string(scheduler_.waiting_tokens()) + " tokens of requests";
    return refuse({ErrorCode::kFull, what + " wait already; try again later", "",
                   wait_ms(scheduler_.load(request.tenant, request.tenant_share))});
  }
  const RequestId id = next_id_++;
  Result<void> accepted = scheduler_.submit(id, std::move(request), Clock::now());
  if (!accepted.ok()) return refuse(std::move(accepted).error());
  live_.emplace(id, Live{std::move(sink)});
  ++counters_.requests_accepted;
  changed_.notify_one();
  return id;
}

void EngineLoop::cancel(RequestId id) {
  std::lock_guard lock(mutex_);
  const auto live = live_.find(id);
  if (live == live_.end() || live->second.cancelled || live->second.ended) return;
  live->second.cancelled = true;
  cancels_.push_back(id);
  changed_.notify_one();
}

EngineCounters EngineLoop::counters() const {
  std::lock_guard lock(mutex_);
  EngineCounters counters = counters_;
  counters.waiting = scheduler_.counts().waiting;
  counters.deadline_refused = scheduler_.counts().deadline_refused;
  return counters;
}

LoadEstimate EngineLoop::load(TenantId tenant, double share) const {
  std::lock_guard lock(mutex_);
  return scheduler_.load(tenant, share);
}

std::optional<Error> EngineLoop::fault() const {
  std::lock_guard lock(mutex_);
  if (!closed_ || closed_error_.code != ErrorCode::kDeviceFault) return std::nullopt;
  return closed_error_;
}

void EngineLoop::shutdown() {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) closed_error_ = {ErrorCode::kCancelled, "the server is shutting down", ""};
    closed_ = true;
    changed_.notify_one();
  }
  std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

// --- the engine thread
// --------------------------------------------------------------------------------------------------------------------

void EngineLoop::run() {
  for (;;) {
    settle_masks();
    settle_checks();
    if (!plan_step()) break;
    release_and_start_slots();
    publish();
    const bool idle = step_.plan.parts.empty();
    if (idle && sitting_out_ > 0) {
      masks_.wait_for_late_until(Clock::now() + kLateTurn);
      continue;
    }
    if (idle && checks_.under_way()) {
      checks_.wait_until(Clock::now() + kLateTurn);
      continue;
    }
    if (idle) {
      rest();
      continue;
    }
    resting_ = false;
    masks_late_ += sitting_out_;
    if (Result<void> done = run_steps(); !done.ok()) {
      end(FinishReason::kError, done.error().message);
      return;
    }
    publish();
#ifndef NDEBUG
    std::lock_guard lock(mutex_);
    scheduler_.check_integrity();
#endif
  }
  end(FinishReason::kShutdown, "");
}

bool EngineLoop::plan_step() {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  const TimePoint now = Clock::now();
  cancel_queued(now);
  scheduler_.expire(now, &events_);
  scheduler_.plan(now, &step_.plan);
  return true;
}

bool EngineLoop::plan_ahead() {
  if (backend_->info().steps_in_flight_max < 2) return false;
  // What follows a grammar is looked at between two steps, and a slot is let go of with a whole plan only.
  if (!masks_.slots().empty() || checks_.under_way()) return false;
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  const TimePoint now = Clock::now();
  cancel_queued(now);
  scheduler_.expire(now, &events_);
  return scheduler_.plan_ahead(step_.plan, &ahead_.plan);
}

// REQUIRES: mutex_ held.
void EngineLoop::cancel_queued(TimePoint now) {
  for (const RequestId id : cancels_) scheduler_.cancel(id, now, &events_);
  cancels_.clear();
}

void EngineLoop::settle_masks() {
  sitting_out_ = 0;
  if (masks_.slots().empty()) return;
  masks_.wait_until(Clock::now() + std::chrono::microseconds(options_.mask_wait_us_max));
  for (const int32_t slot : masks_.slots()) {
    if (!scheduler_.is_running(slot)) continue;  // its end is known to the next plan
    const GrammarMasks::State state = masks_.state(slot);
    if (state == GrammarMasks::State::kFailed) {
      std::lock_guard lock(mutex_);
      scheduler_.fail(slot, masks_.error(slot), Clock::now(), &events_);
      continue;
    }
    const bool late = state == GrammarMasks::State::kUnderWay;
    scheduler_.set_turn(slot, late ? Scheduler::Turn::kSitsOut : Scheduler::Turn::kTakesPart);
    sitting_out_ += late;
  }
}

void EngineLoop::settle_checks() {
  if (!checks_.under_way()) return;
  for (const AnswerChecks::Verdict& verdict : checks_.take()) {
    std::lock_guard lock(mutex_);
    const TimePoint now = Clock::now();
    if (verdict.result.ok()) {
      scheduler_.pass(verdict.slot, now, &events_);
    } else {
      scheduler_.reject(verdict.slot, verdict.result.error().message, now, &events_);
    }
  }
}

void EngineLoop::release_and_start_slots() {
  for (int32_t slot : step_.plan.ended) {
    backend_->end_sequence(slot);
    sampler_.end(slot);
    masks_.end(slot);
    checks_.end(slot);
  }
  for (int32_t slot : step_.plan.started) {
    const Scheduler::SequenceView sequence = scheduler_.sequence(slot);
    backend_->begin_sequence(slot, sequence.tokens);
    sampler_.begin(slot, sequence.request);
    if (sequence.request.grammar) masks_.begin(slot, sequence.request.grammar);
  }
}

Result<void> EngineLoop::run_steps() {
  launch(&step_);
  while (plan_ahead()) {
    launch(&ahead_);
    RETURN_IF_ERROR(finish(step_));
    publish();
    std::swap(step_, ahead_);
  }
  return finish(step_);
}

// Hands a step to the device, and what is to be sampled of it.
void EngineLoop::launch(Step* step) {
  tokens_.clear();
  parts_.clear();
  step->rows.clear();
  step->constrained.clear();
  size_t draft = 0;
  for (const StepPart& part : step->plan.parts) {
    const auto drafts = std::span(step->plan.drafts).subspan(draft, drafted_tokens(part));
    flatten(part, drafts, step);
    draft += drafts.size();
  }
  for (size_t row = step->rows.size(); row-- > 0;)
    row_of_slot_[static_cast<size_t>(step->rows[row].slot)] = static_cast<int32_t>(row);
  backend_->forward({tokens_, parts_}, forward_);
  backend_->sample(step->rows);
}

// Adds a part of the plan to the step.
void EngineLoop::flatten(const StepPart& part, std::span<const TokenId> drafts, Step* step) {
  const Scheduler::SequenceView sequence = scheduler_.sequence(part.slot);
  const auto known = static_cast<int32_t>(sequence.tokens.size());
  const int32_t ahead =
      std::max(0, part.first_position + part.rows - static_cast<int32_t>(drafts.size()) - known);
  if (ahead == 0) {
    const auto committed = sequence.tokens.subspan(static_cast<size_t>(part.first_position),
                                                   static_cast<size_t>(part.rows) - drafts.size());
    tokens_.insert(tokens_.end(), committed.begin(), committed.end());
  } else {
    CHECK(ahead == 1 && part.rows == 1);
    tokens_.push_back(token_sampled_by(row_of_slot_[static_cast<size_t>(part.slot)]));
  }
  tokens_.insert(tokens_.end(), drafts.begin(), drafts.end());
  parts_.push_back({part.slot, part.first_position, part.rows, part.logit_rows, part.role, sequence.blocks});
  if (part.logit_rows == 0) return;
  std::vector<SampleRow>& rows = step->rows;
  rows.push_back(sampler_.row(part.slot, sequence, static_cast<int32_t>(rows.size()), ahead));
  for (size_t i = 0; i < drafts.size(); ++i) {
    rows.push_back(rows.back());
    ++rows.back().logit_row;
    ++rows.back().position;
  }
  if (!masks_.has_grammar(part.slot)) return;
  masks_.press(part.slot, sequence.request.tokens_max - sequence.generated_tokens);
  rows.back().allow_mask = masks_.mask(part.slot);
  step->constrained.push_back(rows.size() - 1);
}

Result<void> EngineLoop::finish(const Step& step) {
  ASSIGN_OR_RETURN(const StepOutput output, finish_sampling(step));
  if (!step.plan.drafts.empty()) take_back_wrong_drafts(step.plan, output.rows);
  {
    std::lock_guard lock(mutex_);
    scheduler_.commit(step.plan, output.rows, Clock::now(), &events_);
  }
  // The next masks are worked out while the sinks take these tokens.
  for (const size_t i : step.constrained) follow_answer(step.rows[i].slot, output.rows[i].token);
  return {};
}

// Waits for the step's tokens. One after which an answer's grammar could not come to its end in time is
// sampled anew without it. That depends on the answer alone, as sampling does.
Result<StepOutput> EngineLoop::finish_sampling(const Step& step) {
  constexpr int kTries = 4;
  unsettled_ = step.constrained;
  for (int tries = 1;; ++tries) {
    ASSIGN_OR_RETURN(const StepOutput output, backend_->finish_step());
    std::erase_if(unsettled_, [&](size_t i) {
      const int32_t slot = step.rows[i].slot;
      const Scheduler::SequenceView sequence = scheduler_.sequence(slot);
      const int32_t left = sequence.request.tokens_max - sequence.generated_tokens - 1;
      return masks_.take(slot, output.rows[i].token, left);
    });
    if (unsettled_.empty()) return output;
    CHECK(tries <= kTries);  // the shortest way always fits
    if (tries == kTries) {
      for (const size_t i : unsettled_) masks_.force(step.rows[i].slot);
    }
    backend_->sample(step.rows);
  }
}

// What was sampled behind a wrong draft is not to be counted as the answer's.
void EngineLoop::take_back_wrong_drafts(const StepPlan& plan, std::span<const SampledToken> sampled) {
  wrong_rows_.clear();
  size_t row = 0, draft = 0;
  for (const StepPart& part : plan.parts) {
    const size_t rows = static_cast<size_t>(part.logit_rows), drafted = drafted_tokens(part);
    if (drafted > 0) {
      const int32_t confirmed = Scheduler::tokens_confirmed(sampled.subspan(row, rows),
                                                            std::span(plan.drafts).subspan(draft, drafted));
      for (size_t i = static_cast<size_t>(confirmed); i < rows; ++i)
        wrong_rows_.push_back(static_cast<int32_t>(row + i));
    }
    row += rows;
    draft += drafted;
  }
  backend_->take_back(wrong_rows_);
}

// Has the next mask worked out, or the answer checked.
void EngineLoop::follow_answer(int32_t slot, TokenId token) {
  if (scheduler_.is_running(slot)) return masks_.advance(slot, token);
  if (!scheduler_.awaits_check(slot)) return;
  const Scheduler::SequenceView sequence = scheduler_.sequence(slot);
  std::string answer;
  for (const TokenId id : sequence.tokens.subspan(static_cast<size_t>(sequence.prompt_tokens))) {
    const bool ends = std::ranges::find(sequence.request.stop_ids, id) != sequence.request.stop_ids.end();
    if (!ends && static_cast<size_t>(id) < token_bytes_.size())
      answer += token_bytes_[static_cast<size_t>(id)];
  }
  checks_.begin(slot, sequence.request.grammar, std::move(answer));
}

// Nothing can run: waits for a request.
void EngineLoop::rest() {
  std::unique_lock lock(mutex_);
  if (!resting_) {
    scheduler_.check_integrity();
    CHECK(pool_.used() == 0 && pool_.pledged() == 0);
    resting_ = true;
  }
  changed_.wait_until(lock, Clock::now() + kIdleTurn,
                      [this] { return closed_ || !cancels_.empty() || scheduler_.counts().waiting > 0; });
}

// Ends every request.
void EngineLoop::end(FinishReason reason, const std::string& error) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) closed_error_ = {ErrorCode::kDeviceFault, "the device has failed: " + error, ""};
    closed_ = true;
    const TimePoint now = Clock::now();
    cancel_queued(now);
    scheduler_.end_all(reason, error, now, &events_);
  }
  publish();
}

// Shows the counters first and tells the sinks then, so that who has seen a last event finds its blocks
// returned.
void EngineLoop::publish() {
  sinks_.clear();
  {
    std::lock_guard lock(mutex_);
    const SchedulerCounts counts = scheduler_.counts();
    EngineCounters& c = counters_;
    c.running = counts.running;
    c.blocks_free = pool_.free();
    c.blocks_cached = pool_.cached();
    c.blocks_used = pool_.used();
    std::ranges::copy(counts.finished, c.finished);
    c.prompt_tokens = counts.prompt_tokens;
    c.prefix_queried_tokens = counts.prefix_queried_tokens;
    c.prefix_hit_tokens = counts.prefix_hit_tokens;
    c.generated_tokens = counts.generated_tokens;
    c.surplus_tokens = counts.surplus_tokens;
    c.checks_failed = counts.checks_failed;
    c.drafted_tokens = counts.drafted_tokens;
    c.drafts_accepted = counts.drafts_accepted;
    c.rows = counts.rows;
    c.steps = counts.steps;
    std::ranges::copy(counts.steps_by_rows, c.steps_by_rows);
    c.masks_late = masks_late_;
    c.last_step = Clock::now();
    for (const TokenEvent& event : events_) {
      // Only this thread takes entries out, so that the sink stays where it is.
      const auto live = live_.find(event.request);
      CHECK(live != live_.end());
      sinks_.push_back(&live->second.sink);
      if (event.finish) live->second.ended = true;
    }
  }
  for (size_t begin = 0; begin < events_.size();) {
    size_t end = begin + 1;
    while (end < events_.size() && events_[end].request == events_[begin].request) ++end;
    (*sinks_[begin])(std::span(events_).subspan(begin, end - begin));
    begin = end;
  }
  forget_ended();
  events_.clear();
}

// Lets go of sinks, outside the lock: they may hold the last reference to what a client's request is made of.
void EngineLoop::forget_ended() {
  std::vector<std::unordered_map<RequestId, Live>::node_type> ended;
  std::lock_guard lock(mutex_);
  for (const TokenEvent& event : events_) {
    if (event.finish) ended.push_back(live_.extract(event.request));
  }
}

}  // namespace

Result<void> validate_options(const EngineOptions& options) {
  const auto at_least = [](const char* name, int64_t value, int64_t min) -> Result<void> {
    if (value >= min) return {};
    return Error{ErrorCode::kInvalid,
                 "must be at least " + std::to_string(min) + ", not " + std::to_string(value), name};
  };
  RETURN_IF_ERROR(at_least("context_max", options.context_max, 2));
  RETURN_IF_ERROR(at_least("kv_blocks", options.kv_blocks, 1));
  RETURN_IF_ERROR(at_least("running_max", options.running_max, 1));
  RETURN_IF_ERROR(at_least("queue_max", options.queue_max, 1));
  // So that every decoding sequence fits every step.
  RETURN_IF_ERROR(at_least("draft_tokens_max", options.draft_tokens_max, 0));
  RETURN_IF_ERROR(at_least("mask_threads", options.mask_threads, 1));
  RETURN_IF_ERROR(at_least("mask_states_max", options.mask_states_max, 1));
  RETURN_IF_ERROR(at_least("mask_wait_us_max", options.mask_wait_us_max, 0));
  RETURN_IF_ERROR(at_least("queue_tokens_max", options.queue_tokens_max, 1));
  RETURN_IF_ERROR(at_least("itl_ms_max", options.itl_ms_max, 0));
  RETURN_IF_ERROR(at_least("priority_ageing_ms", options.priority_ageing_ms, 1));
  return at_least("step_tokens_max", options.step_tokens_max, options.running_max);
}

StepLimits step_limits(const EngineOptions& options) {
  // Every row of a generated token is sampled behind.
  const int32_t logit_rows_max = std::max(options.running_max, 1 + options.draft_tokens_max);
  return {.rows_max = options.step_tokens_max,
          .generated_rows_max = logit_rows_max,
          .parts_max = options.running_max,
          .logit_rows_max = logit_rows_max,
          .context_max = options.context_max};
}

std::unique_ptr<Engine> start_engine_loop(const EngineOptions& options, EngineParts parts) {
  return std::make_unique<EngineLoop>(options, std::move(parts));
}

}  // namespace hussar
