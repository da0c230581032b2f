// Whether a file is a well-formed safetensors file (github.com/huggingface/safetensors, README
// "Format").
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::inspect {

// Upstream allows 100 MB; the largest public models need less than a tenth of this.
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 16 << 20;

// How many elements the tensors of each type have: {"BF16": 1234}.
using TensorElements = std::map<std::string, uint64_t>;

// kCorrupt, naming the tensor, unless the header is sound and its tensors cover the data exactly:
// no gap, no overlap, sizes that match type and shape. Adds to `elements` unless it is null.
Result<void> CheckSafetensors(const File& file, TensorElements* elements = nullptr);

}  // namespace skerry::inspect
