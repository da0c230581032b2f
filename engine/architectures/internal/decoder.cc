#include "engine/architectures/internal/decoder.h"

namespace skerry::engine::internal {
namespace {

constexpr Step kInput[] = {
    {.op = Op::kEmbed, .out = Slot::kHidden, .weight = "embed"},
};

constexpr Step kOutput[] = {
    {.op = Op::kNorm, .in = Slot::kHidden, .out = Slot::kNormed, .weight = "final_norm"},
};

constexpr Step kLayer[] = {
    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "attn_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kQuery, "attn_q"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kKey, "attn_k"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kValue, "attn_v"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kQuery, "attn_q_bias", When::kQkvBias},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kKey, "attn_k_bias", When::kQkvBias},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kValue, "attn_v_bias", When::kQkvBias},
    {Op::kHeadNorm, Slot::kQuery, Slot::kNone, Slot::kQuery, "attn_q_norm", When::kQkNorm},
    {Op::kHeadNorm, Slot::kKey, Slot::kNone, Slot::kKey, "attn_k_norm", When::kQkNorm},
    {Op::kRope, Slot::kQuery, Slot::kNone, Slot::kQuery, ""},
    {Op::kScaleQuery, Slot::kQuery, Slot::kNone, Slot::kQuery, "", When::kQueryScale},
    {Op::kRope, Slot::kKey, Slot::kNone, Slot::kKey, ""},
    {Op::kStoreKv, Slot::kKey, Slot::kValue, Slot::kNone, ""},
    {Op::kAttention, Slot::kQuery, Slot::kNone, Slot::kAttended, ""},
    {Op::kMatMul, Slot::kAttended, Slot::kNone, Slot::kDelta, "attn_out"},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kDelta, "attn_out_bias", When::kAttentionOutBias},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden, ""},

    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "mlp_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kGate, "mlp_gate", When::kDense},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kUp, "mlp_up", When::kDense},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kGate, "mlp_gate_bias", When::kDenseBias},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kUp, "mlp_up_bias", When::kDenseBias},
    {Op::kSiluMul, Slot::kGate, Slot::kUp, Slot::kGate, "", When::kDense},
    {Op::kMatMul, Slot::kGate, Slot::kNone, Slot::kDelta, "mlp_down", When::kDense},
    {Op::kBias, Slot::kNone, Slot::kNone, Slot::kDelta, "mlp_down_bias", When::kDenseBias},

    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kScores, "router", When::kExperts},
    {Op::kRoute, Slot::kScores, Slot::kNone, Slot::kNone, "", When::kExperts},
    {Op::kExpertMatMul, Slot::kNormed, Slot::kNone, Slot::kExpertGate, "expert_gate",
     When::kExperts},
    {Op::kExpertMatMul, Slot::kNormed, Slot::kNone, Slot::kExpertUp, "expert_up", When::kExperts},
    {Op::kSiluMul, Slot::kExpertGate, Slot::kExpertUp, Slot::kExpertGate, "", When::kExperts},
    {Op::kExpertMatMul, Slot::kExpertGate, Slot::kNone, Slot::kExpertDelta, "expert_down",
     When::kExperts},
    {Op::kExpertSum, Slot::kExpertDelta, Slot::kNone, Slot::kDelta, "", When::kExperts},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden, ""},
};

constexpr TensorName kNames[] = {
    {"embed", "model.embed_tokens.weight", "token_embd.weight", "tok_embeddings.weight"},
    {"final_norm", "model.norm.weight", "output_norm.weight", "norm.weight"},
    {"lm_head", "lm_head.weight", "output.weight", "output.weight"},
    {"attn_norm", "model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight",
     "layers.#.attention_norm.weight"},
    {"attn_q", "model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight",
     "layers.#.attention.wq.weight"},
    {"attn_k", "model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight",
     "layers.#.attention.wk.weight"},
    {"attn_v", "model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight",
     "layers.#.attention.wv.weight"},
    {"attn_out", "model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight",
     "layers.#.attention.wo.weight"},
    {"attn_q_bias", "model.layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias", ""},
    {"attn_k_bias", "model.layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias", ""},
    {"attn_v_bias", "model.layers.#.self_attn.v_proj.bias", "blk.#.attn_v.bias", ""},
    {"attn_out_bias", "model.layers.#.self_attn.o_proj.bias", "blk.#.attn_output.bias", ""},
    {"attn_q_norm", "model.layers.#.self_attn.q_norm.weight", "blk.#.attn_q_norm.weight", ""},
    {"attn_k_norm", "model.layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight", ""},
    {"mlp_norm", "model.layers.#.post_attention_layernorm.weight", "blk.#.ffn_norm.weight",
     "layers.#.ffn_norm.weight"},
    {"mlp_gate", "model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight",
     "layers.#.feed_forward.w1.weight"},
    {"mlp_up", "model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight",
     "layers.#.feed_forward.w3.weight"},
    {"mlp_down", "model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight",
     "layers.#.feed_forward.w2.weight"},
    {"mlp_gate_bias", "model.layers.#.mlp.gate_proj.bias", "blk.#.ffn_gate.bias", ""},
    {"mlp_up_bias", "model.layers.#.mlp.up_proj.bias", "blk.#.ffn_up.bias", ""},
    {"mlp_down_bias", "model.layers.#.mlp.down_proj.bias", "blk.#.ffn_down.bias", ""},
    {"router", "model.layers.#.mlp.gate.weight", "blk.#.ffn_gate_inp.weight",
     "layers.#.feed_forward.gate.weight"},
    {"expert_gate", "model.layers.#.mlp.experts.*.gate_proj.weight", "blk.#.ffn_gate_exps.weight",
     "layers.#.feed_forward.experts.*.w1.weight"},
    {"expert_up", "model.layers.#.mlp.experts.*.up_proj.weight", "blk.#.ffn_up_exps.weight",
     "layers.#.feed_forward.experts.*.w3.weight"},
    {"expert_down", "model.layers.#.mlp.experts.*.down_proj.weight", "blk.#.ffn_down_exps.weight",
     "layers.#.feed_forward.experts.*.w2.weight"},
};

}  // namespace

std::span<const Step> DecoderInput() { return kInput; }
std::span<const Step> DecoderLayer() { return kLayer; }
std::span<const Step> DecoderOutput() { return kOutput; }
std::span<const TensorName> DecoderNames() { return kNames; }

}  // namespace skerry::engine::internal
