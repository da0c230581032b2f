#include "engine/device/cpu/kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "engine/formats/dequantize.h"

namespace skerry::engine {
namespace {

std::vector<const CpuKernels*> AllKernels() {
  std::vector<const CpuKernels*> all;
  for (const CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512}) {
    if (const CpuKernels* kernels = FindCpuKernels(isa)) all.push_back(kernels);
  }
  return all;
}

std::vector<float> Random(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n);
  for (float& value : out) value = normal(random);
  return out;
}

// Bytes of `n` random finite elements of a type.
std::vector<uint8_t> RandomBytes(DType dtype, size_t n, uint32_t seed) {
  const std::vector<float> values = Random(n, seed);
  std::vector<uint8_t> bytes(RowBytes(dtype, static_cast<int64_t>(n)));
  for (size_t i = 0; i < n; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[i]);
    uint16_t half = static_cast<uint16_t>(bits >> 16);  // of BF16
    if (dtype == DType::kF32) {
      std::memcpy(&bytes[4 * i], &bits, 4);
      continue;
    }
    if (dtype == DType::kF16)
      half = static_cast<uint16_t>(bits >> 16 & 0x8000) | (bits >> 9 & 0x3fff);
    std::memcpy(&bytes[2 * i], &half, 2);
  }
  return bytes;
}

constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBf16};
constexpr int64_t kLengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 64, 100, 255};

TEST(KernelsTest, BestIsaHasKernels) {
  ASSERT_NE(FindCpuKernels(BestCpuIsa()), nullptr);
  EXPECT_EQ(FindCpuKernels(BestCpuIsa())->isa, BestCpuIsa());
  EXPECT_NE(FindCpuKernels(CpuIsa::kPortable), nullptr);
}

// Against double sums; and, bit for bit, a panel of weights gives each row what it gets alone.
TEST(KernelsTest, MatricesOfOddShapes) {
  for (const CpuKernels* kernels : AllKernels()) {
    for (const DType dtype : kFloats) {
      for (const int64_t k : kLengths) {
        for (const int64_t rows : {1, 2, 3, 4}) {
          SCOPED_TRACE(std::string(CpuIsaName(kernels->isa)) + " " + std::string(DTypeName(dtype)) +
                       " k=" + std::to_string(k) + " rows=" + std::to_string(rows));
          constexpr int64_t kInputs = 11;
          const std::vector<uint8_t> w = RandomBytes(dtype, rows * k, 1);
          const std::vector<float> x = Random(kInputs * k, 2);
          std::vector<float> wide(rows * k);
          kernels->widen(dtype, w.data(), rows * k, wide.data());
          const Tensor tensor{dtype, {rows, k}, w, nullptr};
          EXPECT_EQ(wide, ToFloats(tensor));
          const int64_t stride = rows + 3;
          std::vector<float> panel(kInputs * stride, -1.0F);
          kernels->matrix_panel(wide.data(), rows, k, x.data(), kInputs, panel.data(), stride);
          for (int64_t i = 0; i < kInputs; ++i) {
            std::vector<float> alone(rows);
            kernels->matrix_vector(dtype, w.data(), rows, k, x.data() + i * k, alone.data());
            for (int64_t j = 0; j < rows; ++j) {
              double expected = 0;
              double magnitude = 0;
              for (int64_t c = 0; c < k; ++c) {
                const double product = static_cast<double>(wide[j * k + c]) * x[i * k + c];
                expected += product;
                magnitude += std::abs(product);
              }
              EXPECT_NEAR(alone[j], expected, 1e-6 * magnitude);
              EXPECT_EQ(std::bit_cast<uint32_t>(alone[j]),
                        std::bit_cast<uint32_t>(panel[i * stride + j]));
            }
            EXPECT_EQ(panel[i * stride + rows], -1.0F) << "wrote beyond its columns";
          }
        }
      }
    }
  }
}

// All codes, at every place of a vector and in the tail, times factors of every size: bit for bit
// the reference's value, rounded once.
TEST(KernelsTest, EveryCodeOfF8) {
  std::vector<uint8_t> codes(256 + 31);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  for (const CpuKernels* kernels : AllKernels()) {
    for (const float factor : {1.0F, 0.0123F, -3.0F, 0x1p-140F, 0x1.8p126F}) {
      for (const size_t begin : {0, 1, 9, 31}) {
        std::vector<float> wide(256);
        kernels->widen_f8(codes.data() + begin, 256, factor, wide.data());
        for (size_t i = 0; i < wide.size(); ++i) {
          const float expected = F8E4M3ToFloat(codes[begin + i]) * factor;
          EXPECT_EQ(std::bit_cast<uint32_t>(wide[i]), std::bit_cast<uint32_t>(expected))
              << CpuIsaName(kernels->isa) << " code " << int{codes[begin + i]} << " * " << factor;
        }
      }
    }
  }
}

