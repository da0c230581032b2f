// AVX2, FMA and F16C: eight lanes. Only functions marked SKERRY_TARGET use these instructions, so
// the file is compiled for the base processor and is called where cpuid allows it.
#include "engine/device/cpu/kernels.h"
#include "engine/formats/dequantize.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#define SKERRY_TARGET __attribute__((target("avx2,fma,f16c")))
#define SKERRY_INLINE SKERRY_TARGET inline __attribute__((always_inline))

namespace skerry::engine::internal {
namespace {

constexpr int64_t kLanes = 8;
static_assert(kF8Columns % kLanes == 0);
constexpr int64_t kTileX = 3;  // with kPanelRows: 12 sums, 3 inputs and 1 weight in 16 registers

template <DType kType>
SKERRY_INLINE __m256 Load(const void* row, int64_t i) {
  if constexpr (kType == DType::kF32) {
    return _mm256_loadu_ps(static_cast<const float*>(row) + i);
  } else {
    const auto* at = reinterpret_cast<const __m128i*>(static_cast<const uint16_t*>(row) + i);
    const __m128i bits = _mm_loadu_si128(at);
    if constexpr (kType == DType::kF16) return _mm256_cvtph_ps(bits);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
}

template <DType kType>
SKERRY_INLINE float LoadOne(const void* row, int64_t i) {
  if constexpr (kType == DType::kF32) return static_cast<const float*>(row)[i];
  const uint16_t bits = static_cast<const uint16_t*>(row)[i];
  if constexpr (kType == DType::kF16) return _cvtsh_ss(bits);
  return Bf16ToFloat(bits);
}

SKERRY_INLINE float Fold(__m256 v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

SKERRY_INLINE float FusedMultiplyAdd(float a, float b, float c) {
  return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}

template <DType kType>
SKERRY_TARGET void WidenOf(const void* source, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) _mm256_storeu_ps(out + i, Load<kType>(source, i));
  for (; i < n; ++i) out[i] = LoadOne<kType>(source, i);
}

void Widen(DType dtype, const void* source, int64_t n, float* out) {
  if (dtype == DType::kF32) return WidenOf<DType::kF32>(source, n, out);
  if (dtype == DType::kF16) return WidenOf<DType::kF16>(source, n, out);
  WidenOf<DType::kBf16>(source, n, out);
}

// Eight codes of FP8. Their fields are those of half precision seven bits further right, and the
// exponent counts from 7 instead of 15: what is missing is 2^8.
SKERRY_INLINE __m256 LoadF8(const uint8_t* at) {
  const __m128i codes = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
  __m128i half = _mm_and_si128(_mm_slli_epi16(codes, 7), _mm_set1_epi16(~0x4000));
  // All bits set is no number there, but the quiet one here: 0x7e00.
  const __m128i magnitude = _mm_and_si128(half, _mm_set1_epi16(0x7fff));
  const __m128i nan = _mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x3f80));
  half = _mm_add_epi16(half, _mm_and_si128(nan, _mm_set1_epi16(0x7e00 - 0x3f80)));
  return _mm256_mul_ps(_mm256_cvtph_ps(half), _mm256_set1_ps(256.0F));
}

SKERRY_TARGET void WidenF8(const uint8_t* source, int64_t n, float factor, float* out) {
  const __m256 factors = _mm256_set1_ps(factor);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    _mm256_storeu_ps(out + i, _mm256_mul_ps(LoadF8(source + i), factors));
  }
  for (; i < n; ++i) out[i] = F8E4M3ToFloat(source[i]) * factor;
}

SKERRY_TARGET void WidenInt8(const int8_t* source, float factor, int64_t n, float* out) {
  const __m256 factors = _mm256_set1_ps(factor);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(source + i));
    const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    _mm256_storeu_ps(out + i, _mm256_mul_ps(values, factors));
  }
  for (; i < n; ++i) out[i] = static_cast<float>(source[i]) * factor;
}

// kX rows of x against kW rows of w.
template <DType kType, int kX, int kW>
SKERRY_TARGET void Tile(const void* w, int64_t k, const float* x, float* y, int64_t y_stride) {
  const auto* w_bytes = static_cast<const uint8_t*>(w);
  const int64_t row_bytes = k * (kType == DType::kF32 ? 4 : 2);
  __m256 sums[kX][kW];
#pragma GCC unroll 4
  for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kW; ++j) sums[i][j] = _mm256_setzero_ps();
  }
  int64_t c = 0;
  for (; c + kLanes <= k; c += kLanes) {
    __m256 xs[kX];
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) xs[i] = _mm256_loadu_ps(x + i * k + c);
#pragma GCC unroll 4
    for (int j = 0; j < kW; ++j) {
      const __m256 ws = Load<kType>(w_bytes + j * row_bytes, c);
#pragma GCC unroll 4
      for (int i = 0; i < kX; ++i) sums[i][j] = _mm256_fmadd_ps(ws, xs[i], sums[i][j]);
    }
  }
