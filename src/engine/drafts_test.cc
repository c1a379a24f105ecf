#include "engine/drafts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace hussar {
namespace {

std::vector<TokenId> draft_of(const std::vector<TokenId>& tokens, size_t tokens_max) {
  std::vector<TokenId> draft = {99};
  look_up_draft(tokens, tokens_max, &draft);
  return draft;
}

TEST(Drafts, WhatStoodBehindTheSameTokens) {
  using Tokens = std::vector<TokenId>;
  EXPECT_EQ(draft_of({}, 4), Tokens());
  EXPECT_EQ(draft_of({1, 2, 3}, 4), Tokens());
  EXPECT_EQ(draft_of({1, 2, 3, 4, 1, 2}, 4), (Tokens{3, 4, 1, 2}));
  EXPECT_EQ(draft_of({1, 2, 3, 4, 1, 2}, 2), (Tokens{3, 4}));
  EXPECT_EQ(draft_of({1, 2, 3, 4, 1, 2}, 0), Tokens());
  EXPECT_EQ(draft_of({5, 2, 3, 4, 1, 2}, 4), Tokens()) << "one token alone says nothing";
  EXPECT_EQ(draft_of({1, 2, 3, 9, 1, 2, 4, 9, 1, 2}, 1), Tokens{4}) << "the latest of the longest";
  EXPECT_EQ(draft_of({0, 1, 2, 3, 9, 1, 2, 4, 0, 1, 2}, 1), Tokens{3}) << "the longest";
  EXPECT_EQ(draft_of({7, 7, 7, 7}, 3), Tokens{7}) << "a run that goes on into itself";
}

// By a search that shares nothing with it.
TEST(Drafts, RandomTexts) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int found = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<TokenId> tokens(random() % 40);
    for (TokenId& token : tokens) token = static_cast<TokenId>(random() % 4);
    std::vector<TokenId> expected;
    for (size_t length = kDraftMatchMax; length >= kDraftMatchMin && expected.empty(); --length) {
      if (tokens.size() <= length) continue;
      const std::vector<TokenId> tail(tokens.end() - static_cast<ptrdiff_t>(length), tokens.end());
      const auto at = std::find_end(tokens.begin(), tokens.end() - 1, tail.begin(), tail.end());
      if (at == tokens.end() - 1) continue;
      expected.assign(at + static_cast<ptrdiff_t>(length), tokens.end());
    }
    expected.resize(std::min<size_t>(expected.size(), 5));
    EXPECT_EQ(draft_of(tokens, 5), expected);
    found += !expected.empty();
  }
  EXPECT_GT(found, 1000);
}

TEST(Drafts, TrustFollowsWhatWasAccepted) {
  DraftTrust good, bad;
  for (int i = 0; i < 50; ++i) {
    good.observe(4, 4);
    bad.observe(4, 0);
  }
  EXPECT_GT(good.probability(), 0.95);
  EXPECT_LT(bad.probability(), 0.05);
  for (int i = 0; i < 500; ++i) bad.pass_by();
  EXPECT_NEAR(bad.probability(), 0.5, 0.01);
}

TEST(Drafts, ARowPaysWhereTokensComeFasterWithIt) {
  StepCost cost;
  EXPECT_FALSE(draft_pays(cost, 1, 1, 1)) << "nothing is known";
  cost.observe(100, 0, 1);
  cost.observe(0, 1, 1.0);
  EXPECT_TRUE(draft_pays(cost, 1, 1, 0.01)) << "one to find out";
  EXPECT_FALSE(draft_pays(cost, 2, 1.01, 0.01));
  for (int i = 0; i < 100; ++i) cost.observe(0, 1 + i % 4, 1.0 + 0.1 * (i % 4));  // 0.9 + 0.1 a row
  EXPECT_TRUE(draft_pays(cost, 1, 1, 0.12));
  EXPECT_FALSE(draft_pays(cost, 1, 1, 0.08));
  EXPECT_TRUE(draft_pays(cost, 20, 20, 0.8)) << "20 tokens in 2.9 against 20.8 in 3.0";
  EXPECT_FALSE(draft_pays(cost, 20, 20, 0.6));
}

}  // namespace
}  // namespace hussar
