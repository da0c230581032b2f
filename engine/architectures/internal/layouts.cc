#include "engine/architectures/internal/layouts.h"

#include <cstring>
#include <memory>

namespace skerry::engine::internal {

std::vector<uint8_t> SplitPairs(std::span<const uint8_t> bytes, int64_t n_heads, int64_t n_rows) {
  std::vector<uint8_t> out(bytes.size());
  const size_t row_bytes = bytes.size() / n_rows;
  const int64_t head_dim = n_rows / n_heads;
  for (int64_t row = 0; row < n_rows; ++row) {
    const int64_t in_head = row % head_dim;
    const int64_t target = row - in_head + in_head / 2 + in_head % 2 * (head_dim / 2);
    std::memcpy(out.data() + target * row_bytes, bytes.data() + row * row_bytes, row_bytes);
  }
  return out;
}

Scales SplitPairs(const Scales& scales, int64_t n_heads, std::span<const int64_t> shape) {
  if (!scales || scales.block_rows >= shape[0]) return scales;
  // A tile's rows part: from now on each row has factors of its own.
  const int64_t per_row = (shape[1] + scales.block_cols - 1) / scales.block_cols;
  std::vector<float> rows;
  rows.reserve(shape[0] * per_row);
  for (int64_t row = 0; row < shape[0]; ++row) {
    const float* const factors = scales.Row(row, shape[1]);
    rows.insert(rows.end(), factors, factors + per_row);
  }
  const std::vector<uint8_t> moved =
      SplitPairs({reinterpret_cast<const uint8_t*>(rows.data()), rows.size() * sizeof(float)},
                 n_heads, shape[0]);
  std::memcpy(rows.data(), moved.data(), moved.size());
  return {std::make_shared<const std::vector<float>>(std::move(rows)), 1, scales.block_cols};
}

std::vector<uint8_t> EveryOther(std::span<const uint8_t> bytes, size_t item_bytes, bool second) {
  std::vector<uint8_t> out;
  out.reserve(bytes.size() / 2);
  for (size_t at = second ? item_bytes : 0; at < bytes.size(); at += 2 * item_bytes) {
    const auto item = bytes.subspan(at, item_bytes);
    out.insert(out.end(), item.begin(), item.end());
  }
  return out;
}

Tensor PlusOne(const Tensor& tensor) {
  auto values = std::make_shared<std::vector<float>>(ToFloats(tensor));
  for (float& value : *values) value += 1;
  const std::span bytes(reinterpret_cast<const uint8_t*>(values->data()),
                        values->size() * sizeof(float));
  return {DType::kF32, tensor.shape, bytes, values, {}};
}

}  // namespace skerry::engine::internal
