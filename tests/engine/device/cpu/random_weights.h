// Random operands for the CPU device's tests: blocks of every stored type with finite factors.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "engine/formats/tensor.h"

namespace skerry::engine::testing {

inline std::vector<float> RandomFloats(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n);
  for (float& value : out) value = normal(random);
  return out;
}

// Any bits, but half-precision factors of 2^-8 to 2^-2 (either sign), exponents of MXFP4 and FP8
// values near 1.
inline std::vector<uint8_t> RandomBlocks(DType dtype, int64_t n_elements, uint32_t seed) {
  std::mt19937 random(seed);
  const DTypeBlock block = BlockOf(dtype);
  std::vector<uint8_t> bytes(RowBytes(dtype, n_elements));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  auto set_half = [&](int64_t at) {
    const uint32_t bits = random();
    const auto half = static_cast<uint16_t>((bits & 0x83ff) | (7 + (bits >> 16 & 0xff) % 6) << 10);
    std::memcpy(&bytes[at], &half, sizeof(half));
  };
  for (int64_t at = 0; at < static_cast<int64_t>(bytes.size()); at += block.bytes) {
    switch (dtype) {
      case DType::kF32: {
        const float value = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
        std::memcpy(&bytes[at], &value, sizeof(value));
        break;
      }
      case DType::kBf16:
        bytes[at + 1] = static_cast<uint8_t>((bytes[at + 1] & 0x80) | 0x3e);
        break;
      case DType::kF8E4M3:
        if ((bytes[at] & 0x7f) == 0x7f) bytes[at] ^= 1;  // not a number
        break;
      case DType::kMxfp4:
        bytes[at] = static_cast<uint8_t>(120 + bytes[at] % 8);
        break;
      case DType::kQ6_K:
        set_half(at + 208);
        break;
      case DType::kQ4_1:
      case DType::kQ5_1:
      case DType::kQ4_K:
      case DType::kQ5_K:
        set_half(at);
        set_half(at + 2);
        break;
      default:
        set_half(at);
    }
  }
  return bytes;
}

}  // namespace skerry::engine::testing
