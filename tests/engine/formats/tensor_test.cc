#include "engine/formats/tensor.h"

#include <gtest/gtest.h>

#include <memory>

namespace skerry::engine {
namespace {

TEST(TensorTest, ToFloatsReadsUnalignedBytes) {
  const uint8_t bytes[] = {0xff, 0x80, 0x3f, 0x00, 0xc0};
  const Tensor tensor{DType::kBf16, {2}, std::span(bytes).subspan(1), nullptr};
  EXPECT_EQ(ToFloats(tensor), (std::vector<float>{1.0F, -2.0F}));
}

TEST(TensorTest, TypesHaveNamesAndBlocks) {
  for (const DType dtype : kDTypes) {
    EXPECT_EQ(FindDType(DTypeName(dtype)), dtype);
    const DTypeBlock block = BlockOf(dtype);
    EXPECT_EQ(RowBytes(dtype, 3 * block.elements), 3 * block.bytes);
    EXPECT_NE(DTypeList().find(DTypeName(dtype)), std::string::npos);
  }
  EXPECT_EQ(FindDType("Q2_K"), std::nullopt);
  EXPECT_EQ(FindDType(""), std::nullopt);
  EXPECT_TRUE(DTypeList().starts_with("F32, F16, ")) << DTypeList();
  EXPECT_TRUE(DTypeList().ends_with(" and MXFP4")) << DTypeList();
}

// Tiles of 2 x 3 over a matrix that is no multiple of them.
TEST(TensorTest, ToFloatsAppliesScales) {
  const std::vector<uint8_t> ones(3 * 4, 0x38);  // 1 in E4M3
  const auto factors = std::make_shared<const std::vector<float>>(std::vector<float>{2, 3, 5, 7});
  const Tensor tensor{DType::kF8E4M3, {3, 4}, ones, nullptr, {factors, 2, 3}};
  EXPECT_EQ(ToFloats(tensor), (std::vector<float>{2, 2, 2, 3, 2, 2, 2, 3, 5, 5, 5, 7}));
  const Tensor whole{DType::kF8E4M3, {3, 4}, ones, nullptr, {factors, 3, 4}};
  EXPECT_EQ(ToFloats(whole), std::vector<float>(12, 2.0F));
}

TEST(TensorTest, ShapesAsText) {
  EXPECT_EQ(ShapeString(std::vector<int64_t>{512, 64}), "[512, 64]");
  EXPECT_EQ(ShapeString({}), "[]");
}

}  // namespace
}  // namespace skerry::engine
