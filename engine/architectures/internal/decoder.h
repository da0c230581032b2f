// The pre-norm decoder that most architectures are variations of: token embedding; for each layer
// attention with rotary positions and a gated MLP or experts, each behind an RMS norm and added to
// what came in; a last RMS norm.
#pragma once

#include <span>
#include <string_view>

#include "engine/architectures/architecture.h"

namespace skerry::engine::internal {

std::span<const Step> DecoderInput();
std::span<const Step> DecoderLayer();
std::span<const Step> DecoderOutput();

// Names of its tensors: the model's, attention, norms and MLP as Llama's publishers chose them.
std::span<const TensorName> DecoderNames();

}  // namespace skerry::engine::internal
