// A tensor in host memory, as a checkpoint stores it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

// The element types the engine computes with. Little endian.
enum class DType { kF32, kF16, kBf16 };
inline constexpr DType kDTypes[] = {DType::kF32, DType::kF16, DType::kBf16};

size_t DTypeBytes(DType dtype);
std::string_view DTypeName(DType dtype);  // "F32"

// "[512, 64]".
std::string ShapeString(std::span<const int64_t> shape);

// Row-major, outermost dimension first: a projection is [out, in]. `bytes` is aligned to the
// element size and lives as long as `owner` does.
struct Tensor {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
  // Type-erased because the bytes are either a shared file mapping or a buffer of their own, and
  // outlive the checkpoint they were read from.
  std::shared_ptr<const void> owner;
};

// Exact conversions of one element to F32.
float HalfToFloat(uint16_t bits);
float Bf16ToFloat(uint16_t bits);

// All elements as F32; exact for every DType.
std::vector<float> ToFloats(const Tensor& tensor);

}  // namespace skerry::engine
