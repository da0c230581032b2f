// A tensor in host memory, as a checkpoint stores it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

// The stored types that the engine computes with, little endian. Those from kQ8_0 on are ggml's
// quantised blocks; dequantize.h has their meaning.
enum class DType {
  kF32,
  kF16,
  kBf16,
  kF8E4M3,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIq4Nl,
  kIq4Xs,
  kMxfp4,
};
inline constexpr DType kDTypes[] = {
    DType::kF32,  DType::kF16,  DType::kBf16,  DType::kF8E4M3, DType::kQ8_0,
    DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,  DType::kQ5_1,   DType::kQ4_K,
    DType::kQ5_K, DType::kQ6_K, DType::kIq4Nl, DType::kIq4Xs,  DType::kMxfp4,
};

// The smallest piece of a row: a row is a whole number of them.
struct DTypeBlock {
  int64_t elements = 1;
  int64_t bytes = 0;
};
DTypeBlock BlockOf(DType dtype);

std::string_view DTypeName(DType dtype);  // "F32", "Q4_K", "F8_E4M3": as GGUF and safetensors say
std::optional<DType> FindDType(std::string_view name);
// "F32, F16, ... and MXFP4", for messages.
std::string DTypeList();

// Bytes of a row of `n` elements, which must be whole blocks.
inline int64_t RowBytes(DType dtype, int64_t n) {
  const DTypeBlock block = BlockOf(dtype);
  return n / block.elements * block.bytes;
}
// What addresses of this type's data must be a multiple of; blocks are read byte by byte.
size_t DTypeAlignment(DType dtype);

// "[512, 64]".
std::string ShapeString(std::span<const int64_t> shape);

// Factors of a matrix whose elements have none of their own (FP8): one for each tile of
// block_rows x block_cols, [ceil(rows / block_rows), ceil(cols / block_cols)], row-major.
struct Scales {
  std::shared_ptr<const std::vector<float>> values;  // null: no factors
  int64_t block_rows = 0;
  int64_t block_cols = 0;

  explicit operator bool() const { return values != nullptr; }
  // The factors of a row: ceil(cols / block_cols) of them.
  const float* Row(int64_t row, int64_t cols) const {
    return values->data() + row / block_rows * ((cols + block_cols - 1) / block_cols);
  }
};

// Row-major, outermost dimension first: a projection is [out, in]. `bytes` is aligned for its type
// and lives as long as `owner` does.
struct Tensor {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
  // Type-erased because the bytes are either a shared file mapping or a buffer of their own, and
  // outlive the checkpoint they were read from.
  std::shared_ptr<const void> owner;
  Scales scales = {};
};

// All elements as F32, scales applied. Exact but for the products of FP8 values and their scales,
// which are rounded once.
std::vector<float> ToFloats(const Tensor& tensor);

}  // namespace skerry::engine
