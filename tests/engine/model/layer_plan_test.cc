#include "engine/model/layer_plan.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace skerry::engine {
namespace {

constexpr Architecture kArchitectures[] = {Architecture::kLlama, Architecture::kMistral};

// What a plan reads must have been written before, with the same width where the op keeps it.
TEST(LayerPlanTest, PlansAreWellFormed) {
  ModelConfig config;
  config.hidden_size = 3;
  config.intermediate_size = 5;
  config.n_heads = 4;
  config.n_kv_heads = 2;
  config.head_dim = 6;
  for (const Architecture architecture : kArchitectures) {
    SCOPED_TRACE(ArchitectureName(architecture));
    const auto plan = LayerPlan(architecture);
    ASSERT_FALSE(plan.empty());
    std::set<Slot> written = {Slot::kHidden};
    std::set<std::string_view> weights;
    int n_attention = 0;
    for (const Step& step : plan) {
      EXPECT_TRUE(written.contains(step.in));
      EXPECT_TRUE(step.second == Slot::kNone || written.contains(step.second));
      const bool weighted = step.op == Op::kNorm || step.op == Op::kMatMul;
      EXPECT_EQ(weighted, !step.weight.empty());
      EXPECT_TRUE(!weighted || weights.insert(step.weight).second) << step.weight;
      if (step.op == Op::kNorm || step.op == Op::kAdd || step.op == Op::kSiluMul ||
          step.op == Op::kAttention || step.op == Op::kRope) {
        EXPECT_EQ(SlotWidth(config, step.in), SlotWidth(config, step.out));
      }
      EXPECT_FALSE(step.op == Op::kMatMul && step.in == step.out);
      const bool in_place = step.op == Op::kAdd || step.op == Op::kRope;
      EXPECT_TRUE(!in_place || written.contains(step.out));
      if (step.op == Op::kAttention) ++n_attention;
      if (step.out != Slot::kNone) written.insert(step.out);
    }
    EXPECT_EQ(n_attention, 1);
    EXPECT_EQ(plan.back().out, Slot::kHidden);
  }
}

TEST(LayerPlanTest, WidthsFollowTheConfiguration) {
  ModelConfig config;
  config.hidden_size = 100;
  config.intermediate_size = 300;
  config.n_heads = 6;
  config.n_kv_heads = 2;
  config.head_dim = 64;
  EXPECT_EQ(SlotWidth(config, Slot::kHidden), 100);
  EXPECT_EQ(SlotWidth(config, Slot::kQuery), 384);
  EXPECT_EQ(SlotWidth(config, Slot::kValue), 128);
  EXPECT_EQ(SlotWidth(config, Slot::kUp), 300);
  EXPECT_EQ(SlotWidth(config, Slot::kNone), 0);
}

}  // namespace
}  // namespace skerry::engine
