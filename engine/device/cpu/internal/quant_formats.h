// How blocks of every quantised type become bytes and factors, a panel of rows at a time. Each
// struct states its layout once, for vectors of any width: lane r of a vector belongs to row r.
//
// Included by one file for each instruction set, which defines before: SKERRY_INLINE, and `Isa`
// with
//   U, I, F             vectors of uint32_t, int32_t and float, one lane for each row
//   kSigned             whether bytes of full range are multiplied as signed ones
//   Load(at, stride)    four bytes of every row
//   Load4(at, stride, out)  sixteen bytes of every row
//   Half(u)             the half-precision number in the low 16 bits of each lane
//   Lookup(table, u)    table[byte] for each byte, which is below 16
//
// A format has: kElements and kBytes of a block; kGroup, elements that share a factor; kBits of its
// unsigned bytes (8: full range, see kSigned); kOffset, what was added to make them unsigned;
// kHasMinimum; and Unpack, which calls out.Group before the bytes of a group and out.Put for every
// four elements. Layouts: engine/formats/dequantize.cc.
#pragma once

#include <array>
#include <cstdint>

#include "engine/formats/dequantize.h"

namespace skerry::engine::internal {
namespace {

using U = Isa::U;
using I = Isa::I;
using F = Isa::F;

constexpr uint32_t kLowNibbles = 0x0f0f0f0f;

SKERRY_INLINE F ToFloat(U value) { return __builtin_convertvector(reinterpret_cast<I>(value), F); }

// Bytes of full range, given as signed ones.
SKERRY_INLINE U FullRange(U signed_bytes) {
  if constexpr (Isa::kSigned) return signed_bytes;
  return signed_bytes ^ 0x80808080U;
}
constexpr int kFullRangeOffset = Isa::kSigned ? 0 : 128;

// Four low bits, one to each byte.
SKERRY_INLINE U SpreadBits(U bits) {
  return (bits | bits << 7 | bits << 14 | bits << 21) & 0x01010101U;
}

constexpr std::array<uint8_t, 16> Shifted(const std::array<int8_t, 16>& table, int offset) {
  std::array<uint8_t, 16> out = {};
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(table[i] + offset);
  return out;
}
alignas(16) constexpr std::array<uint8_t, 16> kIq4Bytes = Shifted(kIq4Values, kFullRangeOffset);
alignas(16) constexpr std::array<uint8_t, 16> kMxfp4Bytes = Shifted(kMxfp4Doubled, 16);

// 16 bytes of nibbles: the low ones are elements 0-15, the high ones 16-31.
template <class Out>
SKERRY_INLINE void PutNibbles(const U (&q)[4], Out& out) {
  for (int i = 0; i < 4; ++i) out.Put(q[i] & kLowNibbles);
  for (int i = 0; i < 4; ++i) out.Put(q[i] >> 4 & kLowNibbles);
}

template <class Out>
SKERRY_INLINE void PutLookedUp(const std::array<uint8_t, 16>& table, const U (&q)[4], Out& out) {
  for (int i = 0; i < 4; ++i) out.Put(Isa::Lookup(table.data(), q[i] & kLowNibbles));
  for (int i = 0; i < 4; ++i) out.Put(Isa::Lookup(table.data(), q[i] >> 4 & kLowNibbles));
}

// The same with fifth bits, bit i of `high` for element i.
template <class Out>
SKERRY_INLINE void PutFiveBits(const U (&q)[4], U high, Out& out) {
  for (int i = 0; i < 4; ++i) {
    out.Put((q[i] & kLowNibbles) | SpreadBits(high >> (4 * i) & 0xfU) << 4);
  }
  for (int i = 0; i < 4; ++i) {
    out.Put((q[i] >> 4 & kLowNibbles) | SpreadBits(high >> (16 + 4 * i) & 0xfU) << 4);
  }
}

struct Q8_0 {
  static constexpr int kElements = 32, kBytes = 34, kGroup = 32;
  static constexpr int kBits = 8, kOffset = kFullRangeOffset;
  static constexpr bool kHasMinimum = false;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    out.Group(Isa::Half(Isa::Load(at, stride)));
    U q[4];
    for (int part = 0; part < 2; ++part) {
      Isa::Load4(at + 2 + 16 * part, stride, q);
      for (int i = 0; i < 4; ++i) out.Put(FullRange(q[i]));
    }
  }
};

struct Q4_0 {
  static constexpr int kElements = 32, kBytes = 18, kGroup = 32;
  static constexpr int kBits = 4, kOffset = 8;
  static constexpr bool kHasMinimum = false;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    out.Group(Isa::Half(Isa::Load(at, stride)));
    U q[4];
    Isa::Load4(at + 2, stride, q);
    PutNibbles(q, out);
  }
};

