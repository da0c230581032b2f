// Gemma 3's text models (https://huggingface.co/docs/transformers/model_doc/gemma3): norms before
// and after each block, GELU gates, scaled embeddings, and layers that see a window, with a rope
// base of their own, between ones that see everything.
#include <cmath>

#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr Step kInput[] = {
    {.op = Op::kEmbed, .out = Slot::kHidden, .weight = "embed"},
    {.op = Op::kScale, .out = Slot::kHidden},
};

constexpr Step kLayer[] = {
    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "attn_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kQuery, "attn_q"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kKey, "attn_k"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kValue, "attn_v"},
    {Op::kHeadNorm, Slot::kQuery, Slot::kNone, Slot::kQuery, "attn_q_norm"},
    {Op::kHeadNorm, Slot::kKey, Slot::kNone, Slot::kKey, "attn_k_norm"},
    {Op::kRope, Slot::kQuery, Slot::kNone, Slot::kQuery},
    {Op::kRope, Slot::kKey, Slot::kNone, Slot::kKey},
    {Op::kStoreKv, Slot::kKey, Slot::kValue},
    {Op::kAttention, Slot::kQuery, Slot::kNone, Slot::kAttended},
    {Op::kMatMul, Slot::kAttended, Slot::kNone, Slot::kDelta, "attn_out"},
    {Op::kNorm, Slot::kDelta, Slot::kNone, Slot::kDelta, "post_attn_norm"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},

    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "mlp_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kGate, "mlp_gate"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kUp, "mlp_up"},
    {Op::kGeluTanhMul, Slot::kGate, Slot::kUp, Slot::kGate},
    {Op::kMatMul, Slot::kGate, Slot::kNone, Slot::kDelta, "mlp_down"},
    {Op::kNorm, Slot::kDelta, Slot::kNone, Slot::kDelta, "post_mlp_norm"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},
};

constexpr TensorName kNormNames[] = {
    {"post_attn_norm",
     "model.layers.#.post_attention_layernorm.weight",
     "blk.#.post_attention_norm.weight",
     {}},
    {"mlp_norm", "model.layers.#.pre_feedforward_layernorm.weight", "blk.#.ffn_norm.weight", {}},
    {"post_mlp_norm",
     "model.layers.#.post_feedforward_layernorm.weight",
     "blk.#.post_ffw_norm.weight",
     {}},
};

// The two kinds of layers: which rope table they turn by.
constexpr int32_t kGlobal = 0;
constexpr int32_t kLocal = 1;
constexpr double kLocalTheta = 10000.0;

void ChooseRopes(ModelConfig& out) {
  for (LayerConfig& layer : out.layers) layer.rope = layer.window > 0 ? kLocal : kGlobal;
}

constexpr std::string_view kKeys[] = {
    "sliding_window",          "sliding_window_pattern",
    "_sliding_window_pattern", "layer_types",
    "rope_local_base_freq",    "query_pre_attn_scalar",
    "attn_logit_softcapping",  "final_logit_softcapping",
};
// hidden_act is left over from the base class: hidden_activation counts.
constexpr std::string_view kIgnored[] = {"hidden_act", "cache_implementation"};
constexpr Neutral kNeutral[] = {
    {"hidden_activation", "\"gelu_pytorch_tanh\""},
    {"attention_bias", "false"},
    {"use_bidirectional_attention", "false"},
};

// The defaults of transformers' Gemma3TextConfig.
constexpr const char* kTextDefaults = R"({
  "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
  "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
  "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "tie_word_embeddings": true,
  "query_pre_attn_scalar": 256, "sliding_window": 4096, "bos_token_id": 2, "eos_token_id": 1})";
constexpr Wrapper kWrappers[] = {{"gemma3", "Gemma3ForConditionalGeneration", kTextDefaults}};

Result<void> ReadRopes(const Json& config, ModelConfig& out) {
  constexpr double kGlobalTheta = 1e6;
  RopeTable global{kGlobalTheta, {}, 1};
  RopeTable local{kLocalTheta, {}, 1};
  if (internal::Given(config, "rope_parameters")) {
    const Json& ropes = config["rope_parameters"];
    if (!ropes.is_object() || !ropes.contains("full_attention") ||
        !ropes.contains("sliding_attention")) {
      return internal::Unsupported(
          "'rope_parameters' does not have 'full_attention' and 'sliding_attention'");
    }
    TRY(RefuseUnknownKeys(ropes, {"full_attention", "sliding_attention"})
            .WithContext("'rope_parameters'"));
    global = TRY(internal::ReadRopeTable(ropes["full_attention"],
                                         "'rope_parameters.full_attention'", kGlobalTheta, out));
    local = TRY(internal::ReadRopeTable(ropes["sliding_attention"],
                                        "'rope_parameters.sliding_attention'", kLocalTheta, out));
  } else {
    global.theta = TRY(internal::NumberOr(config, "rope_theta", kGlobalTheta));
    local.theta = TRY(internal::NumberOr(config, "rope_local_base_freq", kLocalTheta));
    if (internal::Given(config, "rope_scaling")) {
      global =
          TRY(internal::ReadRopeTable(config["rope_scaling"], "'rope_scaling'", global.theta, out));
    }
  }
  out.ropes = {global, local};
  return {};
}

