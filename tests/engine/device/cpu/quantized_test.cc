#include "engine/device/cpu/quantized.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/formats/dequantize.h"
#include "tests/engine/device/cpu/random_weights.h"

namespace skerry::engine {
namespace {

using testing::RandomBlocks;
using testing::RandomFloats;

// A vector of T whose memory is aligned as panels want it.
template <typename T>
class Aligned {
 public:
  explicit Aligned(size_t n) : memory_(n * sizeof(T) + 64) {
    const auto at = reinterpret_cast<uintptr_t>(memory_.data());
    data_ = reinterpret_cast<T*>(memory_.data() + (64 - at % 64) % 64);
  }
  T* data() { return data_; }

 private:
  std::vector<uint8_t> memory_;
  T* data_;
};

TEST(QuantizedTest, EveryBlockTypeHasKernels) {
  const auto all = UsableQuantKernels();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back()->isa, CpuIsa::kPortable);
  for (const QuantKernels* kernels : all) {
    for (const DType dtype : kDTypes) {
      const bool blocks = BlockOf(dtype).elements > 1;
      EXPECT_EQ(kernels->find(dtype) != nullptr, blocks) << kernels->name << DTypeName(dtype);
    }
  }
  EXPECT_EQ(FindQuantKernels(CpuIsa::kPortable).isa, CpuIsa::kPortable);
  EXPECT_EQ(&FindQuantKernels(CpuIsa::kAvx512), all.front());
}

// Rounded values are within half a step of the real ones, and sums belong to what was rounded.
TEST(QuantizedTest, RoundsToTheNearestStep) {
  for (const QuantKernels* kernels : UsableQuantKernels()) {
    for (const DType dtype : {DType::kQ8_0, DType::kQ6_K}) {
      const QuantFormat& format = *kernels->find(dtype);
      const std::vector<float> x = RandomFloats(512, 1);
      std::vector<int8_t> values(512);
      std::vector<Int8Group> groups(512 / kInt8Group);
      format.quantize(x.data(), 512, values.data(), groups.data());
      const size_t halves = dtype == DType::kQ6_K ? 1 : 2;  // of the format's own groups
      for (size_t group = 0; group < groups.size(); ++group) {
        int sum = 0;
        int largest = 0;
        for (size_t i = group * kInt8Group; i < (group + 1) * kInt8Group; ++i) {
          EXPECT_NEAR(groups[group].scale * static_cast<float>(values[i]), x[i],
                      0.501F * groups[group].scale);
          sum += values[i];
          largest = std::max(largest, std::abs(values[i]));
        }
        EXPECT_EQ(largest, 127);
        groups[group - group % halves].sum -= groups[group].scale * static_cast<float>(sum);
      }
      for (size_t group = 0; group < groups.size(); group += halves) {
        EXPECT_NEAR(groups[group].sum, 0, 1e-5);
      }
    }
  }
}

TEST(QuantizedTest, RoundsExtremeValues) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const QuantKernels* kernels : UsableQuantKernels()) {
    const QuantFormat& format = *kernels->find(DType::kQ4_0);
    std::vector<float> x(32 * 6, 0.0F);  // pairs of groups; the second ones stay zero
    x[32 + 5] = std::nanf("");
    x[64 + 15] = -kInf;
    x[96 + 7] = 1e-40F;
    x[128] = 3e38F;
    x[160 + 3] = -2.0F;
    std::vector<int8_t> values(x.size(), 99);
    std::vector<Int8Group> all(12);
    format.quantize(x.data(), static_cast<int64_t>(x.size()), values.data(), all.data());
    std::vector<Int8Group> groups;
    for (size_t i = 0; i < all.size(); i += 2) {
      groups.push_back(all[i]);
      EXPECT_EQ(all[i + 1].scale, 0.0F);
    }
    EXPECT_EQ(groups[0].scale, 0.0F);
    EXPECT_TRUE(std::isnan(groups[1].scale));
    EXPECT_TRUE(std::isnan(groups[2].scale));
    EXPECT_EQ(groups[3].scale, 0.0F);
    EXPECT_FLOAT_EQ(groups[4].scale * 127.0F, 3e38F);
    EXPECT_EQ(values[128], 127);
    EXPECT_EQ(values[160 + 3], -127);
    EXPECT_EQ(values[0], 0);
    EXPECT_EQ(values[32 + 5], 0);
  }
}

struct Product {
  int64_t n_x;
  int64_t n_weight_rows;  // of one or two panels
};

// The sum that rounded activations give, in double.
double Expected(const std::vector<float>& weights, int64_t row, const int8_t* values,
                const Int8Group* groups, int64_t k, double& magnitude) {
  double sum = 0;
  magnitude = 0;
  for (int64_t i = 0; i < k; ++i) {
    const double term = static_cast<double>(weights[row * k + i]) *
                        (static_cast<double>(groups[i / kInt8Group].scale) * values[i]);
    sum += term;
    magnitude += std::abs(term);
  }
  return sum;
}