struct Q4_1 {
  static constexpr int kElements = 32, kBytes = 20, kGroup = 32;
  static constexpr int kBits = 4, kOffset = 0;
  static constexpr bool kHasMinimum = true;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    const U head = Isa::Load(at, stride);
    out.Group(Isa::Half(head), Isa::Half(head >> 16));
    U q[4];
    Isa::Load4(at + 4, stride, q);
    PutNibbles(q, out);
  }
};

struct Q5_0 {
  static constexpr int kElements = 32, kBytes = 22, kGroup = 32;
  static constexpr int kBits = 5, kOffset = 16;
  static constexpr bool kHasMinimum = false;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    out.Group(Isa::Half(Isa::Load(at, stride)));
    const U high = Isa::Load(at + 2, stride);
    U q[4];
    Isa::Load4(at + 6, stride, q);
    PutFiveBits(q, high, out);
  }
};

struct Q5_1 {
  static constexpr int kElements = 32, kBytes = 24, kGroup = 32;
  static constexpr int kBits = 5, kOffset = 0;
  static constexpr bool kHasMinimum = true;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    const U head = Isa::Load(at, stride);
    out.Group(Isa::Half(head), Isa::Half(head >> 16));
    const U high = Isa::Load(at + 4, stride);
    U q[4];
    Isa::Load4(at + 8, stride, q);
    PutFiveBits(q, high, out);
  }
};

// Factors and minima of the eight groups of a block of Q4_K and Q5_K, from its first 16 bytes.
struct KScales {
  F d;
  F d_min;
  U scales[2];  // of groups 0-3 and 4-7, a byte each
  U minima[2];

  SKERRY_INLINE KScales(const uint8_t* at, int64_t stride) {
    U head[4];
    Isa::Load4(at, stride, head);
    d = Isa::Half(head[0]);
    d_min = Isa::Half(head[0] >> 16);
    scales[0] = head[1] & 0x3f3f3f3fU;
    minima[0] = head[2] & 0x3f3f3f3fU;
    scales[1] = (head[3] & kLowNibbles) | (head[1] >> 2 & 0x30303030U);
    minima[1] = (head[3] >> 4 & kLowNibbles) | (head[2] >> 2 & 0x30303030U);
  }
  template <class Out>
  SKERRY_INLINE void Group(int group, Out& out) const {
    const int shift = group % 4 * 8;
    const F scale = ToFloat(scales[group / 4] >> shift & 0xffU);
    const F minimum = ToFloat(minima[group / 4] >> shift & 0xffU);
    out.Group(d * scale, -(d_min * minimum));
  }
};

struct Q4_K {
  static constexpr int kElements = 256, kBytes = 144, kGroup = 32;
  static constexpr int kBits = 4, kOffset = 0;
  static constexpr bool kHasMinimum = true;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    const KScales scales(at, stride);
    for (int pair = 0; pair < 4; ++pair) {
      U low[4];
      U high[4];
      Isa::Load4(at + 16 + 32 * pair, stride, low);
      Isa::Load4(at + 32 + 32 * pair, stride, high);
      scales.Group(2 * pair, out);
      for (int i = 0; i < 4; ++i) out.Put(low[i] & kLowNibbles);
      for (int i = 0; i < 4; ++i) out.Put(high[i] & kLowNibbles);
      scales.Group(2 * pair + 1, out);
      for (int i = 0; i < 4; ++i) out.Put(low[i] >> 4 & kLowNibbles);
      for (int i = 0; i < 4; ++i) out.Put(high[i] >> 4 & kLowNibbles);
    }
  }
};

