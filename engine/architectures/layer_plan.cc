#include "engine/architectures/layer_plan.h"

#include "engine/architectures/architecture.h"

namespace skerry::engine {

int64_t SlotWidth(const ModelConfig& config, Slot slot) {
  switch (slot) {
    case Slot::kNone:
      return 0;
    case Slot::kHidden:
    case Slot::kNormed:
    case Slot::kDelta:
      return config.hidden_size;
    case Slot::kQuery:
    case Slot::kAttended:
      return config.n_heads * config.head_dim;
    case Slot::kKey:
    case Slot::kValue:
      return config.n_kv_heads * config.head_dim;
    case Slot::kGate:
    case Slot::kUp:
      return config.intermediate_size;
    case Slot::kScores:
      return config.n_experts;
    case Slot::kExpertGate:
    case Slot::kExpertUp:
      return config.experts_per_token * config.expert_size;
    case Slot::kExpertDelta:
      return config.experts_per_token * config.hidden_size;
  }
  return 0;
}

bool Applies(When when, const ModelConfig& config, const LayerConfig& layer) {
  switch (when) {
    case When::kAlways:
      return true;
    case When::kQkvBias:
      return config.qkv_bias;
    case When::kQkNorm:
      return config.qk_norm;
    case When::kQueryScale:
      return config.query_scale.beta != 0;
    case When::kAttentionOutBias:
      return config.attention_out_bias;
    case When::kDense:
      return !layer.experts;
    case When::kDenseBias:
      return !layer.experts && config.mlp_bias;
    case When::kExperts:
      return layer.experts;
  }
  return false;
}

namespace {

// The row that one expert reads from or writes to `slot`.
int64_t ExpertWidth(const ModelConfig& config, Slot slot) {
  const bool per_expert =
      slot == Slot::kExpertGate || slot == Slot::kExpertUp || slot == Slot::kExpertDelta;
  return SlotWidth(config, slot) / (per_expert ? config.experts_per_token : 1);
}

std::vector<int64_t> WeightShape(const ModelConfig& config, const Step& step) {
  const int64_t width = SlotWidth(config, step.out);
  switch (step.op) {
    case Op::kEmbed:
      return {config.vocab_size, width};
    case Op::kEmbedPosition:
      return {config.max_position, width};
    case Op::kEmbedType:
      return {config.n_token_types, width};
    case Op::kHeadNorm:
      return {config.head_dim};
    case Op::kMatMul:
      return {width, SlotWidth(config, step.in)};
    case Op::kAttention:
      return {config.n_heads};  // sinks
    case Op::kExpertMatMul:
      return {config.n_experts, ExpertWidth(config, step.out), ExpertWidth(config, step.in)};
    case Op::kExpertBias:
      return {config.n_experts, ExpertWidth(config, step.out)};
    default:
      return {width};
  }
}

}  // namespace

std::vector<WeightSpec> StepWeights(const ModelConfig& config, const Step& step) {
  if (step.weight.empty()) return {};
  std::vector<WeightSpec> weights;
  weights.push_back({std::string(step.weight), WeightShape(config, step)});
  if (step.op == Op::kLayerNorm) {
    weights.push_back({std::string(step.weight) + "_bias", WeightShape(config, step)});
  }
  return weights;
}

std::vector<WeightSpec> ModelWeights(const ModelConfig& config) {
  std::vector<WeightSpec> all;
  const Architecture& architecture = *config.architecture;
  auto add = [&](const Step& step, const std::string& prefix) {
    for (WeightSpec& weight : StepWeights(config, step)) {
      all.push_back({prefix + weight.name, std::move(weight.shape)});
    }
  };
  for (const Step& step : architecture.input) add(step, "");
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const std::string prefix = "layers." + std::to_string(i) + ".";
    for (const Step& step : architecture.layer) {
      if (Applies(step.when, config, config.layers[i])) add(step, prefix);
    }
  }
  for (const Step& step : architecture.output) add(step, "");
  if (architecture.generates && !config.tie_word_embeddings) {
    all.push_back({"lm_head", {config.vocab_size, config.hidden_size}});
  }
  return all;
}

}  // namespace skerry::engine