// All instruction sets, types and tile shapes: right, the same for every row count, and the same on
// all sets that have fused multiplication.
TEST(QuantizedTest, MultipliesEveryType) {
  constexpr int64_t kColumns = 512;
  constexpr int64_t kMaxRows = 32;
  constexpr int64_t kMaxX = 13;
  for (const DType dtype : kDTypes) {
    if (BlockOf(dtype).elements == 1) continue;
    const std::vector<uint8_t> bytes = RandomBlocks(dtype, kMaxRows * kColumns, 3);
    const int64_t row_bytes = RowBytes(dtype, kColumns);
    std::vector<float> weights(kMaxRows * kColumns);
    Dequantize(dtype, bytes.data(), kMaxRows * kColumns, weights.data());
    const std::vector<float> x = RandomFloats(kMaxX * kColumns, 4);
    std::vector<float> fused;
    for (const QuantKernels* kernels : UsableQuantKernels()) {
      SCOPED_TRACE(std::string(kernels->name) + " " + std::string(DTypeName(dtype)));
      const QuantFormat& format = *kernels->find(dtype);
      const int64_t rows = kernels->panel_rows;
      const int64_t n_groups = kColumns / kInt8Group;
      const int64_t n_factors = dtype == DType::kQ6_K ? n_groups : n_groups / 2;
      std::vector<int8_t> values(kMaxX * kColumns);
      std::vector<Int8Group> groups(kMaxX * n_groups);
      format.quantize(x.data(), kMaxX * kColumns, values.data(), groups.data());
      Aligned<uint32_t> panel_values(2 * rows * kColumns / 4);
      Aligned<float> factors(4 * rows * n_groups);
      QuantPanel panels[2];
      for (int i = 0; i < 2; ++i) {
        panels[i] = {panel_values.data() + i * rows * kColumns / 4,
                     factors.data() + 2 * i * rows * n_groups,
                     factors.data() + (2 * i + 1) * rows * n_groups};
        format.unpack(bytes.data() + i * rows * row_bytes, row_bytes,
                      kColumns / BlockOf(dtype).elements, bytes.data(), panels[i]);
      }
      const Int8Rows all{values.data(), kColumns, groups.data(), n_groups, kMaxX};
      const int64_t stride = 2 * rows + 3;
      std::vector<float> y(kMaxX * stride, -1.0F);
      format.multiply(panels, 2, all, kColumns, {y.data(), stride, 2 * rows, false});
      for (int64_t i = 0; i < kMaxX; ++i) {
        for (int64_t j = 0; j < 2 * rows; ++j) {
          double magnitude;
          const double expected = Expected(weights, j, &values[i * kColumns], &groups[i * n_groups],
                                           kColumns, magnitude);
          ASSERT_NEAR(y[i * stride + j], expected, 2e-6 * magnitude) << i << " " << j;
        }
        EXPECT_EQ(y[i * stride + 2 * rows], -1.0F) << "wrote beyond its columns";
      }
      for (const int64_t n_x : {1, 2, 3, 5, 6, 7, 8, 12}) {
        for (const int64_t n_weight_rows : {int64_t{1}, rows - 1, rows, rows + 1, 2 * rows}) {
          const int n_panels = n_weight_rows > rows ? 2 : 1;
          Int8Rows some = all;
          some.n_rows = n_x;
          std::vector<float> again(kMaxX * stride, -1.0F);
          // In two steps, as columns come.
          format.multiply(panels, n_panels, some, kColumns / 2,
                          {again.data(), stride, n_weight_rows, false});
          QuantPanel rest[2];
          for (int i = 0; i < 2; ++i) {
            rest[i] = {panels[i].values + rows * kColumns / 8,
                       panels[i].scales + rows * n_factors / 2,
                       panels[i].minima + rows * n_factors / 2};
          }
          some.values += kColumns / 2;
          some.groups += n_groups / 2;
          format.multiply(rest, n_panels, some, kColumns / 2,
                          {again.data(), stride, n_weight_rows, true});
          for (int64_t i = 0; i < kMaxX; ++i) {
            for (int64_t j = 0; j < stride; ++j) {
              const bool inside = i < n_x && j < n_weight_rows;
              ASSERT_EQ(again[i * stride + j], inside ? y[i * stride + j] : -1.0F)
                  << n_x << " rows of x, " << n_weight_rows << " of weights: " << i << " " << j;
            }
          }
        }
      }
      if (kernels->isa == CpuIsa::kPortable) continue;
      std::vector<float> first_rows;
      for (int64_t i = 0; i < kMaxX; ++i) {
        first_rows.insert(first_rows.end(), &y[i * stride], &y[i * stride] + 16);
      }
      if (fused.empty()) fused = first_rows;
      EXPECT_EQ(first_rows, fused);
    }
  }
}

}  // namespace
}  // namespace skerry::engine
