#include "engine/device/cpu/internal/rowwise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace skerry::engine::internal {
namespace {

// Elements whose sigmoids are taken together, in the first-level cache.
constexpr int64_t kSigmoidBlock = 512;

const float* Floats(const Weight& weight) { return static_cast<const float*>(weight.data); }

struct Sums {
  double total = 0;
  double squares = 0;  // of the differences from the mean
};

// In double and in two passes: the mean of a row may be far larger than its deviation.
Sums SumRow(const float* x, int64_t width) {
  Sums sums;
  for (int64_t i = 0; i < width; ++i) sums.total += x[i];
  const double mean = sums.total / static_cast<double>(width);
  for (int64_t i = 0; i < width; ++i) sums.squares += (x[i] - mean) * (x[i] - mean);
  return sums;
}

// out = value(i) * sigmoid(argument(i)) * factor(i), by the table's vectorised exp.
template <typename Argument, typename Value, typename Factor>
void SigmoidProduct(const CpuKernels& kernels, int64_t begin, int64_t end, const Argument& argument,
                    const Value& value, const Factor& factor, float* out) {
  float exponentials[kSigmoidBlock];
  for (int64_t block = begin; block < end; block += kSigmoidBlock) {
    const int64_t n = std::min(kSigmoidBlock, end - block);
    for (int64_t i = 0; i < n; ++i) exponentials[i] = -argument(block + i);
    kernels.exp_sum(exponentials, n, 0);
    for (int64_t i = 0; i < n; ++i) {
      out[block + i] = value(block + i) / (1.0F + exponentials[i]) * factor(block + i);
    }
  }
}

void GeluTanhMul(const CpuKernels& kernels, const float* g, const float* up, int64_t begin,
                 int64_t end, float* out) {
  constexpr auto kTwice = static_cast<float>(2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
  constexpr float kCubic = 0.044715F;
  SigmoidProduct(
      kernels, begin, end, [&](int64_t i) { return kTwice * (g[i] + kCubic * g[i] * g[i] * g[i]); },
      [&](int64_t i) { return g[i]; }, [&](int64_t i) { return up[i]; }, out);
}

void ClampedSwiGlu(const CpuKernels& kernels, float limit, const float* g, const float* up,
                   int64_t begin, int64_t end, float* out) {
  constexpr float kAlpha = 1.702F;
  SigmoidProduct(
      kernels, begin, end, [&](int64_t i) { return kAlpha * std::min(g[i], limit); },
      [&](int64_t i) { return std::min(g[i], limit); },
      [&](int64_t i) { return std::clamp(up[i], -limit, limit) + 1.0F; }, out);
}

}  // namespace

void RmsNorm(const CpuKernels& kernels, ThreadPool& pool, const float* x, int64_t n_rows,
             const Weight& weight, float eps, float* out) {
  const int64_t width = weight.cols;
  const float* scale = Floats(weight);
  pool.ParallelFor(n_rows, RowGrain(width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* in = x + row * width;
      float* to = out + row * width;
      const float mean = kernels.dot(in, in, width) / static_cast<float>(width);
      const float factor = 1.0F / std::sqrt(mean + eps);
      for (int64_t i = 0; i < width; ++i) to[i] = in[i] * factor * scale[i];
    }
  });
}

void LayerNorm(ThreadPool& pool, const float* x, int64_t n_rows, const Weight& weight,
               const Weight& bias, float eps, float* out) {
  const int64_t width = weight.cols;
  const float* scale = Floats(weight);
  const float* shift = Floats(bias);
  pool.ParallelFor(n_rows, RowGrain(width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* in = x + row * width;
      float* to = out + row * width;
      const Sums sums = SumRow(in, width);
      const auto n = static_cast<double>(width);
      const auto mean = static_cast<float>(sums.total / n);
      const auto factor =
          static_cast<float>(1 / std::sqrt(sums.squares / n + static_cast<double>(eps)));
      for (int64_t i = 0; i < width; ++i) to[i] = (in[i] - mean) * factor * scale[i] + shift[i];
    }
  });
}

void AddRow(ThreadPool& pool, float* x, int64_t n_rows, const Weight& row) {
  const int64_t width = row.cols;
  const float* values = Floats(row);
  pool.ParallelFor(n_rows, RowGrain(width), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      float* to = x + r * width;
      for (int64_t i = 0; i < width; ++i) to[i] += values[i];
    }
  });
}

void GateMul(const CpuKernels& kernels, ThreadPool& pool, Gate gate, float limit, const float* g,
             const float* up, int64_t n, float* out) {
  pool.ParallelFor(n, kElementGrain, [&](int64_t begin, int64_t end, int) {
    switch (gate) {
      case Gate::kSilu:
        return kernels.silu_mul(g + begin, up + begin, end - begin, out + begin);
      case Gate::kGeluTanh:
        return GeluTanhMul(kernels, g, up, begin, end, out);
      case Gate::kClampedSwiGlu:
        return ClampedSwiGlu(kernels, limit, g, up, begin, end, out);
    }
  });
}

void Add(ThreadPool& pool, float* x, const float* y, int64_t n) {
  pool.ParallelFor(n, kElementGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) x[i] += y[i];
  });
}

void Scale(ThreadPool& pool, float* x, int64_t n, float factor) {
  pool.ParallelFor(n, kElementGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) x[i] *= factor;
  });
}

void Gelu(ThreadPool& pool, float* x, int64_t n) {
  constexpr auto kInverseRoot2 = static_cast<float>(1 / std::numbers::sqrt2);
  pool.ParallelFor(n, kElementGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      x[i] = 0.5F * x[i] * (1.0F + std::erf(x[i] * kInverseRoot2));
    }
  });
}

void SoftCapRow(float* x, int64_t n, float cap) {
  for (int64_t i = 0; i < n; ++i) x[i] = cap * std::tanh(x[i] / cap);
}

void SoftCap(ThreadPool& pool, float* x, int64_t n, float cap) {
  pool.ParallelFor(n, kElementGrain, [&](int64_t begin, int64_t end, int) {
    SoftCapRow(x + begin, end - begin, cap);
  });
}

}  // namespace skerry::engine::internal
