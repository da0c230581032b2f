#include "engine/device/cpu/kv_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace skerry::engine {
namespace {

uint16_t ToBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// A float's magnitude with `kMantissa` bits of mantissa and an exponent of `kBias`, rounded to
// nearest even; what is beyond `kLargest` becomes `kLargest`. Small numbers lose bits as they do in
// the format: adding half of the last place's weight, as a float, rounds there.
template <int kMantissa, int kBias, uint32_t kLargest>
uint32_t Narrow(float magnitude) {
  constexpr int kDropped = 23 - kMantissa;
  constexpr uint32_t kSmallestNormal = static_cast<uint32_t>(127 - kBias + 1) << 23;
  const auto bits = std::bit_cast<uint32_t>(magnitude);
  if (bits < kSmallestNormal) {
    // The sum's last bit weighs as much as the format's smallest number.
    constexpr uint32_t kMagic = static_cast<uint32_t>(127 - kBias + 1 + kDropped) << 23;
    const float sum = magnitude + std::bit_cast<float>(kMagic);
    return std::bit_cast<uint32_t>(sum) - kMagic;
  }
  const uint32_t rounded = bits + (1U << (kDropped - 1)) - 1 + (bits >> kDropped & 1);
  return std::min((rounded >> kDropped) - (static_cast<uint32_t>(127 - kBias) << kMantissa),
                  kLargest);
}

uint16_t ToF16(float value) {
  const uint32_t sign = std::bit_cast<uint32_t>(value) >> 16 & 0x8000;
  return static_cast<uint16_t>(sign | Narrow<10, 15, 0x7BFF>(std::abs(value)));
}

uint8_t ToF8E4M3(float value) {
  const uint32_t sign = std::bit_cast<uint32_t>(value) >> 24 & 0x80;
  return static_cast<uint8_t>(sign | Narrow<3, 7, 0x7E>(std::abs(value)));
}

void WriteInt8(const float* x, int64_t n, int8_t* out, float* factor) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  *factor = largest / 127;
  const float inverse = largest > 0 ? 127 / largest : 0;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<int8_t>(std::clamp(std::nearbyint(x[i] * inverse), -127.0F, 127.0F));
  }
}

}  // namespace

void WriteKvRow(KvType type, const float* x, int64_t head_dim, void* part, int64_t at) {
  auto* bytes = static_cast<uint8_t*>(part);
  uint8_t* row = bytes + at * head_dim * KvElementBytes(type);
  switch (type) {
    case KvType::kF32:
      std::memcpy(row, x, head_dim * sizeof(float));
      return;
    case KvType::kF16:
      std::transform(x, x + head_dim, reinterpret_cast<uint16_t*>(row), ToF16);
      return;
    case KvType::kBf16:
      std::transform(x, x + head_dim, reinterpret_cast<uint16_t*>(row), ToBf16);
      return;
    case KvType::kF8E4M3:
      std::transform(x, x + head_dim, row, ToF8E4M3);
      return;
    case KvType::kInt8:
      WriteInt8(x, head_dim, reinterpret_cast<int8_t*>(row),
                reinterpret_cast<float*>(bytes + kBlockTokens * head_dim) + at);
      return;
  }
}

const float* ReadKvRows(const CpuKernels& kernels, KvType type, const void* part, int64_t n_rows,
                        int64_t head_dim, float* scratch) {
  const auto* bytes = static_cast<const uint8_t*>(part);
  const int64_t n = n_rows * head_dim;
  switch (type) {
    case KvType::kF32:
      return static_cast<const float*>(part);
    case KvType::kF16:
      kernels.widen(DType::kF16, part, n, scratch);
      break;
    case KvType::kBf16:
      kernels.widen(DType::kBf16, part, n, scratch);
      break;
    case KvType::kF8E4M3:
      kernels.widen_f8(bytes, n, /*factor=*/1, scratch);
      break;
    case KvType::kInt8: {
      const auto* factors = reinterpret_cast<const float*>(bytes + kBlockTokens * head_dim);
      for (int64_t row = 0; row < n_rows; ++row) {
        const auto* source = reinterpret_cast<const int8_t*>(bytes) + row * head_dim;
        float* out = scratch + row * head_dim;
        kernels.widen_int8(source, factors[row], head_dim, out);
      }
      break;
    }
  }
  return scratch;
}

}  // namespace skerry::engine