struct Q5_K {
  static constexpr int kElements = 256, kBytes = 176, kGroup = 32;
  static constexpr int kBits = 5, kOffset = 0;
  static constexpr bool kHasMinimum = true;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    const KScales scales(at, stride);
    U fifth[2][4];
    Isa::Load4(at + 16, stride, fifth[0]);
    Isa::Load4(at + 32, stride, fifth[1]);
    for (int group = 0; group < 8; ++group) {
      scales.Group(group, out);
      for (int part = 0; part < 2; ++part) {
        U q[4];
        Isa::Load4(at + 48 + group / 2 * 32 + 16 * part, stride, q);
        for (int i = 0; i < 4; ++i) {
          const U nibbles = q[i] >> (group % 2 * 4) & kLowNibbles;
          out.Put(nibbles | (fifth[part][i] >> group & 0x01010101U) << 4);
        }
      }
    }
  }
};

struct Q6_K {
  static constexpr int kElements = 256, kBytes = 210, kGroup = 16;
  static constexpr int kBits = 6, kOffset = 32;
  static constexpr bool kHasMinimum = false;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    const F d = Isa::Half(Isa::Load(at + 206, stride) >> 16);
    U scales[4];
    Isa::Load4(at + 192, stride, scales);
    for (int half = 0; half < 2; ++half) {
      U low[4][4];
      U high[2][4];
      for (int i = 0; i < 4; ++i) Isa::Load4(at + 64 * half + 16 * i, stride, low[i]);
      for (int i = 0; i < 2; ++i) Isa::Load4(at + 128 + 32 * half + 16 * i, stride, high[i]);
      for (int group = 0; group < 8; ++group) {
        const U scale = scales[2 * half + group / 4] << (24 - group % 4 * 8);
        out.Group(d * __builtin_convertvector(reinterpret_cast<I>(scale) >> 24, F));
        const int quarter = group / 2;
        for (int i = 0; i < 4; ++i) {
          const U nibbles = low[quarter % 2 * 2 + group % 2][i] >> (quarter / 2 * 4) & kLowNibbles;
          const U upper = high[group % 2][i] >> (2 * quarter) & 0x03030303U;
          out.Put(nibbles | upper << 4);
        }
      }
    }
  }
};

struct Iq4Nl {
  static constexpr int kElements = 32, kBytes = 18, kGroup = 32;
  static constexpr int kBits = 8, kOffset = kFullRangeOffset;
  static constexpr bool kHasMinimum = false;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    out.Group(Isa::Half(Isa::Load(at, stride)));
    U q[4];
    Isa::Load4(at + 2, stride, q);
    PutLookedUp(kIq4Bytes, q, out);
  }
};

struct Iq4Xs {
  static constexpr int kElements = 256, kBytes = 136, kGroup = 32;
  static constexpr int kBits = 8, kOffset = kFullRangeOffset;
  static constexpr bool kHasMinimum = false;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    const U head = Isa::Load(at, stride);
    const U scales_low = Isa::Load(at + 4, stride);
    const F d = Isa::Half(head);
    for (int group = 0; group < 8; ++group) {
      const U scale = (scales_low >> (4 * group) & 0xfU) | (head >> (16 + 2 * group) & 3U) << 4;
      out.Group(d * ToFloat(scale - 32U));
      U q[4];
      Isa::Load4(at + 8 + 16 * group, stride, q);
      PutLookedUp(kIq4Bytes, q, out);
    }
  }
};

// Half the factor for twice the values; exponents below 2 make it subnormal.
struct Mxfp4 {
  static constexpr int kElements = 32, kBytes = 17, kGroup = 32;
  static constexpr int kBits = 5, kOffset = 16;
  static constexpr bool kHasMinimum = false;
  template <class Out>
  static SKERRY_INLINE void Unpack(const uint8_t* at, int64_t stride, Out& out) {
    const U exponent = Isa::Load(at, stride) & 0xffU;
    const U zero = exponent ^ exponent;
    const U normal = (exponent - 1U) << 23;
    const U subnormal = (zero + 0x00200000U) << exponent;
    U bits = exponent < 2U ? subnormal : normal;
    bits = exponent == 0xffU ? zero + 0x7fc00000U : bits;
    out.Group(reinterpret_cast<F>(bits));
    U q[4];
    Isa::Load4(at + 1, stride, q);
    PutLookedUp(kMxfp4Bytes, q, out);
  }
};

}  // namespace
}  // namespace skerry::engine::internal
