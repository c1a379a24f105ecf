#include "engine/block_pool.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace hussar {
namespace {

using Tokens = std::vector<TokenId>;

int32_t take_one(BlockPool& pool) {
  EXPECT_TRUE(pool.admit({}, 1));
  return pool.take();
}

// A used block with this content, published.
int32_t make(BlockPool& pool, int32_t parent, const Tokens& tokens, std::string_view salt = "") {
  return pool.publish(take_one(pool), parent, tokens, salt);
}

TEST(BlockPool, CountsFreeCachedAndUsed) {
  BlockPool pool(3, 2);
  EXPECT_EQ(pool.free(), 3);
  const int32_t a = take_one(pool);
  const int32_t b = make(pool, BlockPool::kNone, {1, 2});
  EXPECT_EQ(pool.used(), 2);
  pool.release(a);
  pool.release(b);
  EXPECT_EQ(pool.free(), 2);
  EXPECT_EQ(pool.cached(), 1);
  EXPECT_EQ(pool.used(), 0);
  pool.check_integrity();
}

TEST(BlockPool, PledgesArePromises) {
  BlockPool pool(4, 2);
  EXPECT_TRUE(pool.admit({}, 3));
  EXPECT_FALSE(pool.admit({}, 2));
  EXPECT_EQ(pool.available(), 1);
  EXPECT_EQ(pool.free(), 4);  // nothing is taken yet
  pool.unpledge(1);
  EXPECT_TRUE(pool.admit({}, 2));
  EXPECT_FALSE(pool.admit({}, 1));
  for (int i = 0; i < 4; ++i) pool.take();
  EXPECT_EQ(pool.used(), 4);
  pool.check_integrity();
}

TEST(BlockPool, AnUnreferencedHitUsesRoomAndAReferencedOneDoesNot) {
  BlockPool pool(2, 1);
  const int32_t a = make(pool, BlockPool::kNone, {7});
  EXPECT_TRUE(pool.admit(std::vector{a}, 1));  // shared with the holder: one block is left for the pledge
  EXPECT_EQ(pool.references(a), 2);
  pool.unpledge(1);
  pool.release(a);
  pool.release(a);
  EXPECT_EQ(pool.cached(), 1);
  EXPECT_FALSE(pool.admit(std::vector{a}, 2));
  EXPECT_EQ(pool.references(a), 0);  // a refusal changes nothing
  EXPECT_TRUE(pool.admit(std::vector{a}, 1));
  pool.check_integrity();
}

TEST(BlockPool, FindsOnlyTheSamePrefixUnderTheSameSalt) {
  BlockPool pool(8, 2);
  const int32_t a = make(pool, BlockPool::kNone, {1, 2});
  const int32_t b = make(pool, a, {3, 4});
  const int32_t other = make(pool, BlockPool::kNone, {1, 2}, "tenant");
  EXPECT_NE(a, other);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{1, 2}, ""), a);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{1, 2}, "tenant"), other);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{1, 2}, "tenan"), BlockPool::kNone);
  EXPECT_EQ(pool.find(a, Tokens{3, 4}, ""), b);
  EXPECT_EQ(pool.find(other, Tokens{3, 4}, "tenant"), BlockPool::kNone);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{3, 4}, ""), BlockPool::kNone);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{2, 1}, ""), BlockPool::kNone);
}

TEST(BlockPool, PublishingTheSameContentTwiceKeepsOneBlock) {
  BlockPool pool(4, 2);
  const int32_t a = make(pool, BlockPool::kNone, {1, 2});
  EXPECT_EQ(make(pool, BlockPool::kNone, {1, 2}), a);
  EXPECT_EQ(pool.references(a), 2);
  EXPECT_EQ(pool.used(), 1);
  EXPECT_EQ(pool.free(), 3);
  pool.release(a);
  pool.release(a);
  EXPECT_EQ(make(pool, BlockPool::kNone, {1, 2}), a);  // also when the first one is only cached
  pool.check_integrity();
}

TEST(BlockPool, TakesTheLeastRecentlyUsedAndNeverAParentBeforeItsChild) {
  BlockPool pool(4, 1);
  const int32_t a = make(pool, BlockPool::kNone, {1});
  const int32_t b = make(pool, a, {2});
  const int32_t c = make(pool, BlockPool::kNone, {3});
  pool.release(b);
  pool.release(a);
  pool.release(c);
  ASSERT_TRUE(pool.admit(std::vector{a}, 0));  // a is used again: now the most recent
  pool.release(a);
  take_one(pool);  // the free one
  EXPECT_EQ(take_one(pool), b);
  EXPECT_EQ(pool.find(a, Tokens{2}, ""), BlockPool::kNone);
  EXPECT_EQ(take_one(pool), c);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{1}, ""), a);
  EXPECT_EQ(take_one(pool), a);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{1}, ""), BlockPool::kNone);
  pool.check_integrity();
}

TEST(BlockPool, AReusedBlockIsAnotherPrefix) {
  BlockPool pool(2, 1);
  const int32_t a = make(pool, BlockPool::kNone, {1});
  const int32_t b = make(pool, a, {2});
  pool.release(b);
  pool.release(a);
  const int32_t c = make(pool, BlockPool::kNone, {9});  // takes b's place
  const int32_t d = make(pool, c, {1});                 // takes a's place
  EXPECT_EQ(c, b);
  EXPECT_EQ(d, a);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{1}, ""), BlockPool::kNone);
  EXPECT_EQ(pool.find(d, Tokens{2}, ""), BlockPool::kNone);
  pool.check_integrity();
}

// Every prefix has the same hash: the index must compare tokens, parent and salt.
TEST(BlockPool, CollidingBlocksAreEachFoundAsThemselves) {
  constexpr int32_t kBlocks = 512;
  BlockPool pool(kBlocks, 2, 0);
  std::vector<int32_t> blocks;
  for (TokenId i = 0; i < kBlocks; ++i) blocks.push_back(make(pool, BlockPool::kNone, {i, i * i}));
  for (TokenId i = 0; i < kBlocks; ++i) {
    EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{i, i * i}, ""), blocks[static_cast<size_t>(i)]);
  }
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{3, 9}, "x"), BlockPool::kNone);
  EXPECT_EQ(pool.find(blocks[0], Tokens{3, 9}, ""), BlockPool::kNone);
  EXPECT_EQ(pool.find(BlockPool::kNone, Tokens{3, 8}, ""), BlockPool::kNone);
  pool.check_integrity();
}

}  // namespace
}  // namespace hussar
