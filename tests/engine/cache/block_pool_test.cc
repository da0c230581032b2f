#include "engine/cache/block_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

BlockName NameOf(uint64_t number) { return RootName(number); }

TEST(BlockPoolTest, NamedBlocksAreFoundUntilTheirPlaceIsNeeded) {
  BlockPool pool(4);
  const auto blocks = *pool.Allocate(3);
  for (size_t i = 0; i < 3; ++i) pool.Name(blocks[i], NameOf(i));
  EXPECT_EQ(pool.Find(NameOf(1)), blocks[1]);
  EXPECT_EQ(pool.Find(NameOf(9)), std::nullopt);
  ASSERT_TRUE(pool.Free(blocks));
  EXPECT_EQ(pool.n_free(), 4);
  EXPECT_EQ(pool.n_idle(), 3);
  // The nameless one first, then the end of the sequence; what stays is its beginning.
  EXPECT_THAT(*pool.Allocate(1), ElementsAre(3));
  EXPECT_THAT(*pool.Allocate(1), ElementsAre(blocks[2]));
  EXPECT_EQ(pool.Find(NameOf(2)), std::nullopt);
  ASSERT_TRUE(pool.Retain(blocks[0]));
  EXPECT_EQ(pool.References(blocks[0]), 1);
  EXPECT_EQ(pool.n_free(), 1);
  EXPECT_FALSE(pool.Allocate(2));
  EXPECT_THAT(*pool.Allocate(1), ElementsAre(blocks[1]));
  EXPECT_EQ(pool.Find(NameOf(0)), blocks[0]);
}

TEST(BlockPoolTest, TheLongestIdleGoesFirst) {
  BlockPool pool(3);
  const auto blocks = *pool.Allocate(3);
  for (const BlockId block : blocks) pool.Name(block, NameOf(block));
  for (const BlockId block : {1, 0, 2}) ASSERT_TRUE(pool.Free(std::span(&block, 1)));
  ASSERT_TRUE(pool.Retain(1));  // used again
  const BlockId again = 1;
  ASSERT_TRUE(pool.Free(std::span(&again, 1)));
  EXPECT_THAT(*pool.Allocate(3), ElementsAre(0, 2, 1));
}

TEST(BlockPoolTest, ANameBelongsToOneBlock) {
  BlockPool pool(3);
  const auto blocks = *pool.Allocate(2);
  pool.Name(blocks[0], NameOf(1));
  pool.Name(blocks[1], NameOf(1));  // stays nameless
  pool.Name(blocks[0], NameOf(2));  // has one
  pool.Name(2, NameOf(3));          // nobody's
  EXPECT_EQ(pool.Find(NameOf(1)), blocks[0]);
  EXPECT_EQ(pool.Find(NameOf(2)), std::nullopt);
  EXPECT_EQ(pool.Find(NameOf(3)), std::nullopt);
  ASSERT_TRUE(pool.Free(blocks));
  EXPECT_EQ(pool.n_idle(), 1);
  EXPECT_FALSE(pool.Retain(blocks[1]));
}

// Random traffic against a model of it: no block is handed out twice, none is lost, a name is found
// as long as its block was not given away.
TEST(BlockPoolTest, RandomTraffic) {
  std::mt19937 random(7);
  BlockPool pool(37);
  std::map<BlockId, int> owners;
  std::map<uint64_t, BlockId> names;
  for (int step = 0; step < 20000; ++step) {
    const auto n = static_cast<int32_t>(random() % 5);
    if (random() % 2 == 0) {
      const bool fits = owners.size() + n <= 37;
      ASSERT_EQ(pool.CanAllocate(n), fits);
      const auto blocks = pool.Allocate(n);
      ASSERT_EQ(blocks.has_value(), fits);
      if (!fits) continue;
      for (const BlockId block : *blocks) {
        ASSERT_TRUE(owners.emplace(block, 1).second);
        std::erase_if(names, [&](const auto& entry) { return entry.second == block; });
      }
    } else if (!owners.empty()) {
      auto it = std::next(owners.begin(), random() % owners.size());
      const BlockId block = it->first;
      const bool named =
          std::ranges::any_of(names, [&](const auto& entry) { return entry.second == block; });
      if (random() % 3 == 0) {
        ASSERT_TRUE(pool.Retain(block));
        ++it->second;
      } else if (random() % 3 == 0 && !named) {
        pool.Name(block, NameOf(step));
        names[step] = block;
      } else {
        ASSERT_TRUE(pool.Free(std::span(&block, 1)));
        if (--it->second == 0) owners.erase(it);
      }
    }
    ASSERT_EQ(pool.n_free(), 37 - static_cast<int32_t>(owners.size()));
    if (!names.empty()) {
      const auto& [name, block] = *std::next(names.begin(), random() % names.size());
      ASSERT_EQ(pool.Find(NameOf(name)), block);
      if (!owners.contains(block) && random() % 4 == 0) {
        ASSERT_TRUE(pool.Retain(block));
        owners[block] = 1;
      }
    }
  }
}

}  // namespace
}  // namespace skerry::engine
