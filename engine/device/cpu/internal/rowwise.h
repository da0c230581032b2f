// Ops that treat rows or elements one by one. Each as Device's of the same name; every element's
// result is independent of its place and of the number of rows.
#pragma once

#include <cstdint>

#include "engine/device/cpu/kernels.h"
#include "engine/device/cpu/thread_pool.h"
#include "engine/device/device.h"

namespace skerry::engine::internal {

// Elements, and rows of `width` elements, of one task.
inline constexpr int64_t kElementGrain = 16 << 10;
inline int64_t RowGrain(int64_t width) {
  return width >= kElementGrain ? 1 : kElementGrain / width;
}

void RmsNorm(const CpuKernels& kernels, ThreadPool& pool, const float* x, int64_t n_rows,
             const Weight& weight, float eps, float* out);
void LayerNorm(ThreadPool& pool, const float* x, int64_t n_rows, const Weight& weight,
               const Weight& bias, float eps, float* out);
void AddRow(ThreadPool& pool, float* x, int64_t n_rows, const Weight& row);
void GateMul(const CpuKernels& kernels, ThreadPool& pool, Gate gate, float limit, const float* g,
             const float* up, int64_t n, float* out);
void Add(ThreadPool& pool, float* x, const float* y, int64_t n);
void Scale(ThreadPool& pool, float* x, int64_t n, float factor);
void Gelu(ThreadPool& pool, float* x, int64_t n);
void SoftCap(ThreadPool& pool, float* x, int64_t n, float cap);
// One thread's part of it.
void SoftCapRow(float* x, int64_t n, float cap);

}  // namespace skerry::engine::internal
