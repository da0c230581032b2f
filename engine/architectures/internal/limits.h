// Sizes above every published model; they keep products of two of them far from overflow.
#pragma once

#include <cstdint>

#include "appliance/base/result.h"
#include "engine/architectures/model_config.h"

namespace skerry::engine::internal {

inline constexpr int64_t kMaxHidden = 1 << 17;
inline constexpr int64_t kMaxIntermediate = 1 << 20;
inline constexpr int64_t kMaxLayers = 1024;
inline constexpr int64_t kMaxHeads = 1024;
inline constexpr int64_t kMaxHeadDim = 1024;
inline constexpr int64_t kMaxVocab = 1 << 22;
inline constexpr int64_t kMaxPosition = 1 << 27;
inline constexpr int64_t kMaxExperts = 4096;
inline constexpr int64_t kMaxExpertMatrices = 1 << 17;  // experts of all layers
inline constexpr int64_t kMaxTokenTypes = 64;

// The part of ValidateConfig that must hold before anything is sized by the configuration.
Result<void> CheckSizes(const ModelConfig& config);

}  // namespace skerry::engine::internal
