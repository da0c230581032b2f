#include "engine/device/kv_cache.h"

namespace skerry::engine {

std::string_view KvTypeName(KvType type) {
  switch (type) {
    case KvType::kF32:
      return "float32";
    case KvType::kF16:
      return "float16";
    case KvType::kBf16:
      return "bfloat16";
    case KvType::kF8E4M3:
      return "fp8";
    case KvType::kInt8:
      return "int8";
  }
  return "";
}

std::optional<KvType> KvTypeOf(std::string_view name) {
  if (name == "fp8_e4m3") return KvType::kF8E4M3;
  for (const KvType type : kKvTypes) {
    if (name == KvTypeName(type)) return type;
  }
  return std::nullopt;
}

int64_t KvElementBytes(KvType type) {
  switch (type) {
    case KvType::kF32:
      return 4;
    case KvType::kF16:
    case KvType::kBf16:
      return 2;
    case KvType::kF8E4M3:
    case KvType::kInt8:
      return 1;
  }
  return 4;
}

int64_t KvPartBytes(KvType type, int64_t head_dim) {
  const int64_t factors = type == KvType::kInt8 ? int64_t{sizeof(float)} : 0;
  return kBlockTokens * (head_dim * KvElementBytes(type) + factors);
}

}  // namespace skerry::engine
