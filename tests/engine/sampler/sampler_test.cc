#include "engine/sampler/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace skerry::engine {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

SamplingParams Params(double temperature, int32_t top_k = 0, double top_p = 1, uint64_t seed = 1) {
  SamplingParams params;
  params.temperature = temperature;
  params.top_k = top_k;
  params.top_p = top_p;
  params.seed = seed;
  return params;
}

std::vector<int> Histogram(Sampler& sampler, const std::vector<float>& logits, int n) {
  std::vector<int> counts(logits.size());
  for (int i = 0; i < n; ++i) {
    std::vector<float> copy = logits;
    ++counts[sampler.Sample(copy).value()];
  }
  return counts;
}

TEST(Sampler, GreedyTakesTheFirstOfTheBest) {
  Sampler sampler(Params(0), {});
  std::vector<float> logits = {1, 3, 3, NAN, -kInf};
  EXPECT_EQ(sampler.Sample(logits).value(), 1);
}

TEST(Sampler, BannedTokensAreNeverChosen) {
  Sampler greedy(Params(0), {1, 2, 99, -1});
  std::vector<float> logits = {1, 3, 3, 2};
  EXPECT_EQ(greedy.Sample(logits).value(), 3);
  Sampler hot(Params(50), {1});
  EXPECT_EQ(Histogram(hot, {0, 9, 0}, 500)[1], 0);
  Sampler all(Params(1), {0, 1});
  std::vector<float> two = {1, 2};
  EXPECT_EQ(all.Sample(two).error().code(), ErrorCode::kInternal);
}

TEST(Sampler, FrequenciesFollowTheSoftmax) {
  const std::vector<float> logits = {0, std::log(2.f), std::log(4.f), -kInf};
  Sampler sampler(Params(1), {});
  const std::vector<int> counts = Histogram(sampler, logits, 14'000);
  EXPECT_NEAR(counts[0], 2000, 200);
  EXPECT_NEAR(counts[1], 4000, 250);
  EXPECT_NEAR(counts[2], 8000, 300);
  EXPECT_EQ(counts[3], 0);
  Sampler cold(Params(0.5), {});  // squares the weights: 1, 4, 16
  EXPECT_NEAR(Histogram(cold, logits, 21'000)[2], 16'000, 400);
}

TEST(Sampler, TopKAndTopPCutTheTail) {
  const std::vector<float> logits = {std::log(1.f), std::log(5.f), std::log(3.f), std::log(1.f)};
  Sampler two(Params(1, 2), {});
  const std::vector<int> k = Histogram(two, logits, 8000);
  EXPECT_EQ(k[0] + k[3], 0);
  EXPECT_NEAR(k[1], 5000, 250);
  Sampler nucleus(Params(1, 0, 0.5), {});  // the first token alone reaches one half
  EXPECT_EQ(Histogram(nucleus, logits, 200)[1], 200);
  Sampler wider(Params(1, 0, 0.51), {});
  const std::vector<int> p = Histogram(wider, logits, 8000);
  EXPECT_EQ(p[0] + p[3], 0);
  EXPECT_GT(p[2], 2500);
  Sampler both(Params(1, 3, 0.99), {});  // equal logits: the lower id is kept
  EXPECT_EQ(Histogram(both, logits, 2000)[3], 0);
}

TEST(Sampler, NucleusLargerThanTheFirstSortedPart) {
  const std::vector<float> flat(3000, 0.f);
  Sampler sampler(Params(1, 0, 0.5), {});
  const std::vector<int> counts = Histogram(sampler, flat, 200);
  int upper = 0;
  for (size_t i = 1500; i < counts.size(); ++i) upper += counts[i];
  EXPECT_EQ(upper, 0);  // exactly the first half of equals is the nucleus
}

TEST(Sampler, SeedAndDrawDecideAlone) {
  const std::vector<float> logits(100, 0.f);
  const auto run = [&](uint64_t seed) {
    Sampler sampler(Params(1, 0, 1, seed), {});
    std::vector<TokenId> tokens;
    for (int i = 0; i < 50; ++i) {
      std::vector<float> copy = logits;
      tokens.push_back(sampler.Sample(copy).value());
    }
    return tokens;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
  // Fixed for good: a seed means the same answer after an update.
  EXPECT_DOUBLE_EQ(UniformAt(0, 0), UniformAt(0, 0));
  EXPECT_NE(UniformAt(0, 0), UniformAt(0, 1));
  EXPECT_NE(UniformAt(0, 1), UniformAt(1, 0));
  double sum = 0;
  for (uint64_t i = 0; i < 10'000; ++i) sum += UniformAt(42, i);
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(Sampler, PenaltiesLowerWhatWasSaid) {
  SamplingParams params = Params(0);
  params.frequency_penalty = 1;
  params.presence_penalty = 0.5;
  Sampler sampler(params, {});
  std::vector<TokenId> tokens;
  for (int i = 0; i < 4; ++i) {
    std::vector<float> logits = {3, 2, 0};
    tokens.push_back(sampler.Sample(logits).value());
  }
  // 3, 1.5|2, 1.5|0.5 -> 0, 1, 0, then 0.5|0.5: the first
  EXPECT_EQ(tokens, (std::vector<TokenId>{0, 1, 0, 0}));
}

}  // namespace
}  // namespace skerry::engine
