#include "engine/model/layer_plan.h"

namespace skerry::engine {
namespace {

// Pre-norm transformer with rotary positions and a gated MLP. Llama and Mistral differ only in
// their configuration: head size, rope scaling, sliding window.
constexpr Step kDenseLayer[] = {
    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "attn_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kQuery, "attn_q"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kKey, "attn_k"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kValue, "attn_v"},
    {Op::kRope, Slot::kQuery, Slot::kNone, Slot::kQuery, ""},
    {Op::kRope, Slot::kKey, Slot::kNone, Slot::kKey, ""},
    {Op::kStoreKv, Slot::kKey, Slot::kValue, Slot::kNone, ""},
    {Op::kAttention, Slot::kQuery, Slot::kNone, Slot::kAttended, ""},
    {Op::kMatMul, Slot::kAttended, Slot::kNone, Slot::kDelta, "attn_out"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden, ""},
    {Op::kNorm, Slot::kHidden, Slot::kNone, Slot::kNormed, "mlp_norm"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kGate, "mlp_gate"},
    {Op::kMatMul, Slot::kNormed, Slot::kNone, Slot::kUp, "mlp_up"},
    {Op::kSiluMul, Slot::kGate, Slot::kUp, Slot::kGate, ""},
    {Op::kMatMul, Slot::kGate, Slot::kNone, Slot::kDelta, "mlp_down"},
    {Op::kAdd, Slot::kDelta, Slot::kNone, Slot::kHidden, ""},
};

}  // namespace

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
  }
  return 0;
}

std::span<const Step> LayerPlan(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
    case Architecture::kMistral:
      return kDenseLayer;
  }
  return {};
}

}  // namespace skerry::engine
