// gpt-oss 20b and 120b (https://huggingface.co/docs/transformers/model_doc/gpt_oss): every layer is
// made of experts, every other one sees a window, each head has a sink, and there are biases
// everywhere. Published with MXFP4 experts whose gate and up rows alternate.
#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr Step kLayer[] = {
    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "attn_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kQuery, "attn_q"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kKey, "attn_k"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kValue, "attn_v"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kQuery, "attn_q_bias"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kKey, "attn_k_bias"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kValue, "attn_v_bias"},
    {Op::kRope, Slot::kQuery, Slot::kNone, Slot::kQuery},
    {Op::kRope, Slot::kKey, Slot::kNone, Slot::kKey},
    {Op::kStoreKv, Slot::kKey, Slot::kValue},
    {Op::kAttention, Slot::kQuery, Slot::kNone, Slot::kAttended, "attn_sinks"},
    {Op::kMatMul, Slot::kAttended, Slot::kNone, Slot::kDelta, "attn_out"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kDelta, "attn_out_bias"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},

    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "mlp_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kScores, "router"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kScores, "router_bias"},
    {Op::kRoute, Slot::kScores},
    {Op::kExpertMatMul, Slot::kNormed, Slot::kNone, Slot::kExpertGate, "expert_gate"},
    {Op::kExpertMatMul, Slot::kNormed, Slot::kNone, Slot::kExpertUp, "expert_up"},
    {Op::kExpertBias, Slot::kNone, Slot::kNone, Slot::kExpertGate, "expert_gate_bias"},
    {Op::kExpertBias, Slot::kNone, Slot::kNone, Slot::kExpertUp, "expert_up_bias"},
    {Op::kClampedSwiGlu, Slot::kExpertGate, Slot::kExpertUp, Slot::kExpertGate},
    {Op::kExpertMatMul, Slot::kExpertGate, Slot::kNone, Slot::kExpertDelta, "expert_down"},
    {Op::kExpertBias, Slot::kNone, Slot::kNone, Slot::kExpertDelta, "expert_down_bias"},
    {Op::kExpertSum, Slot::kExpertDelta, Slot::kNone, Slot::kDelta},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},
};

constexpr TensorName kOwnNames[] = {
    {"attn_sinks", "model.layers.#.self_attn.sinks", "blk.#.attn_sinks.weight", {}},
    {"mlp_norm",
     "model.layers.#.post_attention_layernorm.weight",
     "blk.#.post_attention_norm.weight",
     {}},
    {"router", "model.layers.#.mlp.router.weight", "blk.#.ffn_gate_inp.weight", {}},
    {"router_bias", "model.layers.#.mlp.router.bias", "blk.#.ffn_gate_inp.bias", {}},
    {"expert_gate",
     "model.layers.#.mlp.experts.gate_up_proj_blocks",
     "blk.#.ffn_gate_exps.weight",
     {},
     Form::kEvenRows},
    {"expert_up",
     "model.layers.#.mlp.experts.gate_up_proj_blocks",
     "blk.#.ffn_up_exps.weight",
     {},
     Form::kOddRows},
    {"expert_down",
     "model.layers.#.mlp.experts.down_proj_blocks",
     "blk.#.ffn_down_exps.weight",
     {}},
    {"expert_gate_bias",
     "model.layers.#.mlp.experts.gate_up_proj_bias",
     "blk.#.ffn_gate_exps.bias",
     {},
     Form::kEvenRows},
    {"expert_up_bias",
     "model.layers.#.mlp.experts.gate_up_proj_bias",
     "blk.#.ffn_up_exps.bias",
     {},
     Form::kOddRows},
    {"expert_down_bias",
     "model.layers.#.mlp.experts.down_proj_bias",
     "blk.#.ffn_down_exps.bias",
     {}},
};

constexpr float kGateLimit = 7.0F;

constexpr std::string_view kKeys[] = {
    "num_local_experts", "num_experts_per_tok", "experts_per_token",      "sliding_window",
    "layer_types",       "swiglu_limit",        "initial_context_length", "quantization_config",
};
constexpr std::string_view kIgnored[] = {"output_router_logits", "router_aux_loss_coef"};
constexpr Neutral kNeutral[] = {{"hidden_act", "\"silu\""}, {"attention_bias", "true"}};

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(GetInt(config, "head_dim"));  // the class's default is not hidden_size / heads
  TRY(internal::ReadDecoder(config, out));
  out.n_experts = TRY(GetInt(config, "num_local_experts"));
  const int64_t per_token = TRY(internal::IntOr(config, "experts_per_token", 0));
  out.experts_per_token = TRY(internal::IntOr(config, "num_experts_per_tok", per_token));
  if (per_token != 0 && per_token != out.experts_per_token) {
    return internal::Unsupported("'experts_per_token' contradicts 'num_experts_per_tok'");
  }
  out.expert_size = out.intermediate_size;
  for (LayerConfig& layer : out.layers) layer.experts = true;
  const double limit = TRY(internal::NumberOr(config, "swiglu_limit", kGateLimit));
  out.gate_limit = static_cast<float>(limit);
  if (internal::Given(config, "quantization_config")) {
    const std::string method = TRY(GetString(config["quantization_config"], "quant_method")
                                       .WithContext("'quantization_config'"));
    if (method != "mxfp4") {
      return internal::Unsupported("'quantization_config' with quant_method '" + method +
                                   "' is not supported; mxfp4 is");
    }
  }
  const int64_t window = TRY(internal::IntOr(config, "sliding_window", 0));
  return internal::ReadWindows(
      config, window, [](int64_t layer) { return layer % 2 == 0; }, out);
}

constexpr std::string_view kGgufNames[] = {"gpt-oss"};
constexpr std::string_view kGgufKeys[] = {"attention.sliding_window",
                                          "attention.sliding_window_pattern"};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadDecoder(out));
  out.gate_limit = kGateLimit;
  for (LayerConfig& layer : out.layers) layer.experts = true;
  // No key says so, but the model's own configuration does: the ramp's bounds are not rounded.
  TRY(reader.ReadRope(out, /*truncate=*/false));
  const int64_t window = TRY(reader.Int("attention.sliding_window"));
  return reader.ReadWindows(
      window, [](int64_t layer) { return layer % 2 == 0; }, out);
}

}  // namespace

const Architecture& GptOssArchitecture() {
  static const std::span<const TensorName> kNames[] = {kOwnNames, internal::DecoderNames()};
  static const Architecture kGptOss = {
      .name = "gpt-oss",
      .hugging_face = {.model_type = "gpt_oss",
                       .class_name = "GptOssForCausalLM",
                       .keys = kKeys,
                       .ignored = kIgnored,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace},
      .gguf = {.names = kGgufNames, .keys = kGgufKeys, .read = ReadGguf},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = kLayer,
      .output = internal::DecoderOutput(),
  };
  return kGptOss;
}

}  // namespace skerry::engine
