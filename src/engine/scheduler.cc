#include "engine/scheduler.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace hussar {

Scheduler::Scheduler(const SchedulerLimits& limits, BlockPool& pool, const ByteTable& token_bytes)
    : limits_(limits),
      pool_(pool),
      token_bytes_(token_bytes),
      waiting_(std::chrono::milliseconds(limits.priority_ageing_ms)) {
  CHECK(limits.running_max >= 1 && limits.queue_max >= 1);
  CHECK(limits.step_tokens_max >= limits.running_max);
  CHECK(limits.draft_tokens_max == 0 || limits.logit_rows_max >= limits.running_max);
  sequences_.resize(static_cast<size_t>(limits.running_max));
  running_.reserve(sequences_.size());
  for (int32_t slot = limits.running_max - 1; slot >= 0; --slot) slots_free_.push_back(slot);
}

int64_t Scheduler::blocks_needed(int64_t prompt_tokens, int64_t tokens_max, int32_t block_tokens) {
  return (prompt_tokens + tokens_max + block_tokens - 1) / block_tokens;
}

Result<void> Scheduler::submit(RequestId id, Request request, TimePoint now) {
  const int64_t prompt_tokens = static_cast<int64_t>(request.prompt.size());
  if (prompt_tokens + request.tokens_max > limits_.context_max) {
    return Error{ErrorCode::kTooLarge, "prompt and answer exceed the context", "max_tokens"};
  }
  if (blocks_needed(prompt_tokens, request.tokens_max, pool_.block_tokens()) > pool_.all()) {
    return Error{ErrorCode::kTooLarge, "prompt and answer exceed the KV pool", "max_tokens"};
  }
  if (waiting_.size() >= limits_.queue_max) {
    return Error{ErrorCode::kFull, "too many requests are waiting", ""};
  }
  const bool promised = request.has_deadline();
  waiting_.add({id, std::move(request), now});
  if (promised) {
    if (Result<void> checked = check_deadline(id, now); !checked.ok()) {
      (void)waiting_.take(*waiting_.find(id));
      ++counts_.deadline_refused;
      return checked;
    }
  }
  admission_blocked_ = false;
  return {};
}

void Scheduler::cancel(RequestId id, TimePoint now, std::vector<TokenEvent>* events) {
  const auto slot = std::ranges::find(running_, id, [this](int32_t s) { return at(s).id; });
  if (slot != running_.end()) {
    end_without_token(*slot, FinishReason::kCancelled, "", now, events);
    return;
  }
  const WaitingRequest* waiting = waiting_.find(id);
  if (waiting == nullptr) return;
  end_waiting(*waiting, FinishReason::kCancelled, "", now, events);
}

void Scheduler::expire(TimePoint now, std::vector<TokenEvent>* events) {
  for (size_t i = 0; running_deadlines_ > 0 && i < running_.size();) {
    const int32_t slot = running_[i];
    if (at(slot).request.deadline > now) {
      ++i;
    } else {
      end_without_token(slot, FinishReason::kDeadline, "", now, events);
    }
  }
  waiting_.by_deadline(&urgent_);
  for (const WaitingRequest* waiting : urgent_) {
    if (waiting->request.deadline > now) break;
    end_waiting(*waiting, FinishReason::kDeadline, "", now, events);
  }
}

void Scheduler::end_all(FinishReason reason, std::string_view error, TimePoint now,
                        std::vector<TokenEvent>* events) {
  while (!running_.empty()) end_without_token(running_.front(), reason, error, now, events);
  waiting_.order(&urgent_);
  for (const WaitingRequest* waiting : urgent_) end_waiting(*waiting, reason, error, now, events);
}

void Scheduler::fail(int32_t slot, std::string_view error, TimePoint now, std::vector<TokenEvent>* events) {
  CHECK(flights_.empty() && is_running(slot));
  end_without_token(slot, FinishReason::kError, error, now, events);
}

// --- planning
// ---------------------------------------------------------------------------------------------------------------------------

