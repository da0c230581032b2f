// An architecture's mathematics as data: the steps before, in and after the layers, over named rows
// of activations. Shapes of weights follow from the steps and the configuration, so loading and
// running cannot disagree.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/architectures/model_config.h"

namespace skerry::engine {

enum class Op {
  kEmbed,          // out = rows of weight by the tokens' ids
  kEmbedPosition,  // out = rows of weight by the tokens' positions
  kEmbedType,      // out = row 0 of weight: all tokens are of the first type
  kScale,          // out *= the configuration's embed_scale
  kNorm,           // out = RmsNorm(in) * weight
  kHeadNorm,       // the same for every head of a row on its own
  kLayerNorm,      // out = (in - mean) / deviation * weight + weight_bias
  kMatMul,         // out = in * weight^T
  kBias,           // out += weight, for every row
  kRope,           // out is rotated in place
  kScaleQuery,     // out *= what the configuration's query_scale is at the token's position
  kStoreKv,        // in and second go to the layer's cache
  kAttention,      // out = attention of in over the layer's cache
  kSiluMul,        // out = silu(in) * second
  kGeluTanhMul,    // out = gelu(in) * second, gelu by its tanh approximation
  kClampedSwiGlu,  // out = (clamp(second) + 1) * g * sigmoid(1.702 g), g = min(in, limit)
  kGelu,           // out = gelu(in), by the error function
  kAdd,            // out += in
  kRoute,          // chooses each token's experts and their shares by the scores `in`
  kExpertMatMul,   // out = in * weight[e]^T for each expert e of a token
  kExpertBias,     // out += weight[e], likewise
  kExpertSum,      // out = sum of the experts' rows `in` by their shares
};

// Rows of activations, one for each token of the batch. The kExpert slots hold one row for each
// expert of a token, one after the other.
enum class Slot {
  kNone,
  kHidden,
  kNormed,
  kQuery,
  kKey,
  kValue,
  kAttended,
  kGate,
  kUp,
  kDelta,
  kScores,  // of all experts
  kExpertGate,
  kExpertUp,
  kExpertDelta,
};
inline constexpr int kSlots = 14;

// The parts of a plan that depend on the configuration of the model or of the layer.
enum class When {
  kAlways,
  kQkvBias,
  kQkNorm,
  kQueryScale,
  kAttentionOutBias,
  kDense,  // the layer has no experts
  kDenseBias,
  kExperts,
};

struct Step {
  Op op;
  Slot in = Slot::kNone;
  Slot second = Slot::kNone;
  Slot out = Slot::kNone;
  // A row of the architecture's name table, empty when the op has none. A layer's own weight in the
  // plan of a layer, else the model's.
  std::string_view weight = {};
  When when = When::kAlways;
};

// Floats in a row of `slot`.
int64_t SlotWidth(const ModelConfig& config, Slot slot);

bool Applies(When when, const ModelConfig& config, const LayerConfig& layer);

struct WeightSpec {
  std::string name;            // "attn_q"
  std::vector<int64_t> shape;  // of experts: [n_experts, out, in], or [n_experts, out] for biases
};
// What the step reads: one weight, a weight and a bias (kLayerNorm), or none.
std::vector<WeightSpec> StepWeights(const ModelConfig& config, const Step& step);

// The same for the whole model, named as Checkpoint names tensors: "embed", "layers.3.attn_q".
std::vector<WeightSpec> ModelWeights(const ModelConfig& config);

}  // namespace skerry::engine
