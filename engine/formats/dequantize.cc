#include "engine/formats/dequantize.h"

#include <bit>
#include <cstring>
#include <limits>

namespace skerry::engine {
namespace {

uint16_t Load16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

uint32_t Load32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

float HalfAt(const uint8_t* at) { return HalfToFloat(Load16(at)); }

// Blocks of 32 keep elements 0-15 in the low nibbles of 16 bytes and 16-31 in the high ones.
int LowNibble(const uint8_t* qs, int i) { return qs[i] & 0xf; }
int HighNibble(const uint8_t* qs, int i) { return qs[i] >> 4; }

void Q8_0(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

void Q4_0(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(LowNibble(block + 2, i) - 8);
    out[16 + i] = d * static_cast<float>(HighNibble(block + 2, i) - 8);
  }
}

void Q4_1(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  const float m = HalfAt(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(LowNibble(block + 4, i)) + m;
    out[16 + i] = d * static_cast<float>(HighNibble(block + 4, i)) + m;
  }
}

// The fifth bits are one word: bit i belongs to element i.
int FifthBit(uint32_t high, int i) { return static_cast<int>(high >> i & 1) << 4; }

void Q5_0(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  const uint32_t high = Load32(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((LowNibble(block + 6, i) | FifthBit(high, i)) - 16);
    out[16 + i] = d * static_cast<float>((HighNibble(block + 6, i) | FifthBit(high, 16 + i)) - 16);
  }
}

void Q5_1(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  const float m = HalfAt(block + 2);
  const uint32_t high = Load32(block + 4);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(LowNibble(block + 8, i) | FifthBit(high, i)) + m;
    out[16 + i] = d * static_cast<float>(HighNibble(block + 8, i) | FifthBit(high, 16 + i)) + m;
  }
}

// Groups 2j and 2j + 1 share 32 bytes: low nibbles, then high ones.
int KNibble(const uint8_t* qs, int group, int i) {
  const uint8_t byte = qs[group / 2 * 32 + i];
  return group % 2 == 0 ? byte & 0xf : byte >> 4;
}

void Q4_K(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  const float d_min = HalfAt(block + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScales scales = UnpackGroupScales(block + 4, group);
    const float factor = d * static_cast<float>(scales.scale);
    const float minimum = d_min * static_cast<float>(scales.minimum);
    for (int i = 0; i < 32; ++i) {
      *out++ = factor * static_cast<float>(KNibble(block + 16, group, i)) - minimum;
    }
  }
}

void Q5_K(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  const float d_min = HalfAt(block + 2);
  const uint8_t* high = block + 16;
  for (int group = 0; group < 8; ++group) {
    const GroupScales scales = UnpackGroupScales(block + 4, group);
    const float factor = d * static_cast<float>(scales.scale);
    const float minimum = d_min * static_cast<float>(scales.minimum);
    for (int i = 0; i < 32; ++i) {
      const int q = KNibble(block + 48, group, i) | (high[i] >> group & 1) << 4;
      *out++ = factor * static_cast<float>(q) - minimum;
    }
  }
}

// Each half of 128 has four groups of 32: two nibbles of 64 bytes, and the upper two bits of a
// group in one of the four bit pairs of 32 bytes. A factor belongs to 16 elements.
void Q6_K(const uint8_t* block, float* out) {
  const float d = HalfAt(block + 208);
  for (int group = 0; group < 8; ++group) {
    const int half = group / 4;
    const int in_half = group % 4;
    const uint8_t* low = block + half * 64 + in_half % 2 * 32;
    const uint8_t* high = block + 128 + half * 32;
    const uint8_t* scales = block + 192 + group * 2;
    for (int i = 0; i < 32; ++i) {
      const int nibble = in_half < 2 ? low[i] & 0xf : low[i] >> 4;
      const int q = (nibble | (high[i] >> (2 * in_half) & 3) << 4) - 32;
      const float factor = d * static_cast<float>(static_cast<int8_t>(scales[i / 16]));
      *out++ = factor * static_cast<float>(q);
    }
  }
}

void Iq4Nl(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kIq4Values[LowNibble(block + 2, i)]);
    out[16 + i] = d * static_cast<float>(kIq4Values[HighNibble(block + 2, i)]);
  }
}

