// Qwen 3 mixtures of experts (https://huggingface.co/docs/transformers/model_doc/qwen3_moe).
#include <algorithm>

#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kKeys[] = {
    "attention_bias", "num_experts",         "num_experts_per_tok", "moe_intermediate_size",
    "norm_topk_prob", "decoder_sparse_step", "mlp_only_layers",
};
// Windows are off unless use_sliding_window is true, whatever their size.
constexpr std::string_view kIgnored[] = {"output_router_logits", "router_aux_loss_coef",
                                         "sliding_window", "max_window_layers"};
constexpr Neutral kNeutral[] = {{"hidden_act", "\"silu\""}, {"use_sliding_window", "false"}};

// Every decoder_sparse_step-th layer has experts, unless mlp_only_layers names it.
Result<void> ReadExpertLayers(const Json& config, ModelConfig& out) {
  const int64_t step = TRY(internal::IntOr(config, "decoder_sparse_step", 1));
  if (step < 1) return internal::Unsupported("'decoder_sparse_step' is not positive");
  for (int64_t i = 0; i < out.n_layers; ++i) out.layers[i].experts = (i + 1) % step == 0;
  if (!internal::Given(config, "mlp_only_layers")) return {};
  const Json& dense = config["mlp_only_layers"];
  if (!dense.is_array()) return internal::Unsupported("'mlp_only_layers' is not a list");
  for (const Json& layer : dense) {
    if (!layer.is_number_integer() || layer < 0 || layer >= out.n_layers) {
      return internal::Unsupported("'mlp_only_layers' names something that is no layer");
    }
    out.layers[layer.get<int64_t>()].experts = false;
  }
  return {};
}

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(internal::ReadDecoder(config, out));
  out.qk_norm = true;
  out.qkv_bias = TRY(internal::BoolOr(config, "attention_bias", false));
  out.attention_out_bias = out.qkv_bias;
  out.n_experts = TRY(GetInt(config, "num_experts"));
  out.experts_per_token = TRY(GetInt(config, "num_experts_per_tok"));
  out.expert_size = TRY(GetInt(config, "moe_intermediate_size"));
  out.normalise_experts = TRY(internal::BoolOr(config, "norm_topk_prob", false));
  return ReadExpertLayers(config, out);
}

constexpr std::string_view kGgufNames[] = {"qwen3moe"};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadDecoder(out));
  out.qk_norm = true;
  return reader.ReadRope(out);
}

}  // namespace

const Architecture& Qwen3MoeArchitecture() {
  static const std::span<const TensorName> kNames[] = {internal::DecoderNames()};
  static const Architecture kQwen3Moe = {
      .name = "qwen3moe",
      .hugging_face = {.model_type = "qwen3_moe",
                       .class_name = "Qwen3MoeForCausalLM",
                       .keys = kKeys,
                       .ignored = kIgnored,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace},
      .gguf = {.names = kGgufNames, .read = ReadGguf},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = internal::DecoderLayer(),
      .output = internal::DecoderOutput(),
  };
  return kQwen3Moe;
}

}  // namespace skerry::engine