TEST(KernelsTest, VectorsOfOddLengths) {
  for (const CpuKernels* kernels : AllKernels()) {
    for (const int64_t n : kLengths) {
      SCOPED_TRACE(std::string(CpuIsaName(kernels->isa)) + " n=" + std::to_string(n));
      const std::vector<float> a = Random(n, 3);
      const std::vector<float> b = Random(n, 4);
      double dot = 0;
      for (int64_t i = 0; i < n; ++i) dot += static_cast<double>(a[i]) * b[i];
      EXPECT_NEAR(kernels->dot(a.data(), b.data(), n), dot, 1e-5 * n);

      std::vector<float> sum = b;
      kernels->multiply_add(0.75F, a.data(), sum.data(), n);
      for (int64_t i = 0; i < n; ++i) EXPECT_NEAR(sum[i], b[i] + 0.75 * a[i], 1e-6);

      std::vector<float> exps = a;
      double total = 0;
      const float returned = kernels->exp_sum(exps.data(), n, 2.5F);
      for (int64_t i = 0; i < n; ++i) {
        const double expected = std::exp(static_cast<double>(a[i]) - 2.5);
        EXPECT_NEAR(exps[i], expected, 4e-7 * expected);
        total += expected;
      }
      EXPECT_NEAR(returned, total, 1e-6 * total);

      std::vector<float> out(n);
      kernels->silu_mul(a.data(), b.data(), n, out.data());
      for (int64_t i = 0; i < n; ++i) {
        const double expected = a[i] / (1 + std::exp(-static_cast<double>(a[i]))) * b[i];
        EXPECT_NEAR(out[i], expected, 1e-6 * (1 + std::abs(expected)));
      }
    }
  }
}

// An element's place in the vector must not change its value: batches shift rows around.
TEST(KernelsTest, SiluIsTheSameInEveryPlace) {
  const std::vector<float> gate = Random(64, 5);
  const std::vector<float> up = Random(64, 6);
  for (const CpuKernels* kernels : AllKernels()) {
    std::vector<float> all(64);
    kernels->silu_mul(gate.data(), up.data(), 64, all.data());
    for (int64_t begin = 0; begin < 64; ++begin) {
      std::vector<float> part(64 - begin);
      kernels->silu_mul(gate.data() + begin, up.data() + begin, 64 - begin, part.data());
      EXPECT_EQ(part, std::vector<float>(all.begin() + begin, all.end()));
    }
  }
}

TEST(KernelsTest, ExtremeExponents) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const CpuKernels* kernels : AllKernels()) {
    std::vector<float> x = {0.0F, -kInf, -1000.0F, -87.0F, -100.0F, 0.0F, 0.0F, 0.0F, -kInf};
    const float sum = kernels->exp_sum(x.data(), 9, 0.0F);
    EXPECT_EQ(x[0], 1.0F);
    EXPECT_EQ(x[1], 0.0F);
    EXPECT_EQ(x[2], 0.0F);
    EXPECT_NEAR(x[3], std::exp(-87.0), 1e-43);
    EXPECT_LT(x[4], 1e-37F);
    EXPECT_EQ(x[8], 0.0F);
    EXPECT_FLOAT_EQ(sum, 4.0F);
    const std::vector<float> gate = {200.0F, -200.0F, 0.0F};
    const std::vector<float> up = {1.0F, 1.0F, 1.0F};
    std::vector<float> out(3);
    kernels->silu_mul(gate.data(), up.data(), 3, out.data());
    EXPECT_FLOAT_EQ(out[0], 200.0F);
    EXPECT_NEAR(out[1], 0.0F, 1e-30);
    EXPECT_EQ(out[2], 0.0F);
    std::vector<float> nan = {std::nanf(""), 1.0F};
    kernels->exp_sum(nan.data(), 2, 0.0F);
    EXPECT_TRUE(std::isnan(nan[0]));
  }
}

}  // namespace
}  // namespace skerry::engine
