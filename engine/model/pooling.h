// One vector for a text out of the vectors of its tokens.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/architectures/model_config.h"

namespace skerry::engine {

std::string_view PoolingName(Pooling pooling);              // "cls"
std::optional<Pooling> FindPooling(std::string_view name);  // not kNone

// `rows` are [tokens, width], at least one: the first (kCls), the last (kLast) or their mean.
std::vector<float> Pool(std::span<const float> rows, size_t width, Pooling pooling);

// To length 1; a vector of zeros stays.
void Normalise(std::span<float> vector);

}  // namespace skerry::engine
