#include "engine/model/pooling.h"

#include <gtest/gtest.h>

#include <cmath>

namespace skerry::engine {
namespace {

TEST(PoolingTest, ChoosesOrAverages) {
  const std::vector<float> rows = {1, 2, 3, 4, 8, 0};
  EXPECT_EQ(Pool(rows, 2, Pooling::kCls), (std::vector<float>{1, 2}));
  EXPECT_EQ(Pool(rows, 2, Pooling::kLast), (std::vector<float>{8, 0}));
  EXPECT_EQ(Pool(rows, 2, Pooling::kMean), (std::vector<float>{4, 2}));
}

TEST(PoolingTest, NormalisesToLengthOne) {
  std::vector<float> vector = {3, -4};
  Normalise(vector);
  EXPECT_FLOAT_EQ(vector[0], 0.6F);
  EXPECT_FLOAT_EQ(vector[1], -0.8F);
  std::vector<float> zeros = {0, 0};
  Normalise(zeros);
  EXPECT_EQ(zeros, (std::vector<float>{0, 0}));
}

TEST(PoolingTest, NamesAreFound) {
  for (const Pooling pooling : {Pooling::kCls, Pooling::kMean, Pooling::kLast}) {
    EXPECT_EQ(FindPooling(PoolingName(pooling)), pooling);
  }
  EXPECT_FALSE(FindPooling("none"));
  EXPECT_FALSE(FindPooling("max"));
}

}  // namespace
}  // namespace skerry::engine
