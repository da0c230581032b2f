// JSON files of a model.
#pragma once

#include <string>

#include "appliance/base/json.h"
#include "bundler/inspect/model.h"

namespace skerry::inspect::internal {

inline constexpr size_t kMaxConfigBytes = 16 << 20;

// Errors name the file; kExhausted above `max_bytes`, kCorrupt for what is not strict JSON.
Result<Json> ReadJsonFile(const ModelFiles& files, const std::string& name, size_t max_bytes);

}  // namespace skerry::inspect::internal
