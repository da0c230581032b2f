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

// `params` is params.json.
Result<ModelConfig> ReadMistralConfig(std::string_view params);

Result<ModelConfig> ReadGgufConfig(const GgufFile& gguf);

// How sentence-transformers pool the model's vectors: modules.json and 1_Pooling/config.json, each
// empty when there is none.
Result<void> ReadSentencePooling(std::string_view modules, std::string_view pooling,
                                 ModelConfig& out);

}  // namespace skerry::engine::internal
