// Whether a file is a well-formed safetensors file (github.com/huggingface/safetensors, README
// "Format").
#pragma once

#include <cstdint>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::inspect {

// Upstream allows 100 MB; the largest public models need less than a tenth of this.
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 16 << 20;

// kCorrupt, naming the tensor, unless the header is sound and its tensors cover the data exactly:
// no gap, no overlap, sizes that match type and shape.
Result<void> CheckSafetensors(const File& file);

}  // namespace skerry::inspect
