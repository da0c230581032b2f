// AVX-512: sixteen lanes for the matrix loops; everything else is AVX2's. Only functions marked
// SKERRY_TARGET use these instructions.
#include "engine/device/cpu/kernels.h"
#include "engine/formats/dequantize.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own intrinsics start from a deliberately undefined register and warn about it (GCC bug
// 105593); to be removed with GCC 13.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <algorithm>

#define SKERRY_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx2,fma,f16c")))
#define SKERRY_INLINE SKERRY_TARGET inline __attribute__((always_inline))

namespace skerry::engine::internal {
namespace {

constexpr int64_t kLanes = 16;
static_assert(kF8Columns % kLanes == 0);
constexpr int64_t kTileX = 6;  // with kPanelRows: 24 sums, 6 inputs and 1 weight in 32 registers

template <DType kType>
SKERRY_INLINE __m512 Load(const void* row, int64_t i) {
  if constexpr (kType == DType::kF32) {
    return _mm512_loadu_ps(static_cast<const float*>(row) + i);
  } else {
    const auto* at = reinterpret_cast<const __m256i*>(static_cast<const uint16_t*>(row) + i);
    const __m256i bits = _mm256_loadu_si256(at);
    if constexpr (kType == DType::kF16) return _mm512_cvtph_ps(bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
}

template <DType kType>
SKERRY_INLINE float LoadOne(const void* row, int64_t i) {
  if constexpr (kType == DType::kF32) return static_cast<const float*>(row)[i];
  const uint16_t bits = static_cast<const uint16_t*>(row)[i];
  if constexpr (kType == DType::kF16) return _cvtsh_ss(bits);
  return Bf16ToFloat(bits);
}

SKERRY_INLINE float Fold(__m512 v) {
  const __m256 half = _mm256_add_ps(
      _mm512_castps512_ps256(v), _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1)));
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

SKERRY_INLINE float FusedMultiplyAdd(float a, float b, float c) {
  return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}

// Sixteen codes of FP8, as AVX2's.
SKERRY_INLINE __m512 LoadF8(const uint8_t* at) {
  const __m256i codes = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  __m256i half = _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(~0x4000));
  const __m256i magnitude = _mm256_and_si256(half, _mm256_set1_epi16(0x7fff));
  const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x3f80));
  half = _mm256_mask_add_epi16(half, nan, half, _mm256_set1_epi16(0x7e00 - 0x3f80));
  return _mm512_mul_ps(_mm512_cvtph_ps(half), _mm512_set1_ps(256.0F));
}

SKERRY_TARGET void WidenF8(const uint8_t* source, int64_t n, float factor, float* out) {
  const __m512 factors = _mm512_set1_ps(factor);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    _mm512_storeu_ps(out + i, _mm512_mul_ps(LoadF8(source + i), factors));
  }
  for (; i < n; ++i) out[i] = F8E4M3ToFloat(source[i]) * factor;
}

// kX rows of x against kW rows of w.
template <DType kType, int kX, int kW>
SKERRY_TARGET void Tile(const void* w, int64_t k, const float* x, float* y, int64_t y_stride) {
  const auto* w_bytes = static_cast<const uint8_t*>(w);
  const int64_t row_bytes = k * (kType == DType::kF32 ? 4 : 2);
  __m512 sums[kX][kW];
#pragma GCC unroll 8
  for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kW; ++j) sums[i][j] = _mm512_setzero_ps();
  }
  int64_t c = 0;
  for (; c + kLanes <= k; c += kLanes) {
    __m512 xs[kX];
#pragma GCC unroll 8
    for (int i = 0; i < kX; ++i) xs[i] = _mm512_loadu_ps(x + i * k + c);
#pragma GCC unroll 4
    for (int j = 0; j < kW; ++j) {
      const __m512 ws = Load<kType>(w_bytes + j * row_bytes, c);
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) sums[i][j] = _mm512_fmadd_ps(ws, xs[i], sums[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kW; ++j) {
      float sum = Fold(sums[i][j]);
      for (int64_t t = c; t < k; ++t) {
        sum = FusedMultiplyAdd(LoadOne<kType>(w_bytes + j * row_bytes, t), x[i * k + t], sum);
      }
      y[i * y_stride + j] = sum;
    }
  }
}

