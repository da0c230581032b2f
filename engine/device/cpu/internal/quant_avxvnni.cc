// Quantised products with AVX-VNNI, which processors without AVX-512 have: eight rows to a panel,
// 32 products an instruction. Only functions marked SKERRY_TARGET use these instructions.
#include "engine/device/cpu/quantized.h"

#if defined(__x86_64__)
#define SKERRY_TARGET __attribute__((target("avxvnni,avx2,fma,f16c")))
#define SKERRY_INLINE SKERRY_TARGET inline __attribute__((always_inline))

#include "engine/device/cpu/internal/quant_isa256.h"

namespace skerry::engine::internal {
namespace {

struct Isa : Isa256 {
  static constexpr int kTileX = 6;  // 6 sums, 6 totals, a weight and one of x
  static constexpr bool kSigned = false;

  template <int kBits>
  struct Products {
    __m256i sums;
    SKERRY_INLINE void Start(int32_t correction) { sums = _mm256_set1_epi32(correction); }
    SKERRY_INLINE void Add(U w, U x, int) {
      sums = _mm256_dpbusd_avx_epi32(sums, Bits(w), Bits(x));
    }
    SKERRY_INLINE I Sum() const { return reinterpret_cast<I>(sums); }
  };
};

}  // namespace
}  // namespace skerry::engine::internal

#include "engine/device/cpu/internal/quant_tiles.h"

namespace skerry::engine::internal {

const QuantKernels* AvxVnniQuantKernels() {
  static constexpr QuantKernels kKernels = {"avx-vnni", CpuIsa::kAvx2, Isa::kLanes, FindFormat};
  return &kKernels;
}

}  // namespace skerry::engine::internal

#else

namespace skerry::engine::internal {
const QuantKernels* AvxVnniQuantKernels() { return nullptr; }
}  // namespace skerry::engine::internal

#endif
