#include "engine/formats/tensor.h"

#include <algorithm>
#include <array>

#include "engine/formats/dequantize.h"

namespace skerry::engine {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  DTypeBlock block;
  size_t alignment;
};

// In the order of the enumeration, which is the index. Sizes of the blocks: ggml-common.h of
// https://github.com/ggml-org/ggml.
constexpr std::array kRows = {
    DTypeRow{DType::kF32, "F32", {1, 4}, 4},
    DTypeRow{DType::kF16, "F16", {1, 2}, 2},
    DTypeRow{DType::kBf16, "BF16", {1, 2}, 2},
    DTypeRow{DType::kF8E4M3, "F8_E4M3", {1, 1}, 1},
    DTypeRow{DType::kQ8_0, "Q8_0", {32, 34}, 1},
    DTypeRow{DType::kQ4_0, "Q4_0", {32, 18}, 1},
    DTypeRow{DType::kQ4_1, "Q4_1", {32, 20}, 1},
    DTypeRow{DType::kQ5_0, "Q5_0", {32, 22}, 1},
    DTypeRow{DType::kQ5_1, "Q5_1", {32, 24}, 1},
    DTypeRow{DType::kQ4_K, "Q4_K", {256, 144}, 1},
    DTypeRow{DType::kQ5_K, "Q5_K", {256, 176}, 1},
    DTypeRow{DType::kQ6_K, "Q6_K", {256, 210}, 1},
    DTypeRow{DType::kIq4Nl, "IQ4_NL", {32, 18}, 1},
    DTypeRow{DType::kIq4Xs, "IQ4_XS", {256, 136}, 1},
    DTypeRow{DType::kMxfp4, "MXFP4", {32, 17}, 1},
};

constexpr bool InOrder() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].dtype != static_cast<DType>(i) || kDTypes[i] != kRows[i].dtype) return false;
  }
  return kRows.size() == std::size(kDTypes);
}
static_assert(InOrder());

const DTypeRow& RowOf(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

DTypeBlock BlockOf(DType dtype) { return RowOf(dtype).block; }
std::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }
size_t DTypeAlignment(DType dtype) { return RowOf(dtype).alignment; }

std::optional<DType> FindDType(std::string_view name) {
  for (const DTypeRow& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::string DTypeList() {
  std::string list;
  for (const DTypeRow& row : kRows) {
    if (&row != kRows.data()) list += &row == &kRows.back() ? " and " : ", ";
    list += row.name;
  }
  return list;
}

std::string ShapeString(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

std::vector<float> ToFloats(const Tensor& tensor) {
  const DTypeBlock block = BlockOf(tensor.dtype);
  const auto n = static_cast<int64_t>(tensor.bytes.size()) / block.bytes * block.elements;
  std::vector<float> out(n);
  Dequantize(tensor.dtype, tensor.bytes.data(), n, out.data());
  if (!tensor.scales || n == 0) return out;
  const int64_t cols = tensor.shape.back();
  for (int64_t row = 0; row < n / cols; ++row) {
    const float* scales = tensor.scales.Row(row, cols);
    for (int64_t c = 0; c < cols; ++c) out[row * cols + c] *= scales[c / tensor.scales.block_cols];
  }
  return out;
}

}  // namespace skerry::engine
