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
