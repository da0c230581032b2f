#include "engine/sampler/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace skerry::engine {
namespace {

// Logarithms computed apart, in Python.
TEST(Logprobs, OfTheChosenAndTheMostLikely) {
  const std::vector<float> logits = {1.5F, -0.25F, 3.0F, 2.5F, 0.0F, 2.5F, -4.0F, 1.0F};
  const PositionLogprobs at = LogprobsAt(logits, 7, 3);
  EXPECT_EQ(at.chosen.id, 7);
  EXPECT_NEAR(at.chosen.logprob, -2.978702, 1e-5);
  EXPECT_EQ(at.chosen.rank, 5);
  ASSERT_EQ(at.top.size(), 3u);
  EXPECT_EQ(at.top[0].id, 2);
  EXPECT_NEAR(at.top[0].logprob, -0.978702, 1e-5);
  EXPECT_EQ(at.top[1].id, 3);  // of equals the lower id
  EXPECT_EQ(at.top[2].id, 5);
  EXPECT_NEAR(at.top[2].logprob, -1.478702, 1e-5);
  EXPECT_EQ(at.top[2].rank, 3);
  EXPECT_EQ(LogprobsAt(logits, 5, 0).chosen.rank, 3);
  EXPECT_TRUE(LogprobsAt(logits, 5, 0).top.empty());
  EXPECT_EQ(LogprobsAt(logits, 5, 99).top.size(), 8u);
}

TEST(Logprobs, LargeAndImpossibleLogits) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> logits = {1e4F, 1e4F, -inf, NAN};
  EXPECT_NEAR(LogprobsAt(logits, 1, 1).chosen.logprob, -std::log(2.0), 1e-3);
  const PositionLogprobs never = LogprobsAt(logits, 2, 4);
  EXPECT_EQ(never.chosen.logprob, std::numeric_limits<float>::lowest());
  EXPECT_EQ(never.chosen.rank, 3);
  EXPECT_EQ(never.top.size(), 2u);
}

}  // namespace
}  // namespace skerry::engine
