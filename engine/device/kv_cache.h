// How keys and values lie in a layer's cache, on every device:
//
//   [n_blocks, 2, n_kv_heads] parts, keys first, each of KvPartBytes:
//     kBlockTokens rows of head_dim elements, then for kInt8 a F32 factor for each row.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/device/ids.h"

namespace skerry::engine {

enum class KvType {
  kF32,
  kF16,
  kBf16,
  kF8E4M3,  // without factors; beyond 448 it saturates
  kInt8,    // round(x / factor), factor = largest magnitude of the row / 127
};
inline constexpr KvType kKvTypes[] = {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kF8E4M3,
                                      KvType::kInt8};

std::string_view KvTypeName(KvType type);  // "float32", "float16", "bfloat16", "fp8", "int8"
// Also "fp8_e4m3".
std::optional<KvType> KvTypeOf(std::string_view name);

int64_t KvElementBytes(KvType type);
int64_t KvPartBytes(KvType type, int64_t head_dim);
inline int64_t KvBlockBytes(KvType type, int64_t n_kv_heads, int64_t head_dim) {
  return 2 * n_kv_heads * KvPartBytes(type, head_dim);
}

// A layer's cache in the device's memory.
struct KvCache {
  void* data = nullptr;
  KvType type = KvType::kF32;
};

}  // namespace skerry::engine
