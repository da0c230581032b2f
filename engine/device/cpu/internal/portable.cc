// Plain C++, for processors without AVX2 and as the plainest statement of what the others compute.
#include <array>
#include <cmath>
#include <cstring>

#include "engine/device/cpu/kernels.h"
#include "engine/formats/dequantize.h"

namespace skerry::engine::internal {
namespace {

constexpr int kLanes = 8;

// A row of weights read as F32.
template <DType kType>
float At(const void* row, int64_t i) {
  if constexpr (kType == DType::kF32) {
    return static_cast<const float*>(row)[i];
  } else {
    const uint16_t bits = static_cast<const uint16_t*>(row)[i];
    return kType == DType::kF16 ? HalfToFloat(bits) : Bf16ToFloat(bits);
  }
}

template <DType kType>
float DotOf(const void* w, const float* x, int64_t n) {
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) sums[lane] += At<kType>(w, i + lane) * x[i + lane];
  }
  for (int step = kLanes / 2; step > 0; step /= 2) {
    for (int lane = 0; lane < step; ++lane) sums[lane] += sums[lane + step];
  }
  for (; i < n; ++i) sums[0] += At<kType>(w, i) * x[i];
  return sums[0];
}

void Widen(DType dtype, const void* source, int64_t n, float* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, source, n * sizeof(float));
  } else if (dtype == DType::kF16) {
    for (int64_t i = 0; i < n; ++i) out[i] = At<DType::kF16>(source, i);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = At<DType::kBf16>(source, i);
  }
}

void WidenF8(const uint8_t* source, int64_t n, float factor, float* out) {
  static const auto kValues = [] {
    std::array<float, 256> values;
    for (size_t code = 0; code < values.size(); ++code) {
      values[code] = F8E4M3ToFloat(static_cast<uint8_t>(code));
    }
    return values;
  }();
  for (int64_t i = 0; i < n; ++i) out[i] = kValues[source[i]] * factor;
}

void WidenInt8(const int8_t* source, float factor, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(source[i]) * factor;
}

float Dot(const float* a, const float* b, int64_t n) { return DotOf<DType::kF32>(a, b, n); }

template <DType kType>
void MatrixVectorOf(const void* w, int64_t rows, int64_t k, const float* x, float* y) {
  const auto* bytes = static_cast<const uint8_t*>(w);
  const int64_t row_bytes = RowBytes(kType, k);
  for (int64_t j = 0; j < rows; ++j) y[j] = DotOf<kType>(bytes + j * row_bytes, x, k);
}

void MatrixVector(DType dtype, const void* w, int64_t rows, int64_t k, const float* x, float* y) {
  if (dtype == DType::kF32) return MatrixVectorOf<DType::kF32>(w, rows, k, x, y);
  if (dtype == DType::kF16) return MatrixVectorOf<DType::kF16>(w, rows, k, x, y);
  MatrixVectorOf<DType::kBf16>(w, rows, k, x, y);
}

void MatrixPanel(const float* w, int64_t rows, int64_t k, const float* x, int64_t n_x, float* y,
                 int64_t y_stride) {
  for (int64_t i = 0; i < n_x; ++i) {
    for (int64_t j = 0; j < rows; ++j) y[i * y_stride + j] = Dot(w + j * k, x + i * k, k);
  }
}

void MultiplyAdd(float a, const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

float ExpSum(float* x, int64_t n, float shift) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - shift);
    sum += x[i];
  }
  return sum;
}

void SiluMul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

}  // namespace

const CpuKernels* PortableKernels() {
  static constexpr CpuKernels kKernels = {CpuIsa::kPortable, Widen,       WidenF8,   MatrixVector,
                                          nullptr,           MatrixPanel, WidenInt8, Dot,
                                          MultiplyAdd,       ExpSum,      SiluMul};
  return &kKernels;
}

}  // namespace skerry::engine::internal
