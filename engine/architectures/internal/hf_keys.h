// Which keys of config.json the engine knows.
#pragma once

#include <string_view>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/architectures/architecture.h"

namespace skerry::engine::internal {

// Refuses by name what is neither read nor known to be without effect.
Result<void> CheckKeys(const Json& config, const HuggingFaceSide& side);

// Of a multimodal model's outer object: what describes the other parts and what describes the whole
// and is handed to the text model.
bool IsOuterKey(std::string_view key);
bool IsSharedKey(std::string_view key);

}  // namespace skerry::engine::internal