void Scheduler::plan(TimePoint now, StepPlan* plan) {
  CHECK(flights_.empty());
  begin_plan(plan);
  plan->ended.swap(slots_ended_);
  plan->ended.insert(plan->ended.end(), slots_anew_.begin(), slots_anew_.end());
  plan->started.swap(slots_anew_);
  admit_waiting(now, plan);
  choose_sitting_out();
  for (int32_t slot : running_) {
    const Sequence& sequence = at(slot);
    if (sequence.generated_tokens > 0 && takes_part(sequence)) add_part(slot, 1, RowRole::kGenerated, plan);
  }
  CHECK(plan->rows <= limits_.step_tokens_max);
  const int32_t generating = plan->rows;
  plan_prompts(plan);
  const int32_t prompt_rows = plan->rows - generating;
  if (prompt_rows == 0) plan_drafts(plan);
  if (plan->parts.empty()) {
    last_commit_ = {};  // the device rests: what passes until the next step is none of its time
    return;
  }
  // A step takes from the last one's end, when the device did not rest in between.
  step_began_ = last_commit_ == TimePoint{} ? now : last_commit_;
  set_under_way(*plan, prompt_rows);
}

// Empties a plan that is used anew.
void Scheduler::begin_plan(StepPlan* plan) const {
  plan->step = counts_.steps + 1;
  plan->parts.clear();
  plan->rows = plan->logit_rows = 0;
  plan->drafts.clear();
  plan->started.clear();
  plan->ended.clear();
}

void Scheduler::set_under_way(const StepPlan& plan, int32_t prompt_rows) {
  flights_.push_back({plan.step, prompt_rows, plan.rows - prompt_rows});
  ++counts_.steps;
  counts_.rows += plan.rows;
  const auto size = static_cast<size_t>(std::bit_width(static_cast<uint32_t>(plan.rows - 1)));
  ++counts_.steps_by_rows[std::min(size, kStepSizes - 1)];
}

bool Scheduler::plan_ahead(const StepPlan& current, StepPlan* ahead) {
  CHECK(flights_.size() == 1 && flights_.front().step == current.step);
  if (!can_plan_ahead()) return false;
  begin_plan(ahead);
  for (const int32_t slot : running_) {
    if (goes_on(at(slot))) add_part(slot, 1, RowRole::kGenerated, ahead);
  }
  set_under_way(*ahead, 0);
  return true;
}

// Whether the step behind the one that is under way is known but for its tokens, and has rows.
bool Scheduler::can_plan_ahead() const {
  if (limits_.draft_tokens_max > 0 || waiting_.tenants().size() > 1) return false;
  if (waiting_.size() > 0 && !slots_free_.empty() && !admission_blocked_) return false;
  bool has_rows = false;
  for (const int32_t slot : running_) {
    const Sequence& sequence = at(slot);
    const Request& request = sequence.request;
    const bool samples = sequence.flights == 1 && sequence.computed + sequence.flight_rows ==
                                                      static_cast<int32_t>(sequence.tokens.size());
    if (!samples || !takes_part(sequence) || request.grammar || !request.bad_words.empty()) return false;
    // What waits may take the place of one that ends.
    if (!goes_on(sequence) && waiting_.size() > 0) return false;
    has_rows = has_rows || goes_on(sequence);
  }
  return has_rows;
}

// Whether a token may follow the one that is being sampled.
bool Scheduler::goes_on(const Sequence& sequence) const {
  return sequence.generated_tokens + 1 < sequence.request.tokens_max;
}

void Scheduler::admit_waiting(TimePoint now, StepPlan* plan) {
  while (waiting_.size() > 0 && !slots_free_.empty() && !admission_blocked_ && admit_one(now, plan)) {
  }
}

