#include "engine/device/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace skerry::engine {
namespace {

TEST(ThreadPoolTest, EveryElementOnce) {
  for (const int n_threads : {1, 2, 5}) {
    const auto pool = ThreadPool::Create(n_threads);
    ASSERT_TRUE(pool);
    EXPECT_EQ((*pool)->n_threads(), n_threads);
    for (const int64_t n : {0, 1, 2, 7, 64, 1000}) {
      for (const int64_t grain : {0, 1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> hits(n);
        (*pool)->ParallelFor(n, grain, [&](int64_t begin, int64_t end, int thread) {
          ASSERT_LT(begin, end);
          ASSERT_LE(end - begin, std::max<int64_t>(grain, 1));
          ASSERT_GE(thread, 0);
          ASSERT_LT(thread, n_threads);
          for (int64_t i = begin; i < end; ++i) ++hits[i];
        });
        for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1);
      }
    }
  }
}

// Loops right after each other: the results of one are visible to the next.
TEST(ThreadPoolTest, LoopsAreOrdered) {
  const auto pool = ThreadPool::Create(3);
  ASSERT_TRUE(pool);
  std::vector<int64_t> values(97, 0);
  for (int round = 0; round < 2000; ++round) {
    (*pool)->ParallelFor(97, 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) ++values[96 - i];
    });
  }
  for (const int64_t value : values) EXPECT_EQ(value, 2000);
}

TEST(ThreadPoolTest, NoThreadsIsAnError) {
  EXPECT_EQ(ThreadPool::Create(0).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_GE(UsableProcessors(), 1);
}

}  // namespace
}  // namespace skerry::engine
