// Numbers that model, cache and device share.
#pragma once

#include <cstdint>

namespace skerry::engine {

using TokenId = int32_t;
using BlockId = int32_t;  // of a cache block

// Tokens per cache block.
inline constexpr int32_t kBlockTokens = 16;

}  // namespace skerry::engine
