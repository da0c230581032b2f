// What the architectures' readers of config.json share. A null value counts as absent.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/architectures/model_config.h"

namespace skerry::engine::internal {

inline Error Unsupported(const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, what);
}

// Whether the key is there and not null.
bool Given(const Json& config, std::string_view key);
Result<int64_t> IntOr(const Json& config, std::string_view key, int64_t fallback);
Result<double> Number(const Json& config, std::string_view key);
Result<double> NumberOr(const Json& config, std::string_view key, double fallback);
Result<bool> BoolOr(const Json& config, std::string_view key, bool fallback);

// Sizes of a model with attention heads and an MLP; `layers` gets its length.
Result<void> ReadSizes(const Json& config, ModelConfig& out);
// ReadSizes, the RMS norms' epsilon and whether the embeddings are tied.
Result<void> ReadStack(const Json& config, ModelConfig& out);
// ReadStack and one rope table for all layers.
Result<void> ReadDecoder(const Json& config, ModelConfig& out);

// The table of one "rope_scaling" or "rope_parameters" object; `theta` unless the object has its
// own. YaRN may raise out.max_position.
Result<RopeTable> ReadRopeTable(const Json& rope, const std::string& where, double theta,
                                ModelConfig& out);

// The windows of all layers: by 'layer_types' where given, else by `is_local`.
Result<void> ReadWindows(const Json& config, int64_t window,
                         const std::function<bool(int64_t layer)>& is_local, ModelConfig& out);
// The same window for every layer, 0 for none; 'layer_types' may not say otherwise.
Result<void> ReadOneWindow(const Json& config, int64_t window, ModelConfig& out);
// The same for Qwen's dense models: windows from layer 'max_window_layers' on, when
// 'use_sliding_window' is set.
Result<void> ReadQwenWindows(const Json& config, ModelConfig& out);

}  // namespace skerry::engine::internal