void Iq4Xs(const uint8_t* block, float* out) {
  const float d = HalfAt(block);
  const uint32_t scales_high = Load16(block + 2);
  for (int group = 0; group < 8; ++group) {
    const uint32_t low = block[4 + group / 2] >> (group % 2 * 4) & 0xfU;
    const uint32_t scale = low | (scales_high >> (2 * group) & 3) << 4;
    const float factor = d * static_cast<float>(static_cast<int>(scale) - 32);
    const uint8_t* qs = block + 8 + group * 16;
    for (int i = 0; i < 16; ++i) {
      out[group * 32 + i] = factor * static_cast<float>(kIq4Values[LowNibble(qs, i)]);
      out[group * 32 + 16 + i] = factor * static_cast<float>(kIq4Values[HighNibble(qs, i)]);
    }
  }
}

// Half the factor times twice the value: both are exact.
void Mxfp4(const uint8_t* block, float* out) {
  const float d = E8M0ToFloat(block[0]) * 0.5F;
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kMxfp4Doubled[LowNibble(block + 1, i)]);
    out[16 + i] = d * static_cast<float>(kMxfp4Doubled[HighNibble(block + 1, i)]);
  }
}

using BlockFunction = void (*)(const uint8_t* block, float* out);

BlockFunction FunctionOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return [](const uint8_t* at, float* out) { std::memcpy(out, at, sizeof(float)); };
    case DType::kF16:
      return [](const uint8_t* at, float* out) { *out = HalfAt(at); };
    case DType::kBf16:
      return [](const uint8_t* at, float* out) { *out = Bf16ToFloat(Load16(at)); };
    case DType::kF8E4M3:
      return [](const uint8_t* at, float* out) { *out = F8E4M3ToFloat(*at); };
    case DType::kQ8_0:
      return Q8_0;
    case DType::kQ4_0:
      return Q4_0;
    case DType::kQ4_1:
      return Q4_1;
    case DType::kQ5_0:
      return Q5_0;
    case DType::kQ5_1:
      return Q5_1;
    case DType::kQ4_K:
      return Q4_K;
    case DType::kQ5_K:
      return Q5_K;
    case DType::kQ6_K:
      return Q6_K;
    case DType::kIq4Nl:
      return Iq4Nl;
    case DType::kIq4Xs:
      return Iq4Xs;
    case DType::kMxfp4:
      return Mxfp4;
  }
  return nullptr;
}

}  // namespace

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

float F8E4M3ToFloat(uint8_t bits) {
  if ((bits & 0x7f) == 0x7f) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    return (bits & 0x80) != 0 ? -nan : nan;
  }
  // The same fields in half precision, whose exponent counts from 15 instead of 7.
  const auto half = static_cast<uint16_t>((bits & 0x80) << 8 | (bits & 0x7f) << 7);
  return HalfToFloat(half) * 0x1p8F;
}

float E8M0ToFloat(uint8_t bits) {
  if (bits == 0xff) return std::numeric_limits<float>::quiet_NaN();
  const uint32_t exponent = bits;
  return std::bit_cast<float>(bits == 0 ? 0x00400000U : exponent << 23);  // 2^-127 is subnormal
}

GroupScales UnpackGroupScales(const uint8_t scales[12], int group) {
  const uint8_t* s = scales + group % 4;
  if (group < 4) return {static_cast<uint8_t>(s[0] & 63), static_cast<uint8_t>(s[4] & 63)};
  return {static_cast<uint8_t>((s[8] & 0xf) | s[0] >> 6 << 4),
          static_cast<uint8_t>(s[8] >> 4 | s[4] >> 6 << 4)};
}

void Dequantize(DType dtype, const uint8_t* bytes, int64_t n, float* out) {
  const BlockFunction function = FunctionOf(dtype);
  const DTypeBlock block = BlockOf(dtype);
  for (int64_t i = 0; i < n; i += block.elements) {
    function(bytes, out + i);
    bytes += block.bytes;
  }
}

std::vector<uint8_t> RepackMxfp4(std::span<const uint8_t> blocks, std::span<const uint8_t> scales) {
  std::vector<uint8_t> out(scales.size() * 17);
  for (size_t group = 0; group < scales.size(); ++group) {
    const uint8_t* pairs = blocks.data() + group * 16;
    uint8_t* block = out.data() + group * 17;
    block[0] = scales[group];
    for (int i = 0; i < 16; ++i) {
      // Elements i and 16 + i lie in bytes i / 2 and 8 + i / 2: the even one low.
      const int shift = i % 2 * 4;
      const int low = pairs[i / 2] >> shift & 0xf;
      const int high = pairs[8 + i / 2] >> shift & 0xf;
      block[1 + i] = static_cast<uint8_t>(low | high << 4);
    }
  }
  return out;
}

}  // namespace skerry::engine
