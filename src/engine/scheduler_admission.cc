// The scheduler's part that decides who starts: turns, shares, and promises to requests with deadlines.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "engine/scheduler.h"

namespace hussar {
namespace {

constexpr int32_t kReserve = 8;            // one in so many slots and blocks is for tenants below their share
constexpr double kRoundingSeconds = 1e-6;  // that sums of step times may be off by
constexpr double kFade = 0.95;             // of a request's size by the next one's

// By what a forecast is stretched before it is relied on: twice the mean error of a step's estimate, since
// steps err together where the machine slows down.
double room_of(const StepCost& cost) { return 1 + 2 * cost.relative_error(); }

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

// --- turns and shares
// ----------------------------------------------------------------------------------------------------------------------

// What is next in turn, or, when that must not start or does not fit, the one whose deadline comes first.
bool Scheduler::admit_one(TimePoint now, StepPlan* plan) {
  bool held = false;
  const auto try_to_admit = [&](const WaitingRequest& waiting) {
    if (keeps_promises(waiting, now)) return admit(waiting, now, plan);
    held = true;
    return false;
  };
  const WaitingRequest* next = next_in_turn();
  if (next != nullptr && try_to_admit(*next)) return true;
  waiting_.by_deadline(&urgent_);
  if (!urgent_.empty() && urgent_.front() != next && try_to_admit(*urgent_.front())) return true;
  // Who is held may start when time has passed; who does not fit waits for blocks.
  admission_blocked_ = !held;
  return false;
}

const WaitingRequest* Scheduler::next_in_turn() {
  waiting_.turns(&turns_);
  for (const TenantId tenant : turns_) {
    const WaitingRequest& first = waiting_.first(tenant);
    if (first.request.has_deadline() || !over_share(first)) return &first;
  }
  return nullptr;
}

// Whether a request would take what is kept for tenants below their share.
bool Scheduler::over_share(const WaitingRequest& waiting) const {
  const Request& request = waiting.request;
  const TenantState& tenant = waiting_.tenants().at(request.tenant);
  if (tenant.share >= 1 || tenant.running == 0) return false;
  const int32_t slots_reserve = limits_.running_max > 1 ? std::max(1, limits_.running_max / kReserve) : 0;
  const double slots_share = std::max(1.0, std::floor(tenant.share * limits_.running_max));
  if (tenant.running >= slots_share && static_cast<int32_t>(slots_free_.size()) <= slots_reserve) return true;
  const int64_t needed = job_of(request).blocks;
  return static_cast<double>(tenant.blocks + needed) > tenant.share * pool_.all() &&
         pool_.available() - needed < pool_.all() / kReserve;
}

// A tenant that runs more sequences than its share of the slots shows no more than that many of them in a
// step while others run, those first that waited longest. Sequences with a deadline always run, and so does
// everybody while one waits: it was promised a slot by forecasts in which nobody sits out.
void Scheduler::choose_sitting_out() {
  for (const int32_t slot : running_) at(slot).sits_out = false;
  if (waiting_.tenants().size() < 2 || waiting_.deadlines() > 0) return;
  double shares = 0;
  int32_t tenants = 0;
  for (const auto& [id, tenant] : waiting_.tenants()) {
    if (tenant.running == 0) continue;
    shares += tenant.share;
    ++tenants;
  }
  if (tenants < 2) return;
  for (const auto& [id, tenant] : waiting_.tenants()) {
    const double slots = std::floor(limits_.running_max * tenant.share / shares);
    const auto allowed = static_cast<size_t>(std::max(1.0, slots));
    if (static_cast<size_t>(tenant.running) <= allowed) continue;
    mine_.clear();
    for (const int32_t slot : running_) {
      const Sequence& sequence = at(slot);
      if (sequence.request.tenant == id && takes_part(sequence) && !sequence.request.has_deadline())
        mine_.push_back(slot);
    }
    std::ranges::stable_sort(mine_, {}, [this](int32_t slot) { return at(slot).last_step; });
    for (size_t i = allowed; i < mine_.size(); ++i) at(mine_[i]).sits_out = true;
  }
}

// --- promises
// ------------------------------------------------------------------------------------------------------------------------------

int32_t Scheduler::tokens_of(const Request& request) {
  return request.tokens_max + (request.is_checked() ? request.retry_tokens_max : 0);
}

ForecastJob Scheduler::job_of(const Request& request) const {
  const auto prompt_tokens = static_cast<int32_t>(request.prompt.size());
  return {prompt_tokens, tokens_of(request),
          blocks_needed(prompt_tokens, request.tokens_max, pool_.block_tokens())};
}

// Fills running_jobs_, in the order of running_. A block that several sequences share returns when the last
// of them ends: it counts as held by the one with the most tokens left.
void Scheduler::collect_running() {
  running_jobs_.clear();
  owners_.assign(static_cast<size_t>(pool_.all()), -1);
  for (const int32_t slot : running_) {
    const Sequence& sequence = at(slot);
    // A step that is under way counts as done; rest_of_step() says when that will be.
    const int32_t computed = sequence.computed + sequence.flight_rows;
    const int32_t prompt_left = std::max(0, sequence.prompt_tokens - computed);
    const int32_t generated = sequence.generated_tokens + (prompt_left == 0 ? sequence.flights : 0);
    const auto index = static_cast<int32_t>(running_jobs_.size());
    running_jobs_.push_back({prompt_left, sequence.tokens_left - generated, sequence.pledged});
    for (const int32_t block : sequence.blocks) {
      int32_t& owner = owners_[static_cast<size_t>(block)];
      const auto left = [this](int32_t i) {
        const ForecastJob& job = running_jobs_[static_cast<size_t>(i)];
        return job.prompt_left + job.tokens_left;
      };
      if (owner < 0 || left(owner) < left(index)) owner = index;
    }
  }
  for (const int32_t owner : owners_) {
    if (owner >= 0) ++running_jobs_[static_cast<size_t>(owner)].blocks;
  }
  ending_blocks_ = 0;
  for (const Sequence& sequence : sequences_) {
    if (sequence.state != State::kEnded) continue;
    ending_blocks_ += static_cast<int64_t>(sequence.blocks.size()) + sequence.pledged;
  }
}

Clock::duration Scheduler::rest_of_step(TimePoint now) const {
  if (flights_.empty()) return {};
  std::chrono::duration<double> whole{};
  for (const Flight& flight : flights_)
    whole += std::chrono::duration<double>(cost_.seconds(flight.prompt_rows, flight.generated_rows));
  return std::max(Clock::duration{},
                  std::chrono::duration_cast<Clock::duration>(whole) - (now - step_began_));
}

// REQUIRES: collect_running().
void Scheduler::forecast(std::span<const ForecastJob> waiting, std::vector<double>* ends) {
  ends->clear();
  forecast_.run({limits_.running_max, limits_.step_tokens_max, limits_.step_seconds_max,
                 pool_.available() + ending_blocks_},
                cost_, running_jobs_, waiting, ends);
}

// Whether a promise that can be kept now could not be kept with `candidate`, which starts now, or waits for
// its turn among those with deadlines and then has a promise of its own.
bool Scheduler::harms_promise(const WaitingRequest& candidate, CandidateStart start, TimePoint now) {
  waiting_.by_deadline(&urgent_);
  std::erase(urgent_, &candidate);
  const auto later = [&](const WaitingRequest* w) {
    return std::pair(w->request.deadline, w->id) > std::pair(candidate.request.deadline, candidate.id);
  };
  const auto turn = static_cast<size_t>(std::ranges::find_if(urgent_, later) - urgent_.begin());
  const bool known_before = start == CandidateStart::kNow && candidate.request.has_deadline();
  const size_t place_before = known_before ? turn : urgent_.size();
  const size_t place_after = start == CandidateStart::kNow ? 0 : turn;

  waiting_jobs_.clear();
  forecast(waiting_jobs_, &ends_held_);  // only those that run
  for (const WaitingRequest* urgent : urgent_) waiting_jobs_.push_back(job_of(urgent->request));
  const auto with_candidate = [&](size_t place) {
    return waiting_jobs_.insert(waiting_jobs_.begin() + static_cast<ptrdiff_t>(place),
                                job_of(candidate.request));
  };
  if (known_before) {
    const auto inserted = with_candidate(place_before);
    forecast(waiting_jobs_, &ends_before_);
    waiting_jobs_.erase(inserted);
  } else {
    forecast(waiting_jobs_, &ends_before_);
  }
  with_candidate(place_after);
  forecast(waiting_jobs_, &ends_after_);

  const TimePoint next_step = now + rest_of_step(now);
  const auto late = [next_step](double end, const Request& request) {
    return end > seconds_between(next_step, request.deadline) + kRoundingSeconds;
  };
  // What the candidate changes is looked at with room to spare, what is without it is taken as it comes.
  const auto late_after = [&](size_t index, const Request& request) {
    return late(ends_after_[index] * room_of(cost_), request);
  };
  const size_t running = running_.size();
  if (start == CandidateStart::kInTurn && late_after(running + place_after, candidate.request)) return true;
  for (size_t i = 0; i < running; ++i) {
    const Request& request = at(running_[i]).request;
    if (request.has_deadline() && !late(ends_held_[i], request) && late_after(i, request)) return true;
  }
  // Whose deadline comes first changes nothing for those that wait: it was to start now in any case.
  if (known_before && place_before == place_after) return false;
  for (size_t i = 0; i < urgent_.size(); ++i) {
    const Request& request = urgent_[i]->request;
    const size_t before = running + i + (i >= place_before ? 1 : 0);
    const size_t after = running + i + (i >= place_after ? 1 : 0);
    if (!late(ends_before_[before], request) && late_after(after, request)) return true;
  }
  return false;
}

bool Scheduler::keeps_promises(const WaitingRequest& candidate, TimePoint now) {
  if (running_deadlines_ + waiting_.deadlines() == 0 || !cost_.known()) return true;
  collect_running();
  return !harms_promise(candidate, CandidateStart::kNow, now);
}

// REQUIRES: the request waits already.
Result<void> Scheduler::check_deadline(RequestId id, TimePoint now) {
  const WaitingRequest& waiting = *waiting_.find(id);
  if (!cost_.known()) return {};
  const double left = seconds_between(now + rest_of_step(now), waiting.request.deadline);
  const double room = room_of(cost_);
  const auto milliseconds = [room](double seconds) {
    return static_cast<int64_t>(std::ceil(std::min(seconds * room, 1e9) * 1000));
  };
  const ForecastJob job = job_of(waiting.request);
  std::vector<double> ends;
  forecast_.run({limits_.running_max, limits_.step_tokens_max, limits_.step_seconds_max, pool_.all()}, cost_,
                {}, std::span(&job, 1), &ends);
  const double alone = ends[0];
  if (alone * room > left) {
    return Error{ErrorCode::kInvalid,
                 "this deadline can't be met: prompt and answer take up to " +
                     std::to_string(milliseconds(alone)) +
                     " ms on an idle server; ask for fewer tokens or give more time",
                 "deadline_ms", milliseconds(alone)};
  }
  collect_running();
  waiting_.order(&urgent_);
  const size_t place =
      running_.size() + static_cast<size_t>(std::ranges::find(urgent_, &waiting) - urgent_.begin());
  waiting_jobs_.clear();
  for (const WaitingRequest* ahead : urgent_) waiting_jobs_.push_back(job_of(ahead->request));
  forecast(waiting_jobs_, &ends_before_);
  double end = ends_before_[place];
  if (end * room <= left && !harms_promise(waiting, CandidateStart::kInTurn, now)) return {};
  if (end * room <= left) {
    // Its own end is in time, but not another one's: behind all of them is time.
    for (const double other : ends_after_) {
      if (std::isfinite(other)) end = std::max(end, other + alone);
    }
  }
  return Error{ErrorCode::kDeadline,
               "this deadline can't be met now: the server would need " + std::to_string(milliseconds(end)) +
                   " ms; try again later or give more time",
               "deadline_ms", milliseconds(end)};
}

// --- estimates
// -----------------------------------------------------------------------------------------------------------------------------

void Scheduler::note_size(const Sequence& sequence) {
  const auto fade = [](double* mean, double value) {
    *mean = *mean == 0 ? value : kFade * *mean + (1 - kFade) * value;
  };
  fade(&mean_prompt_rows_, sequence.prompt_tokens - sequence.cached_tokens);
  fade(&mean_generated_, sequence.generated_tokens);
  limit_used_ = kFade * limit_used_ +
                (1 - kFade) * sequence.generated_tokens / std::max(1, sequence.request.tokens_max);
}

LoadEstimate Scheduler::load(TenantId id, double share) const {
  LoadEstimate load;
  load.waiting = waiting_.size();
  load.running = static_cast<int32_t>(running_.size());
  const auto& tenants = waiting_.tenants();
  const auto mine = tenants.find(id);
  double shares = 0, prompt_tokens = 0, generated = 0;
  for (const auto& [other, tenant] : tenants) {
    if (other != id && !tenant.waiting.empty()) shares += tenant.share;
  }
  if (mine != tenants.end()) {
    load.tenant_waiting = static_cast<int32_t>(mine->second.waiting.size());
    load.tenant_running = mine->second.running;
    prompt_tokens = static_cast<double>(mine->second.prompt_tokens);
    generated = static_cast<double>(mine->second.tokens_max) * limit_used_;
  }
  if (!cost_.known()) return load;
  // As many run together as do now, while some wait; else as many as can.
  const double full = load.waiting > 0 ? std::max(1, load.running) : limits_.running_max;
  const double prompt_row = cost_.added_row_seconds(), generated_row = cost_.seconds(0, full) / full;
  load.prompt_tokens_per_second = prompt_row > 0 ? 1 / prompt_row : 0;
  load.generated_tokens_per_second = generated_row > 0 ? 1 / generated_row : 0;
  load.request_seconds = mean_prompt_rows_ * prompt_row + mean_generated_ * generated_row;
  if (load.waiting == 0 && !slots_free_.empty()) return load;
  // Its tenant's queue ahead of it, at the tenant's share, then until one of those that run ends; with the
  // room that promises have, since a bound is held against it.
  load.wait_seconds = (prompt_tokens * prompt_row + generated * generated_row) * (share + shares) / share +
                      load.request_seconds;
  load.wait_seconds *= room_of(cost_);
  return load;
}

}  // namespace hussar
