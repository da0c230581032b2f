#include "proxy/limits/limits.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace skerry::proxy {
namespace {

TEST(MemoryBudget, SharesComeAndGo) {
  MemoryBudget budget(100);
  {
    BudgetShare first(budget);
    EXPECT_TRUE(first.GrowTo(60));
    EXPECT_TRUE(first.GrowTo(10));  // never shrinks
    EXPECT_EQ(budget.free_bytes(), 40u);
    BudgetShare second(budget);
    EXPECT_FALSE(second.GrowTo(41));
    EXPECT_EQ(budget.free_bytes(), 40u);
    EXPECT_TRUE(second.GrowTo(40));
    EXPECT_FALSE(first.GrowTo(61));
  }
  EXPECT_EQ(budget.free_bytes(), 100u);
}

TEST(MemoryBudget, NeverExceededByThreads) {
  MemoryBudget budget(3);
  std::atomic<int> held = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        BudgetShare share(budget);
        if (!share.GrowTo(1)) continue;
        const int now = ++held;
        int seen = most;
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        --held;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(budget.free_bytes(), 3u);
}

TEST(Limits, AdminInstanceTakesSmallBodies) {
  EXPECT_EQ(AdminLimits().max_body_bytes, size_t{1} << 20);
  EXPECT_EQ(AdminLimits().max_bodies_bytes, size_t{16} << 20);
}

TEST(Limits, ConnectionsFitTheDescriptors) {
  EXPECT_EQ(ConnectionsFor(0), 1u);
  EXPECT_EQ(ConnectionsFor(65), 1u);
  EXPECT_EQ(ConnectionsFor(66), 1u);
  EXPECT_EQ(ConnectionsFor(1024), 480u);
  EXPECT_GT(ConnectionsFor(UINT64_MAX), 1'000'000u);
}

}  // namespace
}  // namespace skerry::proxy
