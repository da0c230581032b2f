// What AVX2 and AVX-VNNI have in common as an `Isa` (see quant_formats.h and quant_tiles.h): eight
// rows to a panel. Included after SKERRY_TARGET and SKERRY_INLINE are defined.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace skerry::engine::internal {
namespace {

struct Isa256 {
  typedef uint32_t U __attribute__((vector_size(32)));
  typedef int32_t I __attribute__((vector_size(32)));
  typedef float F __attribute__((vector_size(32)));
  static constexpr int kLanes = 8;

  static SKERRY_INLINE __m256i Bits(U value) { return reinterpret_cast<__m256i>(value); }

  static SKERRY_INLINE uint32_t LoadOne(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  static SKERRY_INLINE U Load(const uint8_t* at, int64_t stride) {
    U out;
    for (int row = 0; row < kLanes; ++row) out[row] = LoadOne(at + row * stride);
    return out;
  }

  static SKERRY_INLINE __m128i Load16(const uint8_t* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  }
  // Sixteen bytes of rows j and j + 4, for a 4 x 4 transposition within each lane of 128 bits.
  static SKERRY_INLINE __m256i LoadRows(const uint8_t* at, int64_t stride) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(Load16(at)), Load16(at + 4 * stride), 1);
  }
  static SKERRY_INLINE void Load4(const uint8_t* at, int64_t stride, U (&out)[4]) {
    const __m256i a = LoadRows(at, stride);
    const __m256i b = LoadRows(at + stride, stride);
    const __m256i c = LoadRows(at + 2 * stride, stride);
    const __m256i d = LoadRows(at + 3 * stride, stride);
    const __m256i ab_low = _mm256_unpacklo_epi32(a, b);
    const __m256i ab_high = _mm256_unpackhi_epi32(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi32(c, d);
    const __m256i cd_high = _mm256_unpackhi_epi32(c, d);
    out[0] = reinterpret_cast<U>(_mm256_unpacklo_epi64(ab_low, cd_low));
    out[1] = reinterpret_cast<U>(_mm256_unpackhi_epi64(ab_low, cd_low));
    out[2] = reinterpret_cast<U>(_mm256_unpacklo_epi64(ab_high, cd_high));
    out[3] = reinterpret_cast<U>(_mm256_unpackhi_epi64(ab_high, cd_high));
  }

  static SKERRY_INLINE F Half(U value) {
    const __m256i low = _mm256_and_si256(Bits(value), _mm256_set1_epi32(0xffff));
    const __m256i packed = _mm256_packus_epi32(low, low);  // within each lane of 128 bits
    const __m256i ordered = _mm256_permute4x64_epi64(packed, 0x08);
    return reinterpret_cast<F>(_mm256_cvtph_ps(_mm256_castsi256_si128(ordered)));
  }
  static SKERRY_INLINE U Lookup(const uint8_t* table, U index) {
    const __m256i bytes = _mm256_broadcastsi128_si256(Load16(table));
    return reinterpret_cast<U>(_mm256_shuffle_epi8(bytes, Bits(index)));
  }

  static SKERRY_INLINE U Splat(uint32_t value) {
    return reinterpret_cast<U>(_mm256_set1_epi32(static_cast<int>(value)));
  }
  static SKERRY_INLINE F Splat(float value) { return reinterpret_cast<F>(_mm256_set1_ps(value)); }
  static SKERRY_INLINE F Abs(F value) {
    return reinterpret_cast<F>(reinterpret_cast<U>(value) & 0x7fffffffU);
  }
  static SKERRY_INLINE F Max(F a, F b) {
    return reinterpret_cast<F>(
        _mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
  }
  static SKERRY_INLINE I Round(F value) {
    return reinterpret_cast<I>(_mm256_cvtps_epi32(reinterpret_cast<__m256>(value)));
  }
  static SKERRY_INLINE void StoreBytes(int8_t* at, I value) {
    const auto all = reinterpret_cast<__m256i>(value);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), _mm_packs_epi16(words, words));
  }
  static SKERRY_INLINE F MultiplyAdd(F a, F b, F c) {
    return reinterpret_cast<F>(_mm256_fmadd_ps(
        reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
  }
  static SKERRY_INLINE F LoadPart(const float* at, int64_t n) {
    F value = {};
    if (n == kLanes) return reinterpret_cast<F>(_mm256_loadu_ps(at));
    std::memcpy(&value, at, n * sizeof(float));
    return value;
  }
  static SKERRY_INLINE void StorePart(float* at, F value, int64_t n) {
    if (n == kLanes) return _mm256_storeu_ps(at, reinterpret_cast<__m256>(value));
    std::memcpy(at, &value, n * sizeof(float));
  }
};

}  // namespace
}  // namespace skerry::engine::internal
