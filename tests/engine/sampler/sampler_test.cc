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
  Sampler greedy(Params(0), {.banned = {1, 2, 99, -1}});
  std::vector<float> logits = {1, 3, 3, 2};
  EXPECT_EQ(greedy.Sample(logits).value(), 3);
  Sampler hot(Params(50), {.banned = {1}});
  EXPECT_EQ(Histogram(hot, {0, 9, 0}, 500)[1], 0);
  Sampler all(Params(1), {.banned = {0, 1}});
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

TEST(Sampler, RepetitionPenaltyCountsThePromptToo) {
  SamplingParams params = Params(0);
  params.repetition_penalty = 2;
  const std::vector<TokenId> prompt = {0, 2, 2};
  Sampler sampler(params, {.prompt = prompt});
  std::vector<float> logits = {6, 4, -1, -3.5F};
  EXPECT_EQ(sampler.Sample(logits).value(), 1);  // 3, 4, -2
  EXPECT_EQ(logits, (std::vector<float>{3, 4, -2, -3.5F}));
  logits = {6, 4, -1, -3.5F};
  EXPECT_EQ(sampler.Sample(logits).value(), 0);  // 3, 2: once, however often it came
  EXPECT_EQ(logits[1], 2);
}

TEST(Sampler, PenaltiesComeAfterTheBias) {
  SamplingParams params = Params(0);
  params.repetition_penalty = 2;
  params.presence_penalty = 1;
  params.logit_bias = {{0, 8.F}, {1, -100.F}, {77, 1.F}};
  Sampler sampler(params, {});
  sampler.Accept(0);
  std::vector<float> logits = {-2, 9, 2.5F};
  EXPECT_EQ(sampler.Sample(logits).value(), 2);
  EXPECT_EQ(logits[0], 2);  // (-2 + 8) / 2 - 1
  EXPECT_EQ(logits[1], -91);
}

TEST(Sampler, BadWordsAreNotCompleted) {
  SamplingParams params = Params(0);
  params.bad_words = {{1, 2}, {3}, {}, {9, 9, 9, 1}};
  Sampler sampler(params, {});
  const auto next = [&](std::vector<float> logits) { return sampler.Sample(logits).value(); };
  EXPECT_EQ(next({0, 1, 2, 3}), 2);  // 3 never; 2 may come where no 1 stands before it
  EXPECT_EQ(next({0, 3, 2, 9}), 1);
  EXPECT_EQ(next({0, 1, 9, 9}), 1);
  EXPECT_EQ(next({5, 1, 9, 9}), 0);
  EXPECT_EQ(next({5, 1, 9, 9}), 2);
}

TEST(Sampler, NoStopTokenBeforeMinTokens) {
  SamplingParams params = Params(0);
  params.min_tokens = 2;
  Sampler sampler(params, {.stop_tokens = {0}});
  const auto next = [&] {
    std::vector<float> logits = {9, 1};
    return sampler.Sample(logits).value();
  };
  EXPECT_EQ(next(), 1);
  EXPECT_EQ(next(), 1);
  EXPECT_EQ(next(), 0);
}

TEST(Sampler, OnlyWhatTheGrammarAllows) {
  std::vector<float> falling(70);
  for (size_t i = 0; i < falling.size(); ++i) falling[i] = -static_cast<float>(i);
  Sampler greedy(Params(0), {.banned = {33}});
  const std::vector<uint32_t> two = {0, 0b110};  // tokens 33 and 34
  std::vector<float> logits = falling;
  EXPECT_EQ(greedy.Sample(logits, two).value(), 34);
  const std::vector<uint32_t> short_mask = {UINT32_MAX};  // no word for tokens from 32 on
  Sampler hot(Params(1000), {});
  for (int i = 0; i < 200; ++i) {
    logits = falling;
    EXPECT_LT(hot.Sample(logits, short_mask).value(), 32);
  }
  const std::vector<uint32_t> none = {0, 0, 0};
  logits = falling;
  EXPECT_EQ(greedy.Sample(logits, none).error().code(), ErrorCode::kExhausted);
  std::vector<float> broken(falling.size(), std::nanf(""));
  EXPECT_EQ(greedy.Sample(broken, short_mask).error().code(), ErrorCode::kInternal);
}

}  // namespace
}  // namespace skerry::engine
