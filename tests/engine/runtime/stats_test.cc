#include "engine/runtime/stats.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace skerry::engine {
namespace {

TEST(Histogram, CountsAreCumulativeAndBoundsBelongToTheirBucket) {
  static const std::array<double, 3> bounds = {1, 2, 4};
  Histogram histogram(bounds);
  for (const double value : {0.5, 1.0, 1.5, 4.0, 4.1, 100.0}) histogram.Observe(value);
  EXPECT_EQ(histogram.CountUpTo(0), 2u);
  EXPECT_EQ(histogram.CountUpTo(1), 3u);
  EXPECT_EQ(histogram.CountUpTo(2), 4u);
  EXPECT_EQ(histogram.CountUpTo(3), 6u);
  EXPECT_EQ(histogram.count(), 6u);
  EXPECT_DOUBLE_EQ(histogram.sum(), 111.1);
}

TEST(Histogram, BoundsAscend) {
  EXPECT_TRUE(std::ranges::is_sorted(kFirstTokenBounds));
  EXPECT_TRUE(std::ranges::is_sorted(kInterTokenBounds));
  EXPECT_TRUE(std::ranges::is_sorted(kRequestTimeBounds));
  EXPECT_TRUE(std::ranges::is_sorted(kIterationBounds));
  EXPECT_TRUE(std::ranges::is_sorted(kRequestTokenBounds));
}

}  // namespace
}  // namespace skerry::engine