#pragma GCC unroll 4
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
  __m256 sums[kW];
#pragma GCC unroll 4
  for (int j = 0; j < kW; ++j) {
    factors[j] = scales.Row(first_row + j, k);
    sums[j] = _mm256_setzero_ps();
  }
  int64_t c = 0;
  for (int64_t tile = 0; c + kLanes <= k; ++tile) {
    const int64_t end = std::min(k, c + scales.block_cols);
    __m256 factor[kW];
#pragma GCC unroll 4
    for (int j = 0; j < kW; ++j) factor[j] = _mm256_set1_ps(factors[j][tile]);
    for (; c + kLanes <= end; c += kLanes) {
      const __m256 xs = _mm256_loadu_ps(x + c);
#pragma GCC unroll 4
      for (int j = 0; j < kW; ++j) {
        const __m256 ws = _mm256_mul_ps(LoadF8(w + j * k + c), factor[j]);
        sums[j] = _mm256_fmadd_ps(ws, xs, sums[j]);
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

float Dot(const float* a, const float* b, int64_t n) {
  float sum;
  Tile<DType::kF32, 1, 1>(a, n, b, &sum, 0);
  return sum;
}

SKERRY_TARGET void MultiplyAdd(float a, const float* x, float* y, int64_t n) {
  const __m256 factor = _mm256_set1_ps(a);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const __m256 sum = _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i));
    _mm256_storeu_ps(y + i, sum);
  }
  for (; i < n; ++i) y[i] = FusedMultiplyAdd(a, x[i], y[i]);
}

// exp as 2^n * e^r with |r| <= ln(2)/2 and a polynomial for e^r: coefficients of Cephes' expf
// (S. Moshier), within 2 units in the last place. Below -87.3 the result is 0, above 88 it is
// exp(88).
SKERRY_INLINE __m256 Exp(__m256 x) {
  const __m256 underflow = _mm256_cmp_ps(x, _mm256_set1_ps(-87.3F), _CMP_LT_OQ);
  const __m256 nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
  const __m256 input = x;
  x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-87.3F)), _mm256_set1_ps(88.0F));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504F)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375F), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4F), r);
  __m256 p = _mm256_set1_ps(1.9875691500e-4F);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1F));
  p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0F));
  const __m256i exponent =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  p = _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
  return _mm256_blendv_ps(_mm256_andnot_ps(underflow, p), input, nan);
}

// The last n < 8 elements go through the same instructions as the others.
struct Tail {
  alignas(32) float values[kLanes] = {};
  Tail(const float* source, int64_t n) { std::memcpy(values, source, n * sizeof(float)); }
};

SKERRY_TARGET float ExpSum(float* x, int64_t n, float shift) {
  const __m256 shifts = _mm256_set1_ps(shift);
  __m256 sums = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const __m256 e = Exp(_mm256_sub_ps(_mm256_loadu_ps(x + i), shifts));
    _mm256_storeu_ps(x + i, e);
    sums = _mm256_add_ps(sums, e);
  }
  float sum = Fold(sums);
  if (i == n) return sum;
  Tail tail(x + i, n - i);
  _mm256_store_ps(tail.values, Exp(_mm256_sub_ps(_mm256_load_ps(tail.values), shifts)));
  for (int64_t t = 0; i + t < n; ++t) {
    x[i + t] = tail.values[t];
    sum += tail.values[t];
  }
  return sum;
}

SKERRY_INLINE __m256 SiluTimes(__m256 gate, __m256 up) {
  const __m256 one = _mm256_set1_ps(1.0F);
  const __m256 e = Exp(_mm256_sub_ps(_mm256_setzero_ps(), gate));
  return _mm256_mul_ps(_mm256_div_ps(gate, _mm256_add_ps(one, e)), up);
}

SKERRY_TARGET void SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    _mm256_storeu_ps(out + i, SiluTimes(_mm256_loadu_ps(gate + i), _mm256_loadu_ps(up + i)));
  }
  if (i == n) return;
  Tail gates(gate + i, n - i);
  const Tail ups(up + i, n - i);
  _mm256_store_ps(gates.values,
                  SiluTimes(_mm256_load_ps(gates.values), _mm256_load_ps(ups.values)));
  std::memcpy(out + i, gates.values, (n - i) * sizeof(float));
}

}  // namespace

const CpuKernels* Avx2Kernels() {
  static constexpr CpuKernels kKernels = {CpuIsa::kAvx2,  Widen,       WidenF8,   MatrixVector,
                                          MatrixVectorF8, MatrixPanel, WidenInt8, Dot,
                                          MultiplyAdd,    ExpSum,      SiluMul};
  return &kKernels;
}

}  // namespace skerry::engine::internal

#else

namespace skerry::engine::internal {
const CpuKernels* Avx2Kernels() { return nullptr; }
}  // namespace skerry::engine::internal

#endif
