#include "engine/sampler/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace skerry::engine {
namespace {

const std::vector<float> kLogits = {1.5F, -0.25F, 3.0F, 2.5F, 0.0F, 2.5F, -4.0F, 1.0F};

std::map<TokenId, double> Shares(const std::vector<float>& logits, const SamplingParams& params) {
  std::vector<Candidate> candidates;
  CutCandidates(logits, *std::max_element(logits.begin(), logits.end()), params, candidates);
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  std::map<TokenId, double> shares;
  for (const Candidate& candidate : candidates) shares[candidate.id] = candidate.weight / total;
  EXPECT_EQ(shares.size(), candidates.size());
  return shares;
}

void ExpectShares(const SamplingParams& params, const std::map<TokenId, double>& wanted) {
  const auto got = Shares(kLogits, params);
  ASSERT_EQ(got.size(), wanted.size());
  for (const auto& [id, share] : wanted) {
    ASSERT_TRUE(got.contains(id)) << id;
    EXPECT_NEAR(got.at(id), share, 1e-6) << id;
  }
}

// Expected shares were computed apart, in Python, from the definitions.
TEST(Candidates, Temperature) {
  ExpectShares({}, {{0, 0.083851998},
                    {1, 0.014571292},
                    {2, 0.375798583},
                    {3, 0.227933363},
                    {4, 0.01870991},
                    {5, 0.227933363},
                    {6, 0.000342684},
                    {7, 0.050858808}});
  ExpectShares({.temperature = 0.5}, {{0, 0.027539462},
                                      {1, 0.00083162},
                                      {2, 0.553144885},
                                      {3, 0.203490631},
                                      {4, 0.001371109},
                                      {5, 0.203490631},
                                      {6, 4.6e-07},
                                      {7, 0.010131202}});
}

TEST(Candidates, MinPSeesTheTemperature) {
  ExpectShares({.min_p = 0.2},
               {{0, 0.091589747}, {2, 0.410476766}, {3, 0.248966744}, {5, 0.248966744}});
  ExpectShares({.temperature = 2, .min_p = 0.2}, {{0, 0.130452764},
                                                  {2, 0.276168504},
                                                  {3, 0.215080247},
                                                  {4, 0.061621523},
                                                  {5, 0.215080247},
                                                  {7, 0.101596715}});
  ExpectShares({.min_p = 1}, {{2, 1.0}});
}

TEST(Candidates, TopKAndTopP) {
  ExpectShares({.top_k = 3}, {{2, 0.451862762}, {3, 0.274068619}, {5, 0.274068619}});
  ExpectShares({.top_k = 2}, {{2, 0.622459331}, {3, 0.377540669}});  // of equals the lower id
  ExpectShares({.top_p = 0.7}, {{2, 0.451862762}, {3, 0.274068619}, {5, 0.274068619}});
  ExpectShares({.top_p = 1e-9}, {{2, 1.0}});
}

TEST(Candidates, Typical) {
  ExpectShares(
      {.temperature = 2, .typical_p = 0.8},
      {{0, 0.139019348}, {2, 0.294303962}, {3, 0.229204156}, {5, 0.229204156}, {7, 0.108268377}});
  // One token at a quarter among sixty: less surprising than what is expected, so it goes first.
  std::vector<float> peaked(61, 0.F);
  peaked[0] = 3;
  const auto shares = Shares(peaked, {.typical_p = 0.5});
  EXPECT_FALSE(shares.contains(0));
  // e^3 + 60 = 80.09 of weight, half of it are 41 of the equal ones, lowest ids first.
  EXPECT_EQ(shares.size(), 41u);
  EXPECT_EQ(shares.rbegin()->first, 41);
}

TEST(Candidates, CutsFollowEachOther) {
  ExpectShares({.temperature = 1.3, .top_k = 6, .top_p = 0.9, .min_p = 0.05, .typical_p = 0.6},
               {{2, 0.423473151}, {3, 0.288263424}, {5, 0.288263424}});
}

TEST(Candidates, WhatIsForbiddenIsLeftOut) {
  const float never = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(Shares({never, 1.F, never}, {}).size(), 1u);
  EXPECT_EQ(Shares({never, 1.F, -1e30F}, {.temperature = 100}).size(), 2u);
}

TEST(Candidates, DrawIsWhereTheSumReachesIt) {
  const std::vector<Candidate> candidates = {{4, 0, 1}, {9, 0, 2}, {2, 0, 1}, {3, 0, 0}};
  EXPECT_EQ(Draw(candidates, 0), 4);
  EXPECT_EQ(Draw(candidates, 0.2499), 4);
  EXPECT_EQ(Draw(candidates, 0.25), 9);
  EXPECT_EQ(Draw(candidates, 0.7499), 9);
  EXPECT_EQ(Draw(candidates, 0.75), 2);
  EXPECT_EQ(Draw(candidates, 1), 2);  // never one without weight
}

TEST(Candidates, UniformNumbersAreFixedForGood) {
  // A seed means the same answer after an update.
  EXPECT_DOUBLE_EQ(UniformAt(0, 0), UniformAt(0, 0));
  EXPECT_NE(UniformAt(0, 0), UniformAt(0, 1));
  EXPECT_NE(UniformAt(0, 1), UniformAt(1, 0));
  EXPECT_EQ(ChoiceSeed(5, 0), 5u);
  EXPECT_NE(ChoiceSeed(5, 1), ChoiceSeed(5, 2));
  EXPECT_NE(ChoiceSeed(5, 1), ChoiceSeed(6, 1));
  double sum = 0;
  for (uint64_t i = 0; i < 10'000; ++i) sum += UniformAt(42, i);
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

}  // namespace
}  // namespace skerry::engine
