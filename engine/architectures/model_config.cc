#include "engine/architectures/model_config.h"

#include <cmath>
#include <string>

#include "engine/architectures/architecture.h"
#include "engine/architectures/internal/limits.h"

namespace skerry::engine {
namespace {

Error Bad(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

Result<void> CheckRange(std::string_view what, int64_t value, int64_t limit) {
  if (value >= 1 && value <= limit) return {};
  return Bad(std::string(what) + " is " + std::to_string(value) + ", not 1 to " +
             std::to_string(limit));
}

Result<void> CheckRopes(const ModelConfig& config) {
  for (const RopeTable& rope : config.ropes) {
    if (!(rope.theta >= 1 && rope.theta < 1e15)) return Bad("rope theta is out of range");
    if (!(rope.scale > 0 && rope.scale < 1e3)) return Bad("the rope's scale is out of range");
    if (!rope.divisors.empty() &&
        rope.divisors.size() != static_cast<size_t>(config.head_dim / 2)) {
      return Bad(std::to_string(rope.divisors.size()) + " rope factors do not fit a head size of " +
                 std::to_string(config.head_dim));
    }
    for (const double divisor : rope.divisors) {
      if (!(divisor > 0 && divisor < 1e9)) return Bad("a rope factor is out of range");
    }
  }
  return {};
}

Result<void> CheckLayers(const ModelConfig& config) {
  if (config.layers.size() != static_cast<size_t>(config.n_layers)) {
    return Bad("not every layer is described");
  }
  int64_t n_with_experts = 0;
  for (const LayerConfig& layer : config.layers) {
    if (layer.window < 0) return Bad("the sliding window is negative");
    if (layer.rope < 0 || (layer.rope > 0 && layer.rope >= std::ssize(config.ropes))) {
      return Bad("a layer's rope table does not exist");
    }
    if (layer.experts) ++n_with_experts;
  }
  if (n_with_experts == 0) return {};
  TRY(CheckRange("number of experts", config.n_experts, internal::kMaxExperts));
  TRY(CheckRange("number of a token's experts", config.experts_per_token, config.n_experts));
  TRY(CheckRange("intermediate size of an expert", config.expert_size, internal::kMaxIntermediate));
  if (config.n_experts * n_with_experts > internal::kMaxExpertMatrices) {
    return Bad(std::to_string(config.n_experts) + " experts in " + std::to_string(n_with_experts) +
               " layers are too many");
  }
  return {};
}

Result<void> CheckScalars(const ModelConfig& config) {
  if (!(config.norm_eps > 0 && config.norm_eps < 1))
    return Bad("the norm's epsilon is not in (0, 1)");
  if (!(config.attention_scale >= 0 && config.attention_scale < 1e6)) {
    return Bad("the attention's scale is out of range");
  }
  if (!(std::abs(config.query_scale.beta) < 1e3) || config.query_scale.length < 1) {
    return Bad("the queries' scale by position is out of range");
  }
  if (!(config.embed_scale > 0 && config.embed_scale < 1e6)) {
    return Bad("the embeddings' scale is out of range");
  }
  for (const float cap : {config.attention_soft_cap, config.logit_soft_cap}) {
    if (!(cap >= 0 && cap < 1e9)) return Bad("a soft-cap is out of range");
  }
  if (!(config.gate_limit >= 0 && config.gate_limit < 1e9)) {
    return Bad("the gate's limit is out of range");
  }
  return {};
}

}  // namespace

Result<void> internal::CheckSizes(const ModelConfig& config) {
  TRY(CheckRange("hidden size", config.hidden_size, kMaxHidden));
  TRY(CheckRange("intermediate size", config.intermediate_size, kMaxIntermediate));
  TRY(CheckRange("number of layers", config.n_layers, kMaxLayers));
  TRY(CheckRange("number of heads", config.n_heads, kMaxHeads));
  TRY(CheckRange("number of key-value heads", config.n_kv_heads, config.n_heads));
  TRY(CheckRange("head size", config.head_dim, kMaxHeadDim));
  TRY(CheckRange("vocabulary size", config.vocab_size, kMaxVocab));
  TRY(CheckRange("longest context", config.max_position, kMaxPosition));
  if (config.n_heads % config.n_kv_heads != 0) {
    return Bad(std::to_string(config.n_heads) + " heads cannot share " +
               std::to_string(config.n_kv_heads) + " key-value heads evenly");
  }
  if (config.head_dim % 2 != 0) {
    return Bad("head size " + std::to_string(config.head_dim) + " is odd");
  }
  return {};
}

Result<void> ValidateConfig(const ModelConfig& config) {
  TRY(internal::CheckSizes(config));
  TRY(CheckScalars(config));
  TRY(CheckRopes(config));
  TRY(CheckLayers(config));
  if (config.n_token_types < 0 || config.n_token_types > internal::kMaxTokenTypes) {
    return Bad(std::to_string(config.n_token_types) + " token types are not 0 to " +
               std::to_string(internal::kMaxTokenTypes));
  }
  if (config.bos_id < -1 || config.bos_id >= config.vocab_size) {
    return Bad("begin id " + std::to_string(config.bos_id) + " is outside the vocabulary");
  }
  for (const int32_t id : config.eos_ids) {
    if (id < 0 || id >= config.vocab_size) {
      return Bad("end id " + std::to_string(id) + " is outside the vocabulary");
    }
  }
  return {};
}

}  // namespace skerry::engine
