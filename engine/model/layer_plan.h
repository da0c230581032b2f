// An architecture as data: the steps of one layer over named rows of activations. Shapes of weights
// follow from the plan and the configuration, so loading and running cannot disagree.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/formats/model_config.h"

namespace skerry::engine {

enum class Op {
  kNorm,       // out = RmsNorm(in) * weight
  kMatMul,     // out = in * weight^T
  kRope,       // out is rotated in place
  kStoreKv,    // in and second go to the layer's cache
  kAttention,  // out = attention of in over the layer's cache
  kSiluMul,    // out = silu(in) * second
  kAdd,        // out += in
};

// Rows of activations, one row for each token of the batch.
enum class Slot { kNone, kHidden, kNormed, kQuery, kKey, kValue, kAttended, kGate, kUp, kDelta };
inline constexpr int kSlots = 10;

struct Step {
  Op op;
  Slot in;
  Slot second;
  Slot out;
  std::string_view weight;  // within "layers.N."; empty when the op has none
};

// Floats in a row of `slot`.
int64_t SlotWidth(const ModelConfig& config, Slot slot);

// The steps of every layer.
std::span<const Step> LayerPlan(Architecture architecture);

}  // namespace skerry::engine