bool Scheduler::admit(const WaitingRequest& waiting, TimePoint now, StepPlan* plan) {
  find_prefix(waiting.request);
  const int32_t prompt_tokens = static_cast<int32_t>(waiting.request.prompt.size());
  const int32_t hits = static_cast<int32_t>(hits_.size());
  const int64_t needed = blocks_needed(prompt_tokens, waiting.request.tokens_max, pool_.block_tokens());
  const int32_t more = static_cast<int32_t>(needed) - hits;
  if (!pool_.admit(hits_, more)) return false;

  waiting_.start(waiting.request.tenant, needed);
  const RequestId id = waiting.id;
  Request request = waiting_.take(waiting).request;
  const int32_t slot = slots_free_.back();
  slots_free_.pop_back();
  Sequence& sequence = at(slot);
  sequence.state = State::kRunning;
  sequence.id = id;
  sequence.tokens = std::move(request.prompt);
  sequence.tokens.reserve(static_cast<size_t>(prompt_tokens + request.tokens_max));
  sequence.request = std::move(request);
  sequence.request.prompt.clear();
  sequence.prompt_tokens = prompt_tokens;
  sequence.blocks.reserve(static_cast<size_t>(needed));
  sequence.blocks.assign(hits_.begin(), hits_.end());
  sequence.published = hits;
  sequence.pledged = more;
  sequence.computed = sequence.cached_tokens = hits * pool_.block_tokens();
  if (sequence.request.stops) sequence.stops.emplace(sequence.request.stops);
  sequence.admitted = now;
  sequence.tokens_left = tokens_of(sequence.request);
  running_.push_back(slot);
  plan->started.push_back(slot);
  counts_.prompt_tokens += prompt_tokens;
  if (limits_.prefix_cache) counts_.prefix_queried_tokens += prompt_tokens;
  counts_.prefix_hit_tokens += sequence.cached_tokens;
  running_deadlines_ += sequence.request.has_deadline() ? 1 : 0;
  waiting_.serve(sequence.request.tenant, prompt_tokens - sequence.cached_tokens);
  return true;
}

// Fills hits_ with the published blocks that begin the prompt. The block of the last prompt token is never
// among them: that token is always computed, in a block of the sequence's own, because its logits are needed.
void Scheduler::find_prefix(const Request& request) {
  hits_.clear();
  if (!limits_.prefix_cache) return;
  const std::span<const TokenId> prompt = request.prompt;
  const size_t size = static_cast<size_t>(pool_.block_tokens());
  int32_t parent = BlockPool::kNone;
  for (size_t begin = 0; begin + size < prompt.size(); begin += size) {
    parent = pool_.find(parent, prompt.subspan(begin, size), request.cache_salt);
    if (parent == BlockPool::kNone) return;
    hits_.push_back(parent);
  }
}

// Uses blocks that were published after the sequence's admission, by a prompt that began alike and ran ahead
// of it.
void Scheduler::adopt_prefix(Sequence& sequence) {
  const int32_t size = pool_.block_tokens();
  const std::span<const TokenId> tokens = sequence.tokens;
  while (limits_.prefix_cache && sequence.computed == sequence.published * size &&
         sequence.computed + size < sequence.prompt_tokens) {
    const int32_t parent = sequence.published == 0 ? BlockPool::kNone : sequence.blocks.back();
    const auto wanted = tokens.subspan(static_cast<size_t>(sequence.computed), static_cast<size_t>(size));
    const int32_t block = pool_.find(parent, wanted, sequence.request.cache_salt);
    if (block == BlockPool::kNone) return;
    pool_.adopt(block);
    --sequence.pledged;
    sequence.blocks.push_back(block);
    ++sequence.published;
    sequence.computed += size;
    sequence.cached_tokens += size;
    counts_.prefix_hit_tokens += size;
  }
}

void Scheduler::plan_prompts(StepPlan* plan) {
  pending_.clear();
  by_left_.clear();
  for (int32_t slot : running_) {
    Sequence& sequence = at(slot);
    if (sequence.generated_tokens > 0 || sequence.sits_out) continue;
    adopt_prefix(sequence);
    by_left_.push_back(static_cast<int32_t>(pending_.size()));
    pending_.push_back({slot, sequence.prompt_tokens - sequence.computed, 0});
  }
  if (pending_.empty()) return;

  int32_t budget =
      cost_.prompt_rows_within(limits_.step_seconds_max, plan->rows, limits_.step_tokens_max - plan->rows);
  const auto give = [&budget](Pending& pending, int32_t rows_max) {
    const int32_t rows = std::min({pending.left - pending.rows, rows_max, budget});
    pending.rows += rows;
    budget -= rows;
  };
  give(pending_.front(), (budget + 1) / 2);
  // Equal prompts go by age, so that the order is total and the plan depends on values alone.
  std::ranges::sort(by_left_, [this](int32_t a, int32_t b) {
    const int32_t left_a = pending_[static_cast<size_t>(a)].left,
                  left_b = pending_[static_cast<size_t>(b)].left;
    return left_a != left_b ? left_a < left_b : a < b;
  });
  for (int32_t index : by_left_) {
    Pending& pending = pending_[static_cast<size_t>(index)];
    if (index != 0 && !waits_for_another(pending.slot)) give(pending, budget);
  }
  give(pending_.front(), budget);
  for (const Pending& pending : pending_) {
    if (pending.rows > 0) add_part(pending.slot, pending.rows, RowRole::kPrompt, plan);
  }
}

