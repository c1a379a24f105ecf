#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "base/seeds.h"

namespace hussar {
namespace {

TEST(Sampler, RowsCarryWhatTheRequestAsksFor) {
  Request request;
  request.seed = 42;
  request.sample.temperature = 0.5f;
  request.sample.repetition_penalty = 1.2f;
  request.logprobs_top = 3;
  request.bias = {{7, 1.5f}};
  request.stop_ids = {2, 9};
  request.tokens_min = 2;
  Sampler sampler(4);
  sampler.begin(3, request);
  const std::vector<TokenId> tokens = {1, 2, 3, 4, 5};
  SampleRow row = sampler.row(3, {1, request, 4, 1, 0, tokens, {}}, 6);
  EXPECT_EQ(row.logit_row, 6);
  EXPECT_EQ(row.slot, 3);
  EXPECT_EQ(row.position, 5);
  EXPECT_EQ(row.seed, 42u);
  EXPECT_EQ(row.params.temperature, 0.5f);
  EXPECT_EQ(row.params.repetition_penalty, 1.2f);
  EXPECT_EQ(row.logprobs_top, 3);
  EXPECT_EQ(row.allow_mask, nullptr);
  ASSERT_EQ(row.bias.size(), 3u);
  EXPECT_EQ(row.bias[0].bias, 1.5f);
  EXPECT_EQ(row.bias[1].token, 2);
  EXPECT_EQ(row.bias[2].token, 9);
  EXPECT_TRUE(std::isinf(row.bias[1].bias) && row.bias[1].bias < 0);

  row = sampler.row(3, {1, request, 3, 2, 0, tokens, {}}, 0);  // the minimum is reached
  ASSERT_EQ(row.bias.size(), 1u);
  EXPECT_EQ(row.bias[0].token, 7);
}

TEST(Sampler, ABadWordsLastTokenIsForbiddenBehindItsFirstOnes) {
  Request request;
  request.bias = {{7, 1.5f}};
  request.stop_ids = {2};
  request.tokens_min = 1;
  request.bad_words = {{20}, {4, 5, 6}, {5, 8}};
  const auto allowed = std::make_shared<const std::vector<uint32_t>>(1, 0xFFu);
  request.allowed = allowed;
  Sampler sampler(1);
  sampler.begin(0, request);
  const auto forbidden = [&](const std::vector<TokenId>& tokens, int32_t prompt_tokens) {
    const auto generated = static_cast<int32_t>(tokens.size()) - prompt_tokens;
    const SampleRow row = sampler.row(0, {1, request, prompt_tokens, generated, 0, tokens, {}}, 0);
    EXPECT_EQ(row.allow_mask, allowed->data());
    EXPECT_EQ(row.bias.front().token, 7);
    std::vector<TokenId> ids;
    for (const TokenBias& entry : row.bias.subspan(1)) ids.push_back(entry.token);
    return ids;
  };
  EXPECT_EQ(forbidden({4, 5}, 2), (std::vector<TokenId>{2, 20})) << "a prompt may begin what it likes";
  EXPECT_EQ(forbidden({1, 4}, 1), (std::vector<TokenId>{20}));
  EXPECT_EQ(forbidden({1, 4, 5}, 1), (std::vector<TokenId>{20, 6, 8}));
  EXPECT_EQ(forbidden({1, 4, 5, 9}, 1), (std::vector<TokenId>{20}));
  EXPECT_EQ(forbidden({1, 4, 5, 9, 5}, 1), (std::vector<TokenId>{20, 8}));
}

// Attempts at a checked answer draw anew, and never what another choice of the request draws.
TEST(Sampler, EachAttemptHasDrawsOfItsOwn) {
  Request request;
  request.seed = 42;
  request.sample.temperature = 0;
  Sampler sampler(1);
  sampler.begin(0, request);
  const std::vector<TokenId> tokens = {1, 2};
  std::set<uint64_t> seeds;
  for (int32_t attempt = 0; attempt < 100; ++attempt) {
    const SampleRow row = sampler.row(0, {1, request, 2, 0, attempt, tokens, {}}, 0);
    seeds.insert(row.seed);
    EXPECT_EQ(row.seed == request.seed, attempt == 0);
    EXPECT_EQ(row.params.temperature == 0, attempt == 0);
  }
  for (uint64_t choice = 1; choice < 100; ++choice) seeds.insert(nth_seed(request.seed, choice));
  EXPECT_EQ(seeds.size(), 199u);
}

}  // namespace
}  // namespace hussar
