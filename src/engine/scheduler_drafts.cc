// The scheduler's part that guesses ahead: which rows of a step are spent on it, and what came of them.
#include <algorithm>

#include "engine/drafts.h"
#include "engine/scheduler.h"

namespace hussar {

// How many tokens may be drafted: none behind the answer's last one, and none where what a row may sample is
// known only when the tokens before it are.
int32_t Scheduler::draft_room(const Sequence& sequence, const StepPlan& plan) const {
  const Request& request = sequence.request;
  if (request.grammar || !request.bad_words.empty() || sequence.generated_tokens < request.tokens_min)
    return 0;
  return std::min({limits_.draft_tokens_max, request.tokens_max - sequence.generated_tokens - 1,
                   limits_.step_tokens_max - plan.rows, limits_.logit_rows_max - plan.logit_rows});
}

// Where others share the step, their tokens may come later for one's drafts by so much, and not at all where
// that was promised to somebody or takes from another tenant.
// REQUIRES: the plan has generating parts only.
void Scheduler::plan_drafts(StepPlan* plan) {
  constexpr double kStretchMax = 1.25;
  const bool alone = plan->parts.size() == 1;
  const bool promised = running_deadlines_ + waiting_.deadlines() > 0 || waiting_.tenants().size() > 1;
  if (limits_.draft_tokens_max == 0 || (promised && !alone)) return;
  const double longest = cost_.seconds(0, plan->rows) * kStretchMax;
  const auto stretches = [&](int32_t rows) { return !alone && cost_.seconds(0, rows) > longest; };
  double tokens = plan->rows;  // that the step is expected to bring
  for (StepPart& part : plan->parts) {
    Sequence& sequence = at(part.slot);
    const int32_t room = draft_room(sequence, *plan);
    if (room <= 0) continue;
    look_up_draft(sequence.tokens, static_cast<size_t>(room), &draft_);
    double chance = 1;
    int32_t drafted = 0;
    for (; drafted < static_cast<int32_t>(draft_.size()); ++drafted) {
      chance *= sequence.trust.probability();
      if (limits_.draft_mode == DraftMode::kWhenFaster &&
          (!draft_pays(cost_, plan->rows + drafted, tokens, chance) || stretches(plan->rows + drafted + 1)))
        break;
      tokens += chance;
    }
    if (drafted == 0 && !draft_.empty()) sequence.trust.pass_by();
    part.rows += drafted;
    part.logit_rows += drafted;
    plan->rows += drafted;
    plan->logit_rows += drafted;
    plan->drafts.insert(plan->drafts.end(), draft_.begin(), draft_.begin() + drafted);
    sequence.flight_rows += drafted;
    take_blocks(sequence, part.first_position + part.rows);
  }
}

int32_t Scheduler::tokens_confirmed(std::span<const SampledToken> sampled, std::span<const TokenId> drafts) {
  size_t right = 0;
  while (right < drafts.size() && sampled[right].token == drafts[right]) ++right;
  return static_cast<int32_t>(right) + 1;
}

// A part with drafts: what was computed for a wrong one is overwritten by the next step.
void Scheduler::commit_answer(const StepPart& part, std::span<const SampledToken> sampled,
                              std::span<const TokenId> drafts, TimePoint now,
                              std::vector<TokenEvent>* events) {
  Sequence& sequence = at(part.slot);
  const int32_t confirmed = tokens_confirmed(sampled, drafts);
  sequence.trust.observe(static_cast<int32_t>(drafts.size()), confirmed - 1);
  counts_.drafted_tokens += static_cast<int64_t>(drafts.size());
  int32_t committed = 0;
  while (committed < confirmed && sequence.state == State::kRunning) {
    ++sequence.computed;
    publish_full_blocks(sequence);
    accept(part.slot, sampled[static_cast<size_t>(committed++)], now, events);
  }
  counts_.drafts_accepted += committed - 1;
  counts_.surplus_tokens += static_cast<int64_t>(sampled.size()) - committed;
}

}  // namespace hussar
