#include "engine/architectures/rope_scaling.h"

#include <gtest/gtest.h>

#include <cmath>

namespace skerry::engine {
namespace {

TEST(RopeScalingTest, Llama3KeepsShortWavesAndStretchesLongOnes) {
  const std::vector<double> divisors = Llama3Divisors({8, 1, 4, 8192}, 500000, 128);
  ASSERT_EQ(divisors.size(), 64U);
  EXPECT_EQ(divisors.front(), 1);
  EXPECT_EQ(divisors.back(), 8);
  for (size_t i = 1; i < divisors.size(); ++i) EXPECT_GE(divisors[i], divisors[i - 1]);
  // A wave that turns 2.5 times within 8192 tokens is blended half and half.
  const double theta = 8192 / 2.5 / (2 * M_PI);
  EXPECT_NEAR(Llama3Divisors({8, 1, 4, 8192}, theta * theta, 4)[1], 1 / (0.5 / 8 + 0.5), 1e-9);
}

// Worked out by hand for theta 10000, 64 dimensions, 4096 tokens: the pair that turns b times is
// 64 ln(4096 / (2 pi b)) / (2 ln 10000): 10.47 for 32 turns, 22.51 for one.
TEST(RopeScalingTest, YarnRampsBetweenTheTurns) {
  const std::vector<double> whole =
      YarnDivisors({.factor = 4, .original_max_position = 4096}, 10000, 64);
  ASSERT_EQ(whole.size(), 32U);
  for (int i = 0; i <= 10; ++i) EXPECT_EQ(whole[i], 1) << i;
  for (int i = 23; i < 32; ++i) EXPECT_EQ(whole[i], 4) << i;
  const double share = (16 - 10) / 13.0;  // of the ramp from pair 10 to 23
  EXPECT_NEAR(whole[16], 1 / (share / 4 + 1 - share), 1e-12);
  const std::vector<double> exact =
      YarnDivisors({.factor = 4, .original_max_position = 4096, .truncate = false}, 10000, 64);
  const auto pair = [](double turns) {
    return 64 * std::log(4096 / (2 * M_PI * turns)) / (2 * std::log(10000.0));
  };
  const double exact_share = (16 - pair(32)) / (pair(1) - pair(32));
  EXPECT_NEAR(exact[16], 1 / (exact_share / 4 + 1 - exact_share), 1e-12);
  EXPECT_NE(exact[16], whole[16]);
}

TEST(RopeScalingTest, YarnScalesAttentionByTheLogarithm) {
  EXPECT_EQ(YarnAttentionFactor(1), 1);
  EXPECT_NEAR(YarnAttentionFactor(32), 0.1 * std::log(32.0) + 1, 1e-12);
  EXPECT_NEAR(YarnAttentionFactor(32, 0.5), 0.05 * std::log(32.0) + 1, 1e-12);
}

TEST(RopeScalingTest, RefusesContradictions) {
  EXPECT_TRUE(ValidateScaling(Llama3Scaling{8, 1, 4, 8192}));
  for (const Llama3Scaling& bad :
       {Llama3Scaling{0.5, 1, 4, 8192}, Llama3Scaling{8, 4, 4, 8192}, Llama3Scaling{8, 0, 4, 8192},
        Llama3Scaling{8, 1, 4, 0}, Llama3Scaling{NAN, 1, 4, 8192},
        Llama3Scaling{8, 1, INFINITY, 8192}}) {
    EXPECT_FALSE(ValidateScaling(bad));
  }
  EXPECT_TRUE(ValidateScaling(YarnScaling{4, 4096}));
  for (const YarnScaling& bad :
       {YarnScaling{0.5, 4096}, YarnScaling{4, 0}, YarnScaling{4, 4096, 1, 1},
        YarnScaling{4, 4096, 32, 0}, YarnScaling{4, 4096, INFINITY, 1}, YarnScaling{4, 1e300},
        YarnScaling{1e300, 4096}}) {
    EXPECT_FALSE(ValidateScaling(bad));
  }
}

}  // namespace
}  // namespace skerry::engine
