#include "engine/architectures/layer_plan.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/architectures/internal/tensor_names.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

ModelConfig Sizes(const Architecture& architecture) {
  ModelConfig config;
  config.architecture = &architecture;
  config.hidden_size = 3;
  config.intermediate_size = 5;
  config.n_heads = 4;
  config.n_kv_heads = 2;
  config.head_dim = 6;
  config.n_experts = 8;
  config.experts_per_token = 7;
  config.expert_size = 9;
  config.vocab_size = 11;
  config.n_token_types = 2;
  config.max_position = 13;
  config.n_layers = 2;
  config.layers.resize(2);
  config.layers[1].experts = true;
  config.qkv_bias = config.attention_out_bias = config.mlp_bias = config.qk_norm = true;
  config.query_scale = {0.1, 4};
  return config;
}

bool InPlace(Op op) {
  return op == Op::kAdd || op == Op::kRope || op == Op::kBias || op == Op::kExpertBias ||
         op == Op::kScale || op == Op::kScaleQuery;
}

bool KeepsWidth(Op op) {
  return op == Op::kNorm || op == Op::kHeadNorm || op == Op::kLayerNorm || op == Op::kAdd ||
         op == Op::kSiluMul || op == Op::kGeluTanhMul || op == Op::kClampedSwiGlu ||
         op == Op::kGelu || op == Op::kAttention || op == Op::kRope;
}

// What a plan reads must have been written before, with the same width where the op keeps it.
void CheckPlan(const ModelConfig& config, std::span<const Step> plan, const LayerConfig& layer,
               std::set<Slot>& written) {
  std::set<std::string_view> weights;
  bool routed = false;
  for (const Step& step : plan) {
    if (!Applies(step.when, config, layer)) continue;
    SCOPED_TRACE("weight '" + std::string(step.weight) + "' op " +
                 std::to_string(static_cast<int>(step.op)));
    EXPECT_TRUE(step.in == Slot::kNone || written.contains(step.in));
    EXPECT_TRUE(step.second == Slot::kNone || written.contains(step.second));
    EXPECT_TRUE(step.weight.empty() || weights.insert(step.weight).second) << "read twice";
    EXPECT_TRUE(!InPlace(step.op) || written.contains(step.out));
    if (KeepsWidth(step.op)) {
      EXPECT_EQ(SlotWidth(config, step.in), SlotWidth(config, step.out));
    }
    EXPECT_FALSE((step.op == Op::kMatMul || step.op == Op::kExpertMatMul) && step.in == step.out);
    if (step.op == Op::kRoute) routed = true;
    const bool of_experts = step.op == Op::kExpertMatMul || step.op == Op::kExpertSum;
    EXPECT_TRUE(!of_experts || routed);
    if (step.out != Slot::kNone) written.insert(step.out);
  }
}

TEST(LayerPlanTest, PlansAreWellFormed) {
  for (const Architecture* architecture : Architectures()) {
    SCOPED_TRACE(architecture->name);
    const ModelConfig config = Sizes(*architecture);
    std::set<Slot> written;
    CheckPlan(config, architecture->input, {}, written);
    ASSERT_TRUE(written.contains(Slot::kHidden));
    EXPECT_EQ(architecture->input[0].op, Op::kEmbed);
    for (const LayerConfig& layer : config.layers) {
      std::set<Slot> in_layer = {Slot::kHidden};
      CheckPlan(config, architecture->layer, layer, in_layer);
      int n_attention = 0;
      for (const Step& step : architecture->layer) n_attention += step.op == Op::kAttention;
      EXPECT_EQ(n_attention, 1);
    }
    EXPECT_EQ(architecture->layer.back().out, Slot::kHidden);
    std::set<Slot> at_end = {Slot::kHidden};
    CheckPlan(config, architecture->output, {}, at_end);
    EXPECT_EQ(architecture->generates, at_end.contains(Slot::kNormed));
  }
}

