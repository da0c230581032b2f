#include "engine/runtime/memory_plan.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

MemoryNeeds Needs() {
  MemoryNeeds needs;
  needs.available_bytes = 20 * kGiB;
  needs.utilization = 0.9;
  needs.weight_bytes = 12 * kGiB;
  needs.activation_bytes = kGiB;
  needs.kv_block_bytes = 2 << 20;  // 128 KiB for each token
  needs.block_tokens = 16;
  needs.max_position = 131072;
  needs.max_num_seqs = 8;
  return needs;
}

TEST(MemoryPlan, WhatIsLeftIsTheCaches) {
  const auto plan = PlanMemory(Needs());
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_EQ(plan->n_blocks, 5 * 512 - 1);  // 5 GiB, one block for the canary
  EXPECT_EQ(plan->max_model_len, (5 * 512 - 1) * 16);
  EXPECT_NE(plan->description.find("20.0 GiB are available"), std::string::npos)
      << plan->description;
}

TEST(MemoryPlan, NoMoreThanAllSequencesNeed) {
  MemoryNeeds needs = Needs();
  needs.max_model_len = 1000;
  const auto plan = PlanMemory(needs);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->max_model_len, 1000);
  EXPECT_EQ(plan->n_blocks, 63 * 8);
}

TEST(MemoryPlan, APartOfWhatIsLeftUnlessOneSequenceNeedsMore) {
  MemoryNeeds needs = Needs();
  needs.kv_share = 0.5;
  auto plan = PlanMemory(needs);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->n_blocks, 5 * 256 - 1);
  needs.max_model_len = 4 * 8192;
  plan = PlanMemory(needs);
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_EQ(plan->max_model_len, 4 * 8192);
  EXPECT_LT(plan->n_blocks, 4 * 512 + 4);
}

TEST(MemoryPlan, TooLongIsRefusedWithTheNumbers) {
  MemoryNeeds needs = Needs();
  needs.max_model_len = 131072;
  const auto plan = PlanMemory(needs);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), ErrorCode::kExhausted);
  for (const char* part : {"20.0 GiB", "0.90", "18.0 GiB", "12.0 GiB", "1024 MiB", "5120 MiB",
                           "40944 tokens", "131072 bytes", "131072 of one", "--max-model-len"}) {
    EXPECT_NE(plan.error().message().find(part), std::string::npos)
        << part << ": " << plan.error().message();
  }
}

TEST(MemoryPlan, WeightsThatDoNotFitAreRefused) {
  MemoryNeeds needs = Needs();
  needs.weight_bytes = 40 * kGiB;
  const auto plan = PlanMemory(needs);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message().find("weights take 40.0 GiB"), std::string::npos);
  EXPECT_NE(plan.error().message().find("0 tokens"), std::string::npos);
}

TEST(MemoryPlan, AnOperatorsSizeIsTakenOrRefused) {
  MemoryNeeds needs = Needs();
  needs.kv_cache_bytes = kGiB;
  const auto plan = PlanMemory(needs);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->n_blocks, 511);
  needs.kv_cache_bytes = 6 * kGiB;
  EXPECT_EQ(PlanMemory(needs).error().code(), ErrorCode::kExhausted);
  needs.kv_cache_bytes = 100;
  EXPECT_EQ(PlanMemory(needs).error().code(), ErrorCode::kExhausted);
}

TEST(MemoryPlan, LengthsTheModelDoesNotHave) {
  MemoryNeeds needs = Needs();
  for (const int32_t length : {1, -5, 131073}) {
    needs.max_model_len = length;
    EXPECT_EQ(PlanMemory(needs).error().code(), ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace skerry::engine
