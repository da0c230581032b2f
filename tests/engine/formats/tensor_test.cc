#include "engine/formats/tensor.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace skerry::engine {
namespace {

// Every half-precision number against the definition: (-1)^s 2^(e-15) (1 + f/1024).
TEST(TensorTest, ConvertsEveryHalf) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 0x1f);
    const int fraction = static_cast<int>(bits & 0x3ff);
    const float got = HalfToFloat(static_cast<uint16_t>(bits));
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(got), fraction != 0) << bits;
      EXPECT_EQ(std::isinf(got), fraction == 0) << bits;
    } else {
      const double magnitude =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      EXPECT_EQ(got, (bits & 0x8000) != 0 ? -magnitude : magnitude) << bits;
    }
    EXPECT_EQ(std::signbit(got), (bits & 0x8000) != 0) << bits;
  }
}

TEST(TensorTest, Bf16IsTheUpperHalfOfF32) {
  for (const float value : {0.0F, 1.0F, -2.5F, 3.0e38F, 1.0e-38F}) {
    const uint32_t upper = std::bit_cast<uint32_t>(value) >> 16;
    EXPECT_EQ(std::bit_cast<uint32_t>(Bf16ToFloat(static_cast<uint16_t>(upper))), upper << 16);
  }
}

TEST(TensorTest, ToFloatsReadsUnalignedBytes) {
  const uint8_t bytes[] = {0xff, 0x80, 0x3f, 0x00, 0xc0};
  const Tensor tensor{DType::kBf16, {2}, std::span(bytes).subspan(1), nullptr};
  EXPECT_EQ(ToFloats(tensor), (std::vector<float>{1.0F, -2.0F}));
}

TEST(TensorTest, ShapesAsText) {
  EXPECT_EQ(ShapeString(std::vector<int64_t>{512, 64}), "[512, 64]");
  EXPECT_EQ(ShapeString({}), "[]");
}

}  // namespace
}  // namespace skerry::engine
