// Steps that are planned before the tokens of the one before them are known.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/scheduler.h"

namespace hussar {
namespace {

constexpr TokenId kText = 0, kStop = 1;
constexpr int32_t kBlocks = 64;

class SchedulerAhead : public ::testing::Test {
 protected:
  explicit SchedulerAhead(int32_t step_tokens_max = 64)
      : pool_(kBlocks, 4),
        scheduler_({.context_max = 256, .running_max = 2, .step_tokens_max = step_tokens_max}, pool_,
                   token_bytes_) {}

  RequestId submit(int32_t prompt_tokens, int32_t tokens_max) {
    Request request;
    request.prompt.assign(static_cast<size_t>(prompt_tokens), static_cast<TokenId>(last_id_ + 2));
    request.tokens_max = tokens_max;
    request.stop_ids = {kStop};
    return submit(std::move(request));
  }
  RequestId submit(Request request) {
    EXPECT_TRUE(scheduler_.submit(++last_id_, std::move(request)).ok());
    return last_id_;
  }
  StepPlan plan() {
    StepPlan plan;
    scheduler_.plan(TimePoint{}, &plan);
    scheduler_.check_integrity();
    return plan;
  }
  bool plan_ahead(const StepPlan& current) {
    const bool planned = scheduler_.plan_ahead(current, &ahead_);
    scheduler_.check_integrity();
    return planned;
  }
  void commit(const StepPlan& plan, const std::vector<TokenId>& tokens) {
    std::vector<SampledToken> sampled(tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) sampled[i].token = tokens[i];
    events_.clear();
    scheduler_.commit(plan, sampled, TimePoint{}, &events_);
    scheduler_.check_integrity();
  }

  const ByteTable token_bytes_ = {"a", ""};
  BlockPool pool_;
  Scheduler scheduler_;
  StepPlan ahead_;
  std::vector<TokenEvent> events_;
  RequestId last_id_ = 0;
};

TEST_F(SchedulerAhead, EachSequenceGoesOnBehindTheTokenThatIsNotKnownYet) {
  submit(7, 3);
  submit(9, 10);
  const StepPlan first = plan();
  ASSERT_TRUE(plan_ahead(first));
  ASSERT_EQ(ahead_.parts.size(), 2u);
  EXPECT_EQ(ahead_.parts[0].first_position, 7);
  EXPECT_EQ(ahead_.parts[1].first_position, 9);
  EXPECT_EQ(ahead_.parts[0].role, RowRole::kGenerated);
  EXPECT_EQ(ahead_.logit_rows, 2);
  const StepPlan second = ahead_;
  commit(first, {kText, kText});
  ASSERT_TRUE(plan_ahead(second));
  EXPECT_EQ(ahead_.parts[0].first_position, 8);
  const StepPlan third = ahead_;
  commit(second, {kText, kText});
  ASSERT_TRUE(plan_ahead(third));
  EXPECT_EQ(ahead_.parts.size(), 1u) << "the first one's third token is its last";
  EXPECT_EQ(ahead_.parts[0].first_position, 11);
}

TEST_F(SchedulerAhead, ARowBehindTheEndIsSurplusAndKeepsItsBlocksUntilItHasRun) {
  submit(7, 20);
  const StepPlan first = plan();
  ASSERT_TRUE(plan_ahead(first));
  commit(first, {kStop});
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].finish, FinishReason::kStop);
  EXPECT_GT(pool_.used(), 0);
  const StepPlan second = ahead_;
  EXPECT_FALSE(plan_ahead(second)) << "nothing is left to run";
  commit(second, {kText});
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(pool_.used(), 0);
  EXPECT_EQ(scheduler_.counts().surplus_tokens, 1);
  EXPECT_EQ(plan().ended.size(), 1u);
}

TEST_F(SchedulerAhead, ACancelledSequenceLeavesBothItsStepsBehind) {
  const RequestId id = submit(7, 20);
  const StepPlan first = plan();
  ASSERT_TRUE(plan_ahead(first));
  scheduler_.cancel(id, TimePoint{}, &events_);
  const StepPlan second = ahead_;
  commit(first, {kText});
  EXPECT_GT(pool_.used(), 0);
  commit(second, {kText});
  EXPECT_EQ(pool_.used(), 0);
  EXPECT_EQ(scheduler_.counts().surplus_tokens, 2);
}

TEST_F(SchedulerAhead, NotWhereSomethingCouldBeAdmitted) {
  submit(7, 20);
  const StepPlan first = plan();
  submit(5, 5);
  EXPECT_FALSE(plan_ahead(first));
  commit(first, {kText});
  EXPECT_EQ(plan().parts.size(), 2u);
}

TEST_F(SchedulerAhead, WhatWaitsForASlotIsNotWaitedForButTakesTheNextOneThatEnds) {
  submit(7, 20);
  submit(7, 2);
  submit(7, 20);
  const StepPlan first = plan();
  ASSERT_TRUE(plan_ahead(first)) << "both slots are taken";
  const StepPlan second = ahead_;
  commit(first, {kText, kText});
  EXPECT_FALSE(plan_ahead(second)) << "one ends with this step";
  commit(second, {kText, kText});
  EXPECT_EQ(plan().started.size(), 1u);
}

TEST_F(SchedulerAhead, NotWhereTokensDecideWhatMayFollow) {
  Request request;
  request.prompt = {2, 3};
  request.tokens_max = 9;
  request.bad_words = {{4, 5}};
  submit(std::move(request));
  EXPECT_FALSE(plan_ahead(plan()));
}

class SchedulerAheadOfLongPrompts : public SchedulerAhead {
 protected:
  SchedulerAheadOfLongPrompts() : SchedulerAhead(8) {}
};

TEST_F(SchedulerAheadOfLongPrompts, NotInTheMiddleOfAPrompt) {
  submit(12, 9);
  const StepPlan first = plan();
  EXPECT_FALSE(plan_ahead(first));
  commit(first, {});
  EXPECT_TRUE(plan_ahead(plan()));
}

}  // namespace
}  // namespace hussar
