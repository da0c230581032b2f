#include "engine/device/cpu/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "tests/engine/device/cpu/random_weights.h"

namespace skerry::engine {
namespace {

using testing::RandomBlocks;
using testing::RandomFloats;

class MatMulTest : public ::testing::Test {
 protected:
  static std::unique_ptr<ThreadPool> Pool(int threads) {
    auto pool = ThreadPool::Create(threads);
    EXPECT_TRUE(pool) << pool.error().message();
    return *std::move(pool);
  }
};

std::vector<const CpuKernels*> AllKernels() {
  std::vector<const CpuKernels*> all;
  for (const CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512}) {
    if (const CpuKernels* kernels = FindCpuKernels(isa)) all.push_back(kernels);
  }
  return all;
}

struct Exact {
  double value = 0;
  double tolerance = 0;
};

// The product of a row of weights and a row of x, and how far from it a result may be: F32 sums
// round, and before a quantised matrix no value of x moves by more than half a step of 1/127 of the
// largest.
Exact ExactProduct(DType dtype, const float* w, const float* x, int64_t k) {
  double value = 0;
  double magnitude = 0;
  double weights = 0;
  double largest = 0;
  for (int64_t c = 0; c < k; ++c) {
    const double term = static_cast<double>(w[c]) * x[c];
    value += term;
    magnitude += std::abs(term);
    weights += std::abs(w[c]);
    largest = std::max<double>(largest, std::abs(x[c]));
  }
  const double rounding = BlockOf(dtype).elements > 1 ? weights * largest / 254 : 0;
  return {value, rounding + 1e-6 * magnitude};
}

// Every stored type and shapes around every panel: near the exact product, and bit for bit the same
// alone, in a batch, on one thread and on three.
TEST_F(MatMulTest, EveryTypeAndShape) {
  const auto one_thread = Pool(1);
  const auto three_threads = Pool(3);
  for (const CpuKernels* kernels : AllKernels()) {
    MatMuls one(*kernels, *one_thread);
    MatMuls three(*kernels, *three_threads);
    for (const DType dtype : kDTypes) {
      for (const int64_t rows : {1, 4, 17, 65}) {
        for (const int64_t blocks : {1, 3}) {
          const int64_t k = blocks * std::max<int64_t>(32, BlockOf(dtype).elements);
          SCOPED_TRACE(std::string(CpuIsaName(kernels->isa)) + " " + std::string(DTypeName(dtype)) +
                       " " + std::to_string(rows) + " x " + std::to_string(k));
          const std::vector<uint8_t> bytes = RandomBlocks(dtype, rows * k, 1);
          const Weight weight{dtype, rows, k, bytes.data(), nullptr};
          const std::vector<float> wide = ToFloats({dtype, {rows, k}, bytes, nullptr});
          constexpr int64_t kInputs = 9;
          const std::vector<float> x = RandomFloats(kInputs * k, 2);
          std::vector<float> y(kInputs * rows);
          one.Multiply(weight, x.data(), kInputs, y.data());
          for (int64_t i = 0; i < kInputs; ++i) {
            for (int64_t j = 0; j < rows; ++j) {
              const Exact exact = ExactProduct(dtype, &wide[j * k], &x[i * k], k);
              ASSERT_NEAR(y[i * rows + j], exact.value, exact.tolerance) << i << " " << j;
            }
          }
          std::vector<float> again(kInputs * rows);
          three.Multiply(weight, x.data(), kInputs, again.data());
          EXPECT_EQ(y, again);
          for (int64_t i = 0; i < kInputs; ++i) {
            std::vector<float> alone(rows);
            one.Multiply(weight, x.data() + i * k, 1, alone.data());
            EXPECT_EQ(alone, std::vector<float>(y.begin() + i * rows, y.begin() + (i + 1) * rows));
          }
        }
      }
    }
  }
}

// More columns than are unpacked at a time, and enough rows for several tasks.
TEST_F(MatMulTest, LongRows) {
  const auto pool = Pool(2);
  for (const CpuKernels* kernels : AllKernels()) {
    MatMuls matmuls(*kernels, *pool);
    for (const DType dtype : {DType::kQ4_K, DType::kQ8_0, DType::kQ6_K, DType::kBf16}) {
      constexpr int64_t kRows = 100;
      constexpr int64_t kColumns = 2048 + 256;
      const std::vector<uint8_t> bytes = RandomBlocks(dtype, kRows * kColumns, 3);
      const Weight weight{dtype, kRows, kColumns, bytes.data(), nullptr};
      const std::vector<float> wide = ToFloats({dtype, {kRows, kColumns}, bytes, nullptr});
      const std::vector<float> x = RandomFloats(7 * kColumns, 4);
      std::vector<float> y(7 * kRows);
      matmuls.Multiply(weight, x.data(), 7, y.data());
      for (int64_t i = 0; i < 7; ++i) {
        std::vector<float> alone(kRows);
        matmuls.Multiply(weight, x.data() + i * kColumns, 1, alone.data());
        for (int64_t j = 0; j < kRows; ++j) {
          const Exact exact = ExactProduct(dtype, &wide[j * kColumns], &x[i * kColumns], kColumns);
          ASSERT_NEAR(y[i * kRows + j], exact.value, exact.tolerance);
          ASSERT_EQ(y[i * kRows + j], alone[j]);
        }
      }
    }
  }
}

// The schemes of factors: for all, for a row, for tiles that divide the matrix and that do not, and
// tiles that end within a vector.
TEST_F(MatMulTest, ScalesOfF8) {
  const auto pool = Pool(2);
  constexpr int64_t kRows = 21;
  constexpr int64_t kColumns = 279;  // every code in each row, and a tail
  std::vector<uint8_t> bytes = RandomBlocks(DType::kF8E4M3, kRows * kColumns, 5);
  for (int64_t i = 0; i < kRows * kColumns; ++i) {
    const auto code = static_cast<uint8_t>(i + i / kColumns);
    if (i % kColumns < 256 && (code & 0x7f) != 0x7f) bytes[i] = code;
  }
  const std::vector<float> x = RandomFloats(3 * kColumns, 6);
  const std::pair<int64_t, int64_t> tiles[] = {
      {kRows, kColumns}, {1, kColumns}, {16, 16}, {8, 128}, {7, 8}, {5, 93}, {1, 1}, {128, 1024}};
  for (const auto& [tile_rows, tile_cols] : tiles) {
    SCOPED_TRACE(std::to_string(tile_rows) + " x " + std::to_string(tile_cols));
    const int64_t n_tiles =
        (kRows + tile_rows - 1) / tile_rows * ((kColumns + tile_cols - 1) / tile_cols);
    const auto factors = std::make_shared<const std::vector<float>>(RandomFloats(n_tiles, 7));
    const Scales scales{factors, tile_rows, tile_cols};
    const Weight weight{DType::kF8E4M3, kRows, kColumns, bytes.data(), nullptr, scales};
    const std::vector<float> wide =
        ToFloats({DType::kF8E4M3, {kRows, kColumns}, bytes, nullptr, scales});
    for (const CpuKernels* kernels : AllKernels()) {
      MatMuls matmuls(*kernels, *pool);
      std::vector<float> widened(kRows * kColumns);
      matmuls.Widen(weight, 0, kRows, widened.data());
      EXPECT_EQ(widened, wide);
      std::vector<float> part(2 * kColumns);
      matmuls.Widen(weight, 17, 2, part.data());
      EXPECT_EQ(part,
                std::vector<float>(wide.begin() + 17 * kColumns, wide.begin() + 19 * kColumns));
      std::vector<float> y(3 * kRows);
      matmuls.Multiply(weight, x.data(), 3, y.data());
      for (int64_t i = 0; i < 3; ++i) {
        std::vector<float> alone(kRows);
        matmuls.Multiply(weight, x.data() + i * kColumns, 1, alone.data());
        for (int64_t j = 0; j < kRows; ++j) {
          const Exact exact =
              ExactProduct(DType::kF8E4M3, &wide[j * kColumns], &x[i * kColumns], kColumns);
          ASSERT_NEAR(y[i * kRows + j], exact.value, exact.tolerance);
          ASSERT_EQ(y[i * kRows + j], alone[j]);
        }
      }
    }
  }
}

TEST_F(MatMulTest, WidensRowsOfEveryType) {
  const auto pool = Pool(1);
  for (const CpuKernels* kernels : AllKernels()) {
    const MatMuls matmuls(*kernels, *pool);
    for (const DType dtype : kDTypes) {
      const int64_t k = std::max<int64_t>(17, BlockOf(dtype).elements);
      const std::vector<uint8_t> bytes = RandomBlocks(dtype, 3 * k, 8);
      std::vector<float> rows(2 * k);
      matmuls.Widen({dtype, 3, k, bytes.data(), nullptr}, 1, 2, rows.data());
      const std::vector<float> all = ToFloats({dtype, {3, k}, bytes, nullptr});
      EXPECT_EQ(rows, std::vector<float>(all.begin() + k, all.end())) << DTypeName(dtype);
    }
  }
}

TEST(AlignedBytesTest, GrowsAligned) {
  AlignedBytes bytes;
  for (const size_t n : {1, 100, 50, 5000}) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.Reserve(n)) % 64, 0U);
    bytes.Reserve(n)[n - 1] = 1;
  }
}

}  // namespace
}  // namespace skerry::engine
