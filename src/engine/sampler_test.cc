#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

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
  SampleRow row = sampler.row(3, {1, request, 4, 1, tokens, {}}, 6);
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

  row = sampler.row(3, {1, request, 3, 2, tokens, {}}, 0);  // the minimum is reached
  ASSERT_EQ(row.bias.size(), 1u);
  EXPECT_EQ(row.bias[0].token, 7);
}

}  // namespace
}  // namespace hussar