Result<void> ReadLayers(const Json& config, ModelConfig& out) {
  constexpr int64_t kEverySixthIsGlobal = 6;
  const int64_t spelled =
      TRY(internal::IntOr(config, "_sliding_window_pattern", kEverySixthIsGlobal));
  const int64_t period = TRY(internal::IntOr(config, "sliding_window_pattern", spelled));
  if (period < 1) return internal::Unsupported("'sliding_window_pattern' is not positive");
  const int64_t window = TRY(internal::IntOr(config, "sliding_window", 0));
  TRY(internal::ReadWindows(
      config, window, [&](int64_t layer) { return (layer + 1) % period != 0; }, out));
  ChooseRopes(out);
  return {};
}

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(GetInt(config, "head_dim"));  // the class's default is not hidden_size / heads
  out.tie_word_embeddings = true;   // unless the configuration says otherwise
  TRY(internal::ReadStack(config, out));
  out.qk_norm = true;
  out.embed_scale = std::sqrt(static_cast<float>(out.hidden_size));
  const double scalar = TRY(internal::Number(config, "query_pre_attn_scalar"));
  if (!(scalar > 0)) return internal::Unsupported("'query_pre_attn_scalar' is not positive");
  out.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  const double attention_cap = TRY(internal::NumberOr(config, "attn_logit_softcapping", 0));
  const double logit_cap = TRY(internal::NumberOr(config, "final_logit_softcapping", 0));
  out.attention_soft_cap = static_cast<float>(attention_cap);
  out.logit_soft_cap = static_cast<float>(logit_cap);
  TRY(ReadRopes(config, out));
  return ReadLayers(config, out);
}

constexpr std::string_view kGgufNames[] = {"gemma3"};
constexpr std::string_view kGgufKeys[] = {
    "attention.sliding_window", "attention.sliding_window_pattern", "rope.freq_base_swa",
    "attn_logit_softcapping",   "final_logit_softcapping",
};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadDecoder(out));
  out.qk_norm = true;
  out.embed_scale = std::sqrt(static_cast<float>(out.hidden_size));
  // The file has no key for query_pre_attn_scalar. It is the head size in all published models but
  // the 27B, known by its 62 layers, where it is hidden_size / heads.
  constexpr int64_t kLayersOf27B = 62;
  if (out.n_layers == kLayersOf27B) {
    const double scalar = static_cast<double>(out.hidden_size) / static_cast<double>(out.n_heads);
    out.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  }
  const double attention_cap = TRY(reader.FloatOr("attn_logit_softcapping", 0));
  const double logit_cap = TRY(reader.FloatOr("final_logit_softcapping", 0));
  out.attention_soft_cap = static_cast<float>(attention_cap);
  out.logit_soft_cap = static_cast<float>(logit_cap);
  TRY(reader.ReadRope(out));
  const double local_theta = TRY(reader.FloatOr("rope.freq_base_swa", kLocalTheta));
  out.ropes.push_back({local_theta, {}, 1});
  const int64_t window = TRY(reader.Int("attention.sliding_window"));
  TRY(reader.ReadWindows(
      window, [](int64_t layer) { return (layer + 1) % 6 != 0; }, out));
  ChooseRopes(out);
  return {};
}

}  // namespace

const Architecture& Gemma3Architecture() {
  static const std::span<const TensorName> kNames[] = {kNormNames, internal::DecoderNames()};
  static const Architecture kGemma3 = {
      .name = "gemma3",
      .hugging_face = {.model_type = "gemma3_text",
                       .class_name = "Gemma3ForCausalLM",
                       .keys = kKeys,
                       .ignored = kIgnored,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace,
                       .wrappers = kWrappers},
      .gguf = {.names = kGgufNames, .keys = kGgufKeys, .read = ReadGguf},
      .names = kNames,
      .zero_centred_norms = true,
      .input = kInput,
      .layer = kLayer,
      .output = internal::DecoderOutput(),
  };
  return kGemma3;
}

}  // namespace skerry::engine
