// Quantised products in vectors of four, without instructions of a kind: for processors without
// AVX2 and as the plainest statement of what the others compute.
#include <cmath>
#include <cstring>

#include "engine/device/cpu/quantized.h"
#include "engine/formats/dequantize.h"

#define SKERRY_TARGET
#define SKERRY_INLINE inline __attribute__((always_inline))

namespace skerry::engine::internal {
namespace {

struct Isa {
  typedef uint32_t U __attribute__((vector_size(16)));
  typedef int32_t I __attribute__((vector_size(16)));
  typedef float F __attribute__((vector_size(16)));
  static constexpr int kLanes = 4;
  static constexpr int kTileX = 4;
  static constexpr bool kSigned = false;

  static SKERRY_INLINE U Load(const uint8_t* at, int64_t stride) {
    uint32_t rows[kLanes];
    for (int row = 0; row < kLanes; ++row) std::memcpy(&rows[row], at + row * stride, 4);
    return U{rows[0], rows[1], rows[2], rows[3]};
  }
  static SKERRY_INLINE void Load4(const uint8_t* at, int64_t stride, U (&out)[4]) {
    for (int i = 0; i < 4; ++i) out[i] = Load(at + 4 * i, stride);
  }
  static SKERRY_INLINE F Half(U value) {
    F out;
    for (int row = 0; row < kLanes; ++row) {
      out[row] = HalfToFloat(static_cast<uint16_t>(value[row]));
    }
    return out;
  }
  static SKERRY_INLINE U Lookup(const uint8_t* table, U index) {
    U out = {};
    for (int row = 0; row < kLanes; ++row) {
      for (int shift = 0; shift < 32; shift += 8) {
        out[row] |= static_cast<uint32_t>(table[index[row] >> shift & 0xf]) << shift;
      }
    }
    return out;
  }

  static SKERRY_INLINE U Splat(uint32_t value) { return U{value, value, value, value}; }
  static SKERRY_INLINE F Splat(float value) { return F{value, value, value, value}; }
  static SKERRY_INLINE F Abs(F value) {
    return reinterpret_cast<F>(reinterpret_cast<U>(value) & 0x7fffffffU);
  }
  static SKERRY_INLINE F Max(F a, F b) { return a > b ? a : b; }
  static SKERRY_INLINE I Round(F value) {
    I out;
    for (int row = 0; row < kLanes; ++row) {
      out[row] = static_cast<int32_t>(std::nearbyint(value[row]));
    }
    return out;
  }
  static SKERRY_INLINE void StoreBytes(int8_t* at, I value) {
    for (int row = 0; row < kLanes; ++row) at[row] = static_cast<int8_t>(value[row]);
  }
  static SKERRY_INLINE F MultiplyAdd(F a, F b, F c) { return a * b + c; }
  static SKERRY_INLINE F LoadPart(const float* at, int64_t n) {
    F value = {};
    std::memcpy(&value, at, n * sizeof(float));
    return value;
  }
  static SKERRY_INLINE void StorePart(float* at, F value, int64_t n) {
    std::memcpy(at, &value, n * sizeof(float));
  }

  template <int kBits>
  struct Products {
    I sums;
    SKERRY_INLINE void Start(int32_t correction) {
      sums = I{correction, correction, correction, correction};
    }
    SKERRY_INLINE void Add(U w, U x, int) {
      const I values = reinterpret_cast<I>(x);
      for (int shift = 0; shift < 32; shift += 8) {
        sums += reinterpret_cast<I>(w >> shift & 0xffU) * (values << (24 - shift) >> 24);
      }
    }
    SKERRY_INLINE I Sum() const { return sums; }
  };
};

}  // namespace
}  // namespace skerry::engine::internal

#include "engine/device/cpu/internal/quant_tiles.h"

namespace skerry::engine::internal {

const QuantKernels* PortableQuantKernels() {
  static constexpr QuantKernels kKernels = {"portable", CpuIsa::kPortable, Isa::kLanes, FindFormat};
  return &kKernels;
}

}  // namespace skerry::engine::internal
