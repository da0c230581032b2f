// Rows of one head's part of a cache block: written with rounding, read as F32.
#pragma once

#include <cstdint>

#include "engine/device/cpu/kernels.h"
#include "engine/device/kv_cache.h"

namespace skerry::engine {

// Writes row `at` (0 to kBlockTokens - 1) of the part from `x` [head_dim], to the nearest value,
// ties to even.
void WriteKvRow(KvType type, const float* x, int64_t head_dim, void* part, int64_t at);

// The part's first `n_rows` rows as F32: the part itself, or `scratch` [n_rows, head_dim].
const float* ReadKvRows(const CpuKernels& kernels, KvType type, const void* part, int64_t n_rows,
                        int64_t head_dim, float* scratch);

}  // namespace skerry::engine
