#include "engine/formats/tensor.h"

#include <bit>
#include <cstring>

namespace skerry::engine {

size_t DTypeBytes(DType dtype) { return dtype == DType::kF32 ? 4 : 2; }

std::string_view DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBf16:
      return "BF16";
  }
  return "?";
}

std::string ShapeString(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1f;
  const uint32_t fraction = bits & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) {
    return std::bit_cast<float>(sign | (exponent + (127 - 15)) << 23 | fraction << 13);
  }
  // Subnormal: fraction * 2^-24, exact in F32.
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

float Bf16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

std::vector<float> ToFloats(const Tensor& tensor) {
  std::vector<float> out(tensor.bytes.size() / DTypeBytes(tensor.dtype));
  if (out.empty()) return out;
  if (tensor.dtype == DType::kF32) {
    std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
    return out;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, tensor.bytes.data() + 2 * i, sizeof(bits));
    out[i] = tensor.dtype == DType::kF16 ? HalfToFloat(bits) : Bf16ToFloat(bits);
  }
  return out;
}

}  // namespace skerry::engine
