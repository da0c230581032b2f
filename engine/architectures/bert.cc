// BERT (https://huggingface.co/docs/transformers/model_doc/bert) as an encoder of texts, and what
// was trained from it: BGE, E5, MiniLM. Learned positions, layer norms after each block, tokens
// that see all others.
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr Step kInput[] = {
    {.op = Op::kEmbed, .out = Slot::kHidden, .weight = "embed"},
    {.op = Op::kEmbedType, .out = Slot::kDelta, .weight = "token_types"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},
    {.op = Op::kEmbedPosition, .out = Slot::kDelta, .weight = "positions"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},
    {Op::kLayerNorm, Slot::kHidden, Slot::kNone, Slot::kHidden, "embed_norm"},
};

constexpr Step kLayer[] = {
    {Op::kMatMul, Slot::kHidden, Slot::kNone, Slot::kQuery, "attn_q"},
    {Op::kMatMul, Slot::kHidden, Slot::kNone, Slot::kKey, "attn_k"},
    {Op::kMatMul, Slot::kHidden, Slot::kNone, Slot::kValue, "attn_v"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kQuery, "attn_q_bias"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kKey, "attn_k_bias"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kValue, "attn_v_bias"},
    {Op::kStoreKv, Slot::kKey, Slot::kValue},
    {Op::kAttention, Slot::kQuery, Slot::kNone, Slot::kAttended},
    {Op::kMatMul, Slot::kAttended, Slot::kNone, Slot::kDelta, "attn_out"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kDelta, "attn_out_bias"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},
    {Op::kLayerNorm, Slot::kHidden, Slot::kNone, Slot::kHidden, "attn_out_norm"},

    {Op::kMatMul, Slot::kHidden, Slot::kNone, Slot::kUp, "mlp_up"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kUp, "mlp_up_bias"},
    {Op::kGelu, Slot::kUp, Slot::kNone, Slot::kUp},
    {Op::kMatMul, Slot::kUp, Slot::kNone, Slot::kDelta, "mlp_down"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kDelta, "mlp_down_bias"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden},
    {Op::kLayerNorm, Slot::kHidden, Slot::kNone, Slot::kHidden, "mlp_out_norm"},
};

constexpr TensorName kOwnNames[] = {
    {"embed", "embeddings.word_embeddings.weight", "token_embd.weight", {}},
    {"token_types", "embeddings.token_type_embeddings.weight", "token_types.weight", {}},
    {"positions", "embeddings.position_embeddings.weight", "position_embd.weight", {}},
    {"embed_norm", "embeddings.LayerNorm.weight", "token_embd_norm.weight", {}},
    {"embed_norm_bias", "embeddings.LayerNorm.bias", "token_embd_norm.bias", {}},
    {"attn_q", "encoder.layer.#.attention.self.query.weight", "blk.#.attn_q.weight", {}},
    {"attn_k", "encoder.layer.#.attention.self.key.weight", "blk.#.attn_k.weight", {}},
    {"attn_v", "encoder.layer.#.attention.self.value.weight", "blk.#.attn_v.weight", {}},
    {"attn_q_bias", "encoder.layer.#.attention.self.query.bias", "blk.#.attn_q.bias", {}},
    {"attn_k_bias", "encoder.layer.#.attention.self.key.bias", "blk.#.attn_k.bias", {}},
    {"attn_v_bias", "encoder.layer.#.attention.self.value.bias", "blk.#.attn_v.bias", {}},
    {"attn_out", "encoder.layer.#.attention.output.dense.weight", "blk.#.attn_output.weight", {}},
    {"attn_out_bias", "encoder.layer.#.attention.output.dense.bias", "blk.#.attn_output.bias", {}},
    {"attn_out_norm",
     "encoder.layer.#.attention.output.LayerNorm.weight",
     "blk.#.attn_output_norm.weight",
     {}},
    {"attn_out_norm_bias",
     "encoder.layer.#.attention.output.LayerNorm.bias",
     "blk.#.attn_output_norm.bias",
     {}},
    {"mlp_up", "encoder.layer.#.intermediate.dense.weight", "blk.#.ffn_up.weight", {}},
    {"mlp_up_bias", "encoder.layer.#.intermediate.dense.bias", "blk.#.ffn_up.bias", {}},
    {"mlp_down", "encoder.layer.#.output.dense.weight", "blk.#.ffn_down.weight", {}},
    {"mlp_down_bias", "encoder.layer.#.output.dense.bias", "blk.#.ffn_down.bias", {}},
    {"mlp_out_norm",
     "encoder.layer.#.output.LayerNorm.weight",
     "blk.#.layer_output_norm.weight",
     {}},
    {"mlp_out_norm_bias",
     "encoder.layer.#.output.LayerNorm.bias",
     "blk.#.layer_output_norm.bias",
     {}},
};

// The head of BERT's pretraining, which no embedding uses, and numbers 0, 1, 2...
constexpr std::string_view kIgnoredTensors[] = {"pooler.", "embeddings.position_ids"};

constexpr std::string_view kKeys[] = {"layer_norm_eps", "type_vocab_size"};
constexpr std::string_view kIgnored[] = {"hidden_dropout_prob", "attention_probs_dropout_prob",
                                         "classifier_dropout", "gradient_checkpointing"};
constexpr Neutral kNeutral[] = {{"hidden_act", "\"gelu\""},
                                {"position_embedding_type", "\"absolute\""}};

// Row 0 is read for every token.
Result<void> CheckTokenTypes(const ModelConfig& config) {
  if (config.n_token_types >= 1) return {};
  return internal::Unsupported("a model without token types is not supported");
}

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(internal::ReadSizes(config, out));
  const double eps = TRY(internal::Number(config, "layer_norm_eps"));
  out.norm_eps = static_cast<float>(eps);
  out.n_token_types = TRY(GetInt(config, "type_vocab_size"));
  out.pooling = Pooling::kCls;  // unless the folder says otherwise
  return CheckTokenTypes(out);
}

constexpr std::string_view kGgufNames[] = {"bert"};
constexpr std::string_view kGgufKeys[] = {"attention.layer_norm_epsilon", "attention.causal",
                                          "pooling_type"};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadSizes(out));
  const double eps = TRY(reader.Float("attention.layer_norm_epsilon"));
  out.norm_eps = static_cast<float>(eps);
  const bool causal = TRY(reader.file().GetBoolOr(reader.Key("attention.causal"), false));
  if (causal) return internal::Unsupported("'bert.attention.causal' is true");
  const GgufTensor* types = reader.file().FindTensor("token_types.weight");
  if (types != nullptr && types->dims.size() == 2) out.n_token_types = types->dims[1];
  TRY(CheckTokenTypes(out));
  out.pooling = Pooling::kCls;
  return reader.ReadPooling(out);
}

}  // namespace

const Architecture& BertArchitecture() {
  static const std::span<const TensorName> kNames[] = {kOwnNames};
  static const Architecture kBert = {
      .name = "bert",
      .hugging_face = {.model_type = "bert",
                       .class_name = "BertModel",
                       .keys = kKeys,
                       .ignored = kIgnored,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace},
      .gguf = {.names = kGgufNames, .keys = kGgufKeys, .read = ReadGguf},
      .names = kNames,
      .ignored_tensors = kIgnoredTensors,
      .input = kInput,
      .layer = kLayer,
      .output = {},
      .generates = false,
      .causal = false,
  };
  return kBert;
}

}  // namespace skerry::engine