// Whether the next block of a prompt is one that another prompt works on in this step, to be adopted when it
// is full. Prompts that begin alike and arrive together are common (a system prompt, several choices of one
// request): what they share would otherwise be computed several times. The other prompt moves on in this
// step, so that nobody waits for ever.
bool Scheduler::waits_for_another(int32_t slot) const {
  const Sequence& sequence = at(slot);
  const int32_t size = pool_.block_tokens();
  const int32_t end = sequence.computed + size;
  if (!limits_.prefix_cache || sequence.computed % size != 0 || end >= sequence.prompt_tokens) return false;
  const auto block_of = [size](const Sequence& of, int32_t begin) {
    return std::span(of.tokens).subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
  };
  return std::ranges::any_of(pending_, [&](const Pending& pending) {
    const Sequence& other = at(pending.slot);
    // A checked one keeps the block of its prompt's last token to itself.
    const int32_t shared = other.prompt_tokens - (other.request.is_checked() ? 1 : 0);
    if (pending.rows == 0 || other.published * size != sequence.computed || end > shared) return false;
    // Blocks are found by their content and what stands before them: equal ones are the same block.
    if (sequence.computed > 0 && other.blocks[static_cast<size_t>(other.published) - 1] !=
                                     sequence.blocks[static_cast<size_t>(other.published) - 1])
      return false;
    return sequence.request.cache_salt == other.request.cache_salt &&
           std::ranges::equal(block_of(sequence, sequence.computed), block_of(other, sequence.computed));
  });
}

void Scheduler::add_part(int32_t slot, int32_t rows, RowRole role, StepPlan* plan) {
  Sequence& sequence = at(slot);
  const int32_t begin = sequence.computed + sequence.flight_rows;
  take_blocks(sequence, begin + rows);
  const int32_t logit_rows = begin + rows >= static_cast<int32_t>(sequence.tokens.size()) ? 1 : 0;
  plan->parts.push_back({slot, begin, rows, logit_rows, role});
  plan->rows += rows;
  plan->logit_rows += logit_rows;
  ++sequence.flights;
  sequence.flight_rows += rows;
  sequence.last_step = plan->step;
}

// Blocks for the first `positions` of them, of those that the sequence is pledged.
void Scheduler::take_blocks(Sequence& sequence, int32_t positions) {
  while (static_cast<int64_t>(sequence.blocks.size()) * pool_.block_tokens() < positions) {
    sequence.blocks.push_back(pool_.take());
    --sequence.pledged;
  }
}

// --- committing
// -------------------------------------------------------------------------------------------------------------------------

void Scheduler::commit(const StepPlan& plan, std::span<const SampledToken> tokens, TimePoint now,
                       std::vector<TokenEvent>* events) {
  CHECK(!flights_.empty() && plan.step == flights_.front().step);
  CHECK(tokens.size() == static_cast<size_t>(plan.logit_rows));
  const Flight flight = flights_.front();
  flights_.erase(flights_.begin());
  size_t logit_row = 0, draft = 0;
  for (const StepPart& part : plan.parts) {
    Sequence& sequence = at(part.slot);
    CHECK(sequence.flights > 0);
    --sequence.flights;
    sequence.flight_rows -= part.rows;
    const size_t rows = static_cast<size_t>(part.logit_rows), drafted = drafted_tokens(part);
    const auto sampled = tokens.subspan(logit_row, rows);
    const auto drafts = std::span(plan.drafts).subspan(draft, drafted);
    logit_row += rows;
    draft += drafted;
    if (sequence.state == State::kEnded) {
      counts_.surplus_tokens += part.logit_rows;
      if (sequence.flights == 0) free_slot(part.slot);
      continue;
    }
    CHECK(part.first_position == sequence.computed);
    if (drafted > 0) {
      commit_answer(part, sampled, drafts, now, events);
      continue;
    }
    sequence.computed += part.rows;
    publish_full_blocks(sequence);
    if (rows == 1) accept(part.slot, sampled[0], now, events);
  }
  cost_.observe(flight.prompt_rows, flight.generated_rows,
                std::chrono::duration<double>(now - step_began_).count());
  step_began_ = now;  // of the next one, if it is under way already
  last_commit_ = running_.empty() ? TimePoint{} : now;
}

