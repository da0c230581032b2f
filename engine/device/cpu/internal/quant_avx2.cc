// Quantised products with AVX2 and FMA: eight rows to a panel. Only functions marked SKERRY_TARGET
// use these instructions.
#include "engine/device/cpu/quantized.h"

#if defined(__x86_64__)
#define SKERRY_TARGET __attribute__((target("avx2,fma,f16c")))
#define SKERRY_INLINE SKERRY_TARGET inline __attribute__((always_inline))

#include "engine/device/cpu/internal/quant_isa256.h"

namespace skerry::engine::internal {
namespace {

struct Isa : Isa256 {
  static constexpr int kTileX = 4;  // 4 sums of 16 bits, 4 of 32, 4 totals, a weight and one of x
  static constexpr bool kSigned = true;

  // Pairs of products are sums of 16 bits. They are widened at the end of a group, and before where
  // one more could overflow: products are at most (2^kBits - 1) * 127.
  template <int kBits>
  struct Products {
    static constexpr int kFitting = 32767 / (2 * 127 * ((1 << kBits) - 1));
    static constexpr int kSafe = kFitting < 4 ? kFitting : 4;
    __m256i sums;
    __m256i pairs;
    SKERRY_INLINE void Start(int32_t correction) {
      sums = _mm256_set1_epi32(correction);
      pairs = _mm256_setzero_si256();
    }
    SKERRY_INLINE void Add(U w, U x, int step) {
      pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(Bits(w), Bits(x)));
      if ((step + 1) % kSafe != 0) return;
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
      pairs = _mm256_setzero_si256();
    }
    SKERRY_INLINE I Sum() const { return reinterpret_cast<I>(sums); }
  };
};

// Signed bytes of full range: the product's sign goes to x. 128 * 127 * 2 still fits 16 bits.
template <>
struct Isa::Products<8> {
  __m256i sums;
  SKERRY_INLINE void Start(int32_t correction) { sums = _mm256_set1_epi32(correction); }
  SKERRY_INLINE void Add(U w, U x, int) {
    const __m256i pairs =
        _mm256_maddubs_epi16(_mm256_abs_epi8(Bits(w)), _mm256_sign_epi8(Bits(x), Bits(w)));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  SKERRY_INLINE I Sum() const { return reinterpret_cast<I>(sums); }
};

}  // namespace
}  // namespace skerry::engine::internal

#include "engine/device/cpu/internal/quant_tiles.h"

namespace skerry::engine::internal {

const QuantKernels* Avx2QuantKernels() {
  static constexpr QuantKernels kKernels = {"avx2", CpuIsa::kAvx2, Isa::kLanes, FindFormat};
  return &kKernels;
}

}  // namespace skerry::engine::internal

#else

namespace skerry::engine::internal {
const QuantKernels* Avx2QuantKernels() { return nullptr; }
}  // namespace skerry::engine::internal

#endif