template <DType kType>
void MatrixVectorOf(const void* w, int64_t rows, int64_t k, const float* x, float* y) {
  const auto* bytes = static_cast<const uint8_t*>(w);
  const int64_t row_bytes = k * (kType == DType::kF32 ? 4 : 2);
  int64_t j = 0;
  for (; j + 4 <= rows; j += 4) Tile<kType, 1, 4>(bytes + j * row_bytes, k, x, y + j, 0);
  for (; j < rows; ++j) Tile<kType, 1, 1>(bytes + j * row_bytes, k, x, y + j, 0);
}

void MatrixVector(DType dtype, const void* w, int64_t rows, int64_t k, const float* x, float* y) {
  if (dtype == DType::kF32) return MatrixVectorOf<DType::kF32>(w, rows, k, x, y);
  if (dtype == DType::kF16) return MatrixVectorOf<DType::kF16>(w, rows, k, x, y);
  MatrixVectorOf<DType::kBf16>(w, rows, k, x, y);
}

// kW rows of FP8 against one row of x. A factor holds for `block_cols` columns.
template <int kW>
SKERRY_TARGET void TileF8(const uint8_t* w, int64_t k, const Scales& scales, int64_t first_row,
                          const float* x, float* y) {
  const float* factors[kW];
  __m512 sums[kW];
#pragma GCC unroll 4
  for (int j = 0; j < kW; ++j) {
    factors[j] = scales.Row(first_row + j, k);
    sums[j] = _mm512_setzero_ps();
  }
  int64_t c = 0;
  for (int64_t tile = 0; c + kLanes <= k; ++tile) {
    const int64_t end = std::min(k, c + scales.block_cols);
    __m512 factor[kW];
#pragma GCC unroll 4
    for (int j = 0; j < kW; ++j) factor[j] = _mm512_set1_ps(factors[j][tile]);
    for (; c + kLanes <= end; c += kLanes) {
      const __m512 xs = _mm512_loadu_ps(x + c);
#pragma GCC unroll 4
      for (int j = 0; j < kW; ++j) {
        const __m512 ws = _mm512_mul_ps(LoadF8(w + j * k + c), factor[j]);
        sums[j] = _mm512_fmadd_ps(ws, xs, sums[j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < kW; ++j) {
    float sum = Fold(sums[j]);
    for (int64_t t = c; t < k; ++t) {
      const float value = F8E4M3ToFloat(w[j * k + t]) * factors[j][t / scales.block_cols];
      sum = FusedMultiplyAdd(value, x[t], sum);
    }
    y[j] = sum;
  }
}

void MatrixVectorF8(const uint8_t* w, const Scales& scales, int64_t first_row, int64_t rows,
                    int64_t k, const float* x, float* y) {
  int64_t j = 0;
  for (; j + 4 <= rows; j += 4) TileF8<4>(w + j * k, k, scales, first_row + j, x, y + j);
  for (; j < rows; ++j) TileF8<1>(w + j * k, k, scales, first_row + j, x, y + j);
}

template <int kW>
void PanelOf(const float* w, int64_t k, const float* x, int64_t n_x, float* y, int64_t y_stride) {
  int64_t i = 0;
  for (; i + kTileX <= n_x; i += kTileX) {
    Tile<DType::kF32, kTileX, kW>(w, k, x + i * k, y + i * y_stride, y_stride);
  }
  for (; i < n_x; ++i) Tile<DType::kF32, 1, kW>(w, k, x + i * k, y + i * y_stride, y_stride);
}

void MatrixPanel(const float* w, int64_t rows, int64_t k, const float* x, int64_t n_x, float* y,
                 int64_t y_stride) {
  if (rows == kPanelRows) return PanelOf<kPanelRows>(w, k, x, n_x, y, y_stride);
  for (int64_t j = 0; j < rows; ++j) PanelOf<1>(w + j * k, k, x, n_x, y + j, y_stride);
}

constexpr CpuKernels Make(const CpuKernels& avx2) {
  CpuKernels kernels = avx2;
  kernels.isa = CpuIsa::kAvx512;
  kernels.widen_f8 = WidenF8;
  kernels.matrix_vector = MatrixVector;
  kernels.matrix_vector_f8 = MatrixVectorF8;
  kernels.matrix_panel = MatrixPanel;
  return kernels;
}

}  // namespace

const CpuKernels* Avx512Kernels() {
  static const CpuKernels kKernels = Make(*Avx2Kernels());
  return &kKernels;
}

}  // namespace skerry::engine::internal

#else

namespace skerry::engine::internal {
const CpuKernels* Avx512Kernels() { return nullptr; }
}  // namespace skerry::engine::internal

#endif