// Every weight of a plan has a name in every layout of its architecture, no two the same.
TEST(LayerPlanTest, WeightsHaveNames) {
  for (const Architecture* architecture : Architectures()) {
    SCOPED_TRACE(architecture->name);
    std::set<std::string> used;
    for (const WeightSpec& weight : ModelWeights(Sizes(*architecture))) {
      const internal::PlanTensor tensor = internal::SplitName(weight.name);
      const TensorName* row = FindTensorName(*architecture, tensor.row);
      ASSERT_NE(row, nullptr) << weight.name;
      EXPECT_FALSE(row->hugging_face.empty()) << weight.name;
      EXPECT_FALSE(row->gguf.empty()) << weight.name;
      const std::string file_name = internal::Expand(row->gguf, tensor.layer);
      EXPECT_TRUE(used.insert(file_name).second) << file_name;
      EXPECT_EQ(row->gguf.find('#') != std::string_view::npos, tensor.layer >= 0) << weight.name;
    }
  }
}

TEST(LayerPlanTest, WidthsFollowTheConfiguration) {
  const ModelConfig config = Sizes(LlamaArchitecture());
  EXPECT_EQ(SlotWidth(config, Slot::kHidden), 3);
  EXPECT_EQ(SlotWidth(config, Slot::kQuery), 24);
  EXPECT_EQ(SlotWidth(config, Slot::kValue), 12);
  EXPECT_EQ(SlotWidth(config, Slot::kUp), 5);
  EXPECT_EQ(SlotWidth(config, Slot::kScores), 8);
  EXPECT_EQ(SlotWidth(config, Slot::kExpertUp), 63);
  EXPECT_EQ(SlotWidth(config, Slot::kExpertDelta), 21);
  EXPECT_EQ(SlotWidth(config, Slot::kNone), 0);
}

TEST(LayerPlanTest, ShapesFollowTheStep) {
  const ModelConfig config = Sizes(LlamaArchitecture());
  using Shape = std::vector<int64_t>;
  const std::pair<Step, Shape> cases[] = {
      {{.op = Op::kEmbed, .out = Slot::kHidden, .weight = "w"}, {11, 3}},
      {{.op = Op::kEmbedPosition, .out = Slot::kDelta, .weight = "w"}, {13, 3}},
      {{.op = Op::kEmbedType, .out = Slot::kDelta, .weight = "w"}, {2, 3}},
      {{.op = Op::kHeadNorm, .in = Slot::kKey, .out = Slot::kKey, .weight = "w"}, {6}},
      {{.op = Op::kMatMul, .in = Slot::kHidden, .out = Slot::kQuery, .weight = "w"}, {24, 3}},
      {{.op = Op::kBias, .out = Slot::kKey, .weight = "w"}, {12}},
      {{.op = Op::kAttention, .in = Slot::kQuery, .out = Slot::kAttended, .weight = "w"}, {4}},
      {{.op = Op::kExpertMatMul, .in = Slot::kNormed, .out = Slot::kExpertUp, .weight = "w"},
       {8, 9, 3}},
      {{.op = Op::kExpertMatMul, .in = Slot::kExpertUp, .out = Slot::kExpertDelta, .weight = "w"},
       {8, 3, 9}},
      {{.op = Op::kExpertBias, .out = Slot::kExpertDelta, .weight = "w"}, {8, 3}},
  };
  for (const auto& [step, shape] : cases) {
    const std::vector<WeightSpec> weights = StepWeights(config, step);
    ASSERT_EQ(weights.size(), 1U);
    EXPECT_EQ(weights[0].shape, shape) << static_cast<int>(step.op);
  }
  EXPECT_TRUE(
      StepWeights(config, {.op = Op::kAdd, .in = Slot::kDelta, .out = Slot::kHidden}).empty());
  const std::vector<WeightSpec> norm = StepWeights(
      config, {.op = Op::kLayerNorm, .in = Slot::kHidden, .out = Slot::kHidden, .weight = "n"});
  ASSERT_EQ(norm.size(), 2U);
  EXPECT_EQ(norm[1].name, "n_bias");
}

}  // namespace
}  // namespace skerry::engine
