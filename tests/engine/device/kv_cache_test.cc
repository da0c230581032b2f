#include "engine/device/kv_cache.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

TEST(KvCache, NamesGoBothWays) {
  for (const KvType type : kKvTypes) EXPECT_EQ(KvTypeOf(KvTypeName(type)), type);
  EXPECT_EQ(KvTypeOf("fp8_e4m3"), KvType::kF8E4M3);
  EXPECT_EQ(KvTypeOf("fp8_e5m2"), std::nullopt);
  EXPECT_EQ(KvTypeOf(""), std::nullopt);
}

TEST(KvCache, Sizes) {
  EXPECT_EQ(KvBlockBytes(KvType::kF32, 8, 128), 2 * 8 * 16 * 128 * 4);
  EXPECT_EQ(KvBlockBytes(KvType::kF16, 8, 128), 2 * 8 * 16 * 128 * 2);
  EXPECT_EQ(KvBlockBytes(KvType::kBf16, 8, 128), 2 * 8 * 16 * 128 * 2);
  EXPECT_EQ(KvBlockBytes(KvType::kF8E4M3, 8, 128), 2 * 8 * 16 * 128);
  EXPECT_EQ(KvBlockBytes(KvType::kInt8, 8, 128), 2 * 8 * 16 * (128 + 4));
}

}  // namespace
}  // namespace skerry::engine
