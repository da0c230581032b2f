// How the configurations of quantised checkpoints name modules.
#pragma once

#include <string_view>

namespace skerry::engine::internal {

// Whether `entry` of a list names `module` ("model.layers.0.mlp.gate"), as quantization.h says.
bool NamesModule(std::string_view entry, std::string_view module);

}  // namespace skerry::engine::internal
