// Quantised products with AVX-512 VNNI: sixteen rows to a panel, 64 products an instruction. Only
// functions marked SKERRY_TARGET use these instructions.
#include "engine/device/cpu/quantized.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own intrinsics start from a deliberately undefined register and warn about it (GCC bug
// 105593); to be removed with GCC 13.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstring>

#define SKERRY_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")))
#define SKERRY_INLINE SKERRY_TARGET inline __attribute__((always_inline))

namespace skerry::engine::internal {
namespace {

struct Isa {
  typedef uint32_t U __attribute__((vector_size(64)));
  typedef int32_t I __attribute__((vector_size(64)));
  typedef float F __attribute__((vector_size(64)));
  static constexpr int kLanes = 16;
  static constexpr int kTileX = 6;  // with two panels: 12 sums, 12 totals, 2 weights, 1 of x
  static constexpr bool kSigned = false;

  static SKERRY_INLINE __m512i Bits(U value) { return reinterpret_cast<__m512i>(value); }

  static SKERRY_INLINE uint32_t LoadOne(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  static SKERRY_INLINE __m128i LoadFour(const uint8_t* at, int64_t stride) {
    return _mm_setr_epi32(static_cast<int>(LoadOne(at)), static_cast<int>(LoadOne(at + stride)),
                          static_cast<int>(LoadOne(at + 2 * stride)),
                          static_cast<int>(LoadOne(at + 3 * stride)));
  }
  static SKERRY_INLINE U Load(const uint8_t* at, int64_t stride) {
    __m512i all = _mm512_castsi128_si512(LoadFour(at, stride));
    all = _mm512_inserti32x4(all, LoadFour(at + 4 * stride, stride), 1);
    all = _mm512_inserti32x4(all, LoadFour(at + 8 * stride, stride), 2);
    all = _mm512_inserti32x4(all, LoadFour(at + 12 * stride, stride), 3);
    return reinterpret_cast<U>(all);
  }

  static SKERRY_INLINE __m128i Load16(const uint8_t* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  }
  // Sixteen bytes of rows j, j + 4, j + 8 and j + 12, for a 4 x 4 transposition within each lane of
  // 128 bits.
  static SKERRY_INLINE __m512i LoadRows(const uint8_t* at, int64_t stride) {
    __m512i rows = _mm512_castsi128_si512(Load16(at));
    rows = _mm512_mask_broadcast_i32x4(rows, 0x00f0, Load16(at + 4 * stride));
    rows = _mm512_mask_broadcast_i32x4(rows, 0x0f00, Load16(at + 8 * stride));
    return _mm512_mask_broadcast_i32x4(rows, 0xf000, Load16(at + 12 * stride));
  }
  static SKERRY_INLINE void Load4(const uint8_t* at, int64_t stride, U (&out)[4]) {
    const __m512i a = LoadRows(at, stride);
    const __m512i b = LoadRows(at + stride, stride);
    const __m512i c = LoadRows(at + 2 * stride, stride);
    const __m512i d = LoadRows(at + 3 * stride, stride);
    const __m512i ab_low = _mm512_unpacklo_epi32(a, b);
    const __m512i ab_high = _mm512_unpackhi_epi32(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi32(c, d);
    const __m512i cd_high = _mm512_unpackhi_epi32(c, d);
    out[0] = reinterpret_cast<U>(_mm512_unpacklo_epi64(ab_low, cd_low));
    out[1] = reinterpret_cast<U>(_mm512_unpackhi_epi64(ab_low, cd_low));
    out[2] = reinterpret_cast<U>(_mm512_unpacklo_epi64(ab_high, cd_high));
    out[3] = reinterpret_cast<U>(_mm512_unpackhi_epi64(ab_high, cd_high));
  }

  static SKERRY_INLINE F Half(U value) {
    return reinterpret_cast<F>(_mm512_cvtph_ps(_mm512_cvtepi32_epi16(Bits(value))));
  }
  static SKERRY_INLINE U Lookup(const uint8_t* table, U index) {
    const __m512i bytes = _mm512_broadcast_i32x4(Load16(table));
    return reinterpret_cast<U>(_mm512_shuffle_epi8(bytes, Bits(index)));
  }

  static SKERRY_INLINE U Splat(uint32_t value) {
    return reinterpret_cast<U>(_mm512_set1_epi32(static_cast<int>(value)));
  }
  static SKERRY_INLINE F Splat(float value) { return reinterpret_cast<F>(_mm512_set1_ps(value)); }
  static SKERRY_INLINE F Abs(F value) {
    return reinterpret_cast<F>(_mm512_abs_ps(reinterpret_cast<__m512>(value)));
  }
  static SKERRY_INLINE F Max(F a, F b) {
    return reinterpret_cast<F>(
        _mm512_max_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
  }
  static SKERRY_INLINE I Round(F value) {
    return reinterpret_cast<I>(_mm512_cvtps_epi32(reinterpret_cast<__m512>(value)));
  }
  static SKERRY_INLINE void StoreBytes(int8_t* at, I value) {
    const __m128i bytes = _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(value));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), bytes);
  }
  static SKERRY_INLINE F MultiplyAdd(F a, F b, F c) {
    return reinterpret_cast<F>(_mm512_fmadd_ps(
        reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
  }
  static SKERRY_INLINE __mmask16 First(int64_t n) { return static_cast<__mmask16>((1U << n) - 1); }
  static SKERRY_INLINE F LoadPart(const float* at, int64_t n) {
    return reinterpret_cast<F>(_mm512_maskz_loadu_ps(First(n), at));
  }
  static SKERRY_INLINE void StorePart(float* at, F value, int64_t n) {
    _mm512_mask_storeu_ps(at, First(n), reinterpret_cast<__m512>(value));
  }

  template <int kBits>
  struct Products {
    __m512i sums;
    SKERRY_INLINE void Start(int32_t correction) { sums = _mm512_set1_epi32(correction); }
    SKERRY_INLINE void Add(U w, U x, int) { sums = _mm512_dpbusd_epi32(sums, Bits(w), Bits(x)); }
    SKERRY_INLINE I Sum() const { return reinterpret_cast<I>(sums); }
  };
};

}  // namespace
}  // namespace skerry::engine::internal

#include "engine/device/cpu/internal/quant_tiles.h"

namespace skerry::engine::internal {

const QuantKernels* Avx512VnniQuantKernels() {
  static constexpr QuantKernels kKernels = {"avx512-vnni", CpuIsa::kAvx512, Isa::kLanes,
                                            FindFormat};
  return &kKernels;
}

}  // namespace skerry::engine::internal

#else

namespace skerry::engine::internal {
const QuantKernels* Avx512VnniQuantKernels() { return nullptr; }
}  // namespace skerry::engine::internal

#endif