void Scheduler::publish_full_blocks(Sequence& sequence) {
  if (!limits_.prefix_cache) return;
  const int32_t size = pool_.block_tokens();
  // The prompt's last token is computed again for each attempt at a checked answer: its block stays its own.
  const int32_t shared = sequence.request.is_checked() ? sequence.prompt_tokens - 1
                         : limits_.cache_generated     ? sequence.computed
                                                       : sequence.prompt_tokens;
  const int32_t known = std::min(sequence.computed, shared);
  const std::span<const TokenId> tokens = sequence.tokens;
  for (; (sequence.published + 1) * size <= known; ++sequence.published) {
    const size_t index = static_cast<size_t>(sequence.published);
    const int32_t parent = index == 0 ? BlockPool::kNone : sequence.blocks[index - 1];
    const auto content = tokens.subspan(index * static_cast<size_t>(size), static_cast<size_t>(size));
    int32_t& block = sequence.blocks[index];
    block = pool_.publish(block, parent, content, sequence.request.cache_salt);
  }
}

void Scheduler::accept(int32_t slot, const SampledToken& sampled, TimePoint now,
                       std::vector<TokenEvent>* events) {
  Sequence& sequence = at(slot);
  if (sampled.token < 0) {
    end_without_token(slot, FinishReason::kError, "the bias and the grammar allow no token", now, events);
    return;
  }
  ++sequence.generated_tokens;
  const bool checked = sequence.request.is_checked();
  counts_.generated_tokens += checked ? 0 : 1;  // when the answer has passed
  waiting_.serve(sequence.request.tenant, WaitingQueue::kGeneratedCost);
  sequence.tokens.push_back(sampled.token);
  TokenEvent& event = checked ? sequence.held.emplace_back() : events->emplace_back();
  event.request = sequence.id;
  event.token = sampled.token;
  event.logprob = sampled.logprob;
  event.top.assign(sampled.top.begin(), sampled.top.end());
  event.time = now;
  const auto reason = finish_of(sequence, sampled.token, &event);
  if (!reason) return;
  if (!checked) return end(slot, *reason, &event);
  event.finish = reason;
  sequence.state = State::kAwaitsCheck;
}

std::optional<FinishReason> Scheduler::finish_of(Sequence& sequence, TokenId token, TokenEvent* event) {
  const Request& request = sequence.request;
  if (sequence.generated_tokens > request.tokens_min) {
    if (std::ranges::find(request.stop_ids, token) != request.stop_ids.end()) {
      event->stop_token = token;
      return FinishReason::kStop;
    }
    const size_t index = static_cast<size_t>(token);
    if (sequence.stops && index < token_bytes_.size() && sequence.stops->advance(token_bytes_[index])) {
      return FinishReason::kStop;
    }
  }
  if (sequence.generated_tokens >= request.tokens_max) return FinishReason::kLength;
  return std::nullopt;
}

// --- endings
// ----------------------------------------------------------------------------------------------------------------------------

// Turns `event` into the last one of the sequence in `slot`.
void Scheduler::end(int32_t slot, FinishReason reason, TokenEvent* event) {
  Sequence& sequence = at(slot);
  CHECK(sequence.state == State::kRunning || sequence.state == State::kAwaitsCheck);
  event->finish = reason;
  event->prompt_tokens = sequence.prompt_tokens;
  event->cached_prompt_tokens = sequence.cached_tokens;
  event->generated_tokens = sequence.generated_tokens;
  event->attempts = sequence.attempts;
  event->discarded_tokens = sequence.discarded_tokens;
  event->admitted = sequence.admitted;
  ++counts_.finished[static_cast<size_t>(reason)];
  if (reason == FinishReason::kStop || reason == FinishReason::kLength) note_size(sequence);
  running_deadlines_ -= sequence.request.has_deadline() ? 1 : 0;
  running_.erase(std::ranges::find(running_, slot));
  if (running_.empty() && flights_.empty()) last_commit_ = {};
  sequence.state = State::kEnded;
  if (sequence.flights == 0) free_slot(slot);
}

