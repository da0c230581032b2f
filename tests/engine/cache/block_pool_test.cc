#include "engine/cache/block_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace skerry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BlockPoolTest, AllocatesAllAndNoMore) {
  BlockPool pool(3);
  EXPECT_TRUE(pool.CanAllocate(3));
  EXPECT_FALSE(pool.CanAllocate(4));
  EXPECT_EQ(pool.Allocate(4).error().code(), ErrorCode::kExhausted);
  EXPECT_EQ(pool.n_free(), 3);
  EXPECT_THAT(*pool.Allocate(2), ElementsAre(0, 1));
  EXPECT_THAT(*pool.Allocate(1), ElementsAre(2));
  EXPECT_THAT(*pool.Allocate(0), IsEmpty());
  EXPECT_FALSE(pool.Allocate(1));
  EXPECT_EQ(pool.Allocate(-1).error().code(), ErrorCode::kInvalidArgument);
}

TEST(BlockPoolTest, SharedBlockIsFreedByItsLastOwner) {
  BlockPool pool(2);
  const std::vector<BlockId> blocks = *pool.Allocate(2);
  ASSERT_TRUE(pool.Retain(blocks[0]));
  EXPECT_EQ(pool.References(blocks[0]), 2);
  ASSERT_TRUE(pool.Free(blocks));
  EXPECT_EQ(pool.n_free(), 1);
  const BlockId shared[] = {blocks[0]};
  ASSERT_TRUE(pool.Free(shared));
  EXPECT_EQ(pool.n_free(), 2);
  EXPECT_FALSE(pool.Retain(blocks[0]));
}

TEST(BlockPoolTest, WrongFreesChangeNothing) {
  BlockPool pool(4);
  const std::vector<BlockId> blocks = *pool.Allocate(2);
  for (const std::vector<BlockId>& wrong :
       {std::vector<BlockId>{0, 1, 2}, {0, 0}, {-1}, {1, 4}, {0, 1, 1}}) {
    EXPECT_EQ(pool.Free(wrong).error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(pool.n_free(), 2);
    EXPECT_EQ(pool.References(0), 1);
    EXPECT_EQ(pool.References(1), 1);
  }
  EXPECT_TRUE(pool.Free(blocks));
}

TEST(BlockPoolTest, OneCallMayGiveUpBothOwners) {
  BlockPool pool(1);
  ASSERT_TRUE(pool.Allocate(1));
  ASSERT_TRUE(pool.Retain(0));
  const BlockId twice[] = {0, 0};
  ASSERT_TRUE(pool.Free(twice));
  EXPECT_EQ(pool.n_free(), 1);
  EXPECT_THAT(*pool.Allocate(1), ElementsAre(0));
  EXPECT_FALSE(pool.Allocate(1));
}

TEST(BlockPoolTest, BlocksForRoundsUp) {
  EXPECT_EQ(BlockPool::BlocksFor(0), 0);
  EXPECT_EQ(BlockPool::BlocksFor(1), 1);
  EXPECT_EQ(BlockPool::BlocksFor(16), 1);
  EXPECT_EQ(BlockPool::BlocksFor(17), 2);
}

// Random traffic against a model of it: no block is handed out twice, none is lost.
TEST(BlockPoolTest, RandomTraffic) {
  std::mt19937 random(7);
  BlockPool pool(37);
  std::map<BlockId, int> owners;
  for (int step = 0; step < 20000; ++step) {
    const auto n = static_cast<int32_t>(random() % 5);
    if (random() % 2 == 0) {
      const bool fits = owners.size() + n <= 37;
      ASSERT_EQ(pool.CanAllocate(n), fits);
      const auto blocks = pool.Allocate(n);
      ASSERT_EQ(blocks.has_value(), fits);
      if (!fits) continue;
      for (const BlockId block : *blocks) ASSERT_TRUE(owners.emplace(block, 1).second);
    } else if (!owners.empty()) {
      auto it = std::next(owners.begin(), random() % owners.size());
      const BlockId block = it->first;
      if (random() % 3 == 0) {
        ASSERT_TRUE(pool.Retain(block));
        ++it->second;
      } else {
        ASSERT_TRUE(pool.Free(std::span(&block, 1)));
        if (--it->second == 0) owners.erase(it);
      }
    }
    ASSERT_EQ(pool.n_free(), 37 - static_cast<int32_t>(owners.size()));
  }
}

}  // namespace
}  // namespace skerry::engine
