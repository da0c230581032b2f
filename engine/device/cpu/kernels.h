// Inner loops of the CPU device, one table for each instruction set. Within a table the
// `matrix_` functions sum in the same order, so a row's result does not depend on how many rows
// there are.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/formats/tensor.h"

namespace skerry::engine {

enum class CpuIsa { kPortable, kAvx2, kAvx512 };
std::string_view CpuIsaName(CpuIsa isa);

// Weight rows in a panel of matrix_panel.
inline constexpr int64_t kPanelRows = 4;
// Columns that share a factor in matrix_vector_f8: whole multiples, or all of a row.
inline constexpr int64_t kF8Columns = 16;

struct CpuKernels {
  CpuIsa isa = CpuIsa::kPortable;

  // out[i] = source[i], exact; of F32, F16 and BF16.
  void (*widen)(DType dtype, const void* source, int64_t n, float* out) = nullptr;
  // out[i] = source[i] * factor, rounded once; of FP8.
  void (*widen_f8)(const uint8_t* source, int64_t n, float factor, float* out) = nullptr;
  // y[j] = w[j] . x for `rows` rows of `w` [rows, k].
  void (*matrix_vector)(DType dtype, const void* w, int64_t rows, int64_t k, const float* x,
                        float* y) = nullptr;
  // y[j] = w[j] . x for FP8 rows [first_row, first_row + rows) of a matrix with factors; `w` is the
  // first of them. Null where widening them first is as good.
  void (*matrix_vector_f8)(const uint8_t* w, const Scales& scales, int64_t first_row, int64_t rows,
                           int64_t k, const float* x, float* y) = nullptr;
  // y[i * y_stride + j] = x[i] . w[j] for x [n_x, k] and 1 to kPanelRows rows of w [rows, k].
  void (*matrix_panel)(const float* w, int64_t rows, int64_t k, const float* x, int64_t n_x,
                       float* y, int64_t y_stride) = nullptr;
  // out[i] = source[i] * factor.
  void (*widen_int8)(const int8_t* source, float factor, int64_t n, float* out) = nullptr;
  float (*dot)(const float* a, const float* b, int64_t n) = nullptr;
  // y += a * x.
  void (*multiply_add)(float a, const float* x, float* y, int64_t n) = nullptr;
  // x[i] = exp(x[i] - shift); returns the sum.
  float (*exp_sum)(float* x, int64_t n, float shift) = nullptr;
  // out = gate * sigmoid(gate) * up; each element's result is independent of n and of its place.
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out) = nullptr;
};

// The best this processor has.
CpuIsa BestCpuIsa();
// The table of `isa`; null when this processor or build lacks it.
const CpuKernels* FindCpuKernels(CpuIsa isa);

namespace internal {
// Null where the build's target has no such instructions.
const CpuKernels* PortableKernels();
const CpuKernels* Avx2Kernels();
const CpuKernels* Avx512Kernels();
}  // namespace internal

}  // namespace skerry::engine
