// The differences between how files lay out a tensor and how the engine reads it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/formats/tensor.h"

namespace skerry::engine::internal {

// Rows of each head from adjacent pairs (2i, 2i+1) to half-split (i, i + d/2).
std::vector<uint8_t> SplitPairs(std::span<const uint8_t> bytes, int64_t n_heads, int64_t n_rows);

// The factors of a matrix of this shape whose rows SplitPairs moves; those that are the same for
// all rows stay as they are.
Scales SplitPairs(const Scales& scales, int64_t n_heads, std::span<const int64_t> shape);

// Every other item of `item_bytes`, from the first or the second on.
std::vector<uint8_t> EveryOther(std::span<const uint8_t> bytes, size_t item_bytes, bool second);

// The tensor plus one, as F32.
Tensor PlusOne(const Tensor& tensor);

}  // namespace skerry::engine::internal
