#include "cli/kv_plan.h"

#include <gtest/gtest.h>

#include <limits>

namespace hussar {
namespace {

constexpr int32_t kTrained = 8192, kBlockTokens = 32;

// 1,000 bytes a position of the pool, 10 a position of the context for buffers.
int64_t bytes_of(int32_t context, int32_t blocks) {
  return int64_t{blocks} * kBlockTokens * 1000 + context * 10;
}

Result<KvPlan> plan(const KvWish& wish, int64_t available_bytes) {
  return plan_kv(wish, kTrained, kBlockTokens, available_bytes, bytes_of);
}

TEST(KvPlan, DefaultsToSixteenContextsWhereTheyFit) {
  const auto got = plan({}, int64_t{1} << 40);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->context_max, kTrained);
  EXPECT_EQ(got->blocks, 16 * kTrained / kBlockTokens);
  EXPECT_EQ(got->bytes, bytes_of(got->context_max, got->blocks));
  EXPECT_EQ(plan({.contexts_max = 1}, int64_t{1} << 40)->blocks, kTrained / kBlockTokens);
  EXPECT_TRUE(plan({}, std::numeric_limits<int64_t>::max()).ok());
}

TEST(KvPlan, DefaultPoolTakesHalfAndNotAByteMore) {
  const int64_t available = 100'000'000;
  const auto got = plan({}, available);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->context_max, kTrained);
  EXPECT_LE(got->bytes, available / 2);
  EXPECT_GT(bytes_of(got->context_max, got->blocks + 1), available / 2);
}

TEST(KvPlan, DefaultContextShrinksToWhatFits) {
  const int64_t available = 4'000'000;
  const auto got = plan({}, available);
  ASSERT_TRUE(got.ok());
  EXPECT_LT(got->context_max, kTrained);
  EXPECT_GE(got->blocks * kBlockTokens, got->context_max);
  EXPECT_LE(got->bytes, available / 2);
  EXPECT_GT(bytes_of(got->context_max + kBlockTokens, got->blocks + 1), available / 2);
}

TEST(KvPlan, TooLittleForAnyUsefulContextIsAnError) {
  const auto got = plan({}, 900'000);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(plan({}, 0).error().code, ErrorCode::kOutOfMemory);
}

TEST(KvPlan, AContextByNameMayTakeMoreThanHalfButNotMoreThanAll) {
  const auto got = plan({.context_tokens = 4096}, 5'000'000);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->context_max, 4096);
  EXPECT_EQ(got->blocks, 128);
  const auto refused = plan({.context_tokens = 4096}, 4'000'000);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "--ctx");
  // (4,000,000 - 10 * 3936) / 1000 positions are 123 blocks of 32.
  EXPECT_NE(refused.error().message.find("--ctx 3936 fits"), std::string::npos) << refused.error().message;
}

TEST(KvPlan, MoreThanTrainedIsRefused) {
  EXPECT_EQ(plan({.context_tokens = kTrained + 1}, int64_t{1} << 40).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(plan({.context_tokens = kTrained}, int64_t{1} << 40).ok());
}

TEST(KvPlan, APoolByNameIsRoundedUpToBlocks) {
  const auto got = plan({.pool_tokens = 1001}, 1'200'000);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->blocks, 32);
  EXPECT_EQ(got->context_max, 1024);
  EXPECT_EQ(plan({.pool_tokens = 20'000}, int64_t{1} << 40)->context_max, kTrained);
  // (10,000,000 - 10 * 8192) / 1000 positions are 309 blocks of 32.
  const auto large = plan({.pool_tokens = 20'000}, 10'000'000);
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(large.error().message.find("at most --kv-tokens 9888 fits"), std::string::npos)
      << large.error().message;
  EXPECT_EQ(plan({.pool_tokens = 20'000}, 1'000'000).error().code, ErrorCode::kOutOfMemory);
  const auto small = plan({.context_tokens = 2048, .pool_tokens = 1000}, int64_t{1} << 40);
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().field, "--kv-tokens");
}

}  // namespace
}  // namespace hussar
