// Products of a matrix of any stored type with rows of F32, and the matrix's rows as F32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/device/cpu/kernels.h"
#include "engine/device/cpu/quantized.h"
#include "engine/device/cpu/thread_pool.h"
#include "engine/device/device.h"

namespace skerry::engine {

// Memory that grows and keeps its alignment of 64 bytes; contents are lost when it grows.
class AlignedBytes {
 public:
  // At least `n` bytes.
  uint8_t* Reserve(size_t n);

 private:
  struct Free {
    void operator()(uint8_t* bytes) const;
  };
  std::unique_ptr<uint8_t[], Free> bytes_;
  size_t capacity_ = 0;
};

// One thread at a time; works on all threads of the pool. A row of y does not depend on the other
// rows of x nor on the number of threads, bit for bit.
class MatMuls {
 public:
  MatMuls(const CpuKernels& kernels, ThreadPool& pool);

  // y[n_rows, weight.rows] = x[n_rows, weight.cols] * weight^T.
  void Multiply(const Weight& weight, const float* x, int64_t n_rows, float* y);

  // Rows [first, first + n) of the matrix, exact as ToFloats.
  void Widen(const Weight& weight, int64_t first, int64_t n, float* out) const;

 private:
  struct Quantized;  // a product under way

  // Whether rows of FP8 need not be widened for one row of x.
  bool HasVectorF8(const Weight& weight) const;
  void MultiplyPanels(const Weight& weight, const float* x, int64_t n_rows, float* y,
                      int64_t first_panel, int64_t end_panel, int thread);
  void MultiplyQuantized(const QuantFormat& format, const Weight& weight, const float* x,
                         int64_t n_rows, float* y);
  void RunPanels(const Quantized& work, int64_t first_panel, int n_panels, int thread);

  const CpuKernels& kernels_;
  const QuantKernels& quant_;
  ThreadPool& pool_;
  std::vector<AlignedBytes> scratch_;  // by thread
  AlignedBytes values_;                // of x
  AlignedBytes groups_;
};

}  // namespace skerry::engine