void Scheduler::end_without_token(int32_t slot, FinishReason reason, std::string_view error, TimePoint now,
                                  std::vector<TokenEvent>* events) {
  if (at(slot).request.is_checked()) (void)discard_answer(at(slot));  // nobody has seen it
  TokenEvent& event = events->emplace_back();
  event.request = at(slot).id;
  event.error = error;
  event.time = now;
  end(slot, reason, &event);
}

// Also takes it out of the queue.
void Scheduler::end_waiting(const WaitingRequest& waiting, FinishReason reason, std::string_view error,
                            TimePoint now, std::vector<TokenEvent>* events) {
  TokenEvent& event = events->emplace_back();
  event.request = waiting.id;
  event.finish = reason;
  event.error = error;
  event.time = event.admitted = now;
  ++counts_.finished[static_cast<size_t>(reason)];
  (void)waiting_.take(waiting);
  admission_blocked_ = false;
}

void Scheduler::free_slot(int32_t slot) {
  Sequence& sequence = at(slot);
  for (auto block = sequence.blocks.rbegin(); block != sequence.blocks.rend(); ++block) pool_.release(*block);
  pool_.unpledge(sequence.pledged);
  waiting_.end(sequence.request.tenant, static_cast<int64_t>(sequence.blocks.size()) + sequence.pledged);
  sequence.blocks.clear();
  sequence.pledged = 0;
  sequence.published = sequence.computed = 0;
  sequence.prompt_tokens = sequence.cached_tokens = sequence.generated_tokens = 0;
  sequence.tokens = {};
  sequence.request = {};
  sequence.stops.reset();
  sequence.turn = Turn::kTakesPart;
  sequence.sits_out = false;
  sequence.last_step = 0;
  sequence.trust = {};
  sequence.attempts = 1;
  sequence.discarded_tokens = 0;
  sequence.held = {};
  std::erase(slots_anew_, slot);
  sequence.state = State::kIdle;
  slots_free_.push_back(slot);
  slots_ended_.push_back(slot);
  admission_blocked_ = false;
}

// --- looking in
// -------------------------------------------------------------------------------------------------------------------------

Scheduler::SequenceView Scheduler::sequence(int32_t slot) const {
  const Sequence& sequence = at(slot);
  CHECK(sequence.state != State::kIdle);
  return {sequence.id,           sequence.request, sequence.prompt_tokens, sequence.generated_tokens,
          sequence.attempts - 1, sequence.tokens,  sequence.blocks};
}

SchedulerCounts Scheduler::counts() const {
  SchedulerCounts counts = counts_;
  counts.waiting = waiting_.size();
  counts.running = static_cast<int32_t>(running_.size());
  return counts;
}

void Scheduler::check_integrity() const {
  pool_.check_integrity();
  std::vector<int32_t> references(static_cast<size_t>(pool_.all()), 0);
  int32_t pledged = 0;
  size_t idle = 0;
  for (const Sequence& sequence : sequences_) {
    idle += sequence.state == State::kIdle;
    pledged += sequence.pledged;
    CHECK(sequence.pledged >= 0);
    CHECK(sequence.state != State::kEnded || sequence.flights > 0);
    CHECK(sequence.state != State::kAwaitsCheck || sequence.flights == 0);
    CHECK((sequence.flights == 0) == (sequence.flight_rows == 0));
    CHECK(static_cast<size_t>(sequence.published) <= sequence.blocks.size());
    for (size_t i = 0; i < sequence.blocks.size(); ++i) {
      ++references[static_cast<size_t>(sequence.blocks[i])];
      CHECK(pool_.published(sequence.blocks[i]) == (i < static_cast<size_t>(sequence.published)));
    }
  }
  CHECK(pledged == pool_.pledged());
  CHECK(idle == slots_free_.size());
  CHECK(idle + running_.size() <= sequences_.size());
  for (int32_t block = 0; block < pool_.all(); ++block) {
    CHECK(references[static_cast<size_t>(block)] == pool_.references(block));
  }
}

}  // namespace hussar
