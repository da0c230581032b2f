// ModelConfig from each kind of checkpoint. Whatever would change the mathematics and is not
// understood is refused by name.
#pragma once

#include <string_view>

#include "appliance/base/result.h"
#include "engine/architectures/architecture.h"
#include "engine/architectures/model_config.h"
#include "engine/formats/gguf.h"

namespace skerry::engine::internal {

// `generation` is generation_config.json, empty when there is none; only its end ids count.
Result<ModelConfig> ReadHuggingFaceConfig(std::string_view config, std::string_view generation);

Result<ModelConfig> ReadGgufConfig(const GgufFile& gguf);

}  // namespace skerry::engine::internal
