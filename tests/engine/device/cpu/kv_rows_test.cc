#include "engine/device/cpu/kv_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "engine/formats/dequantize.h"

namespace skerry::engine {
namespace {

// What `x` becomes in the cache, in row `at` of a part.
std::vector<float> Rounded(KvType type, const std::vector<float>& x, CpuIsa isa = BestCpuIsa(),
                           int64_t at = 0) {
  const auto dim = static_cast<int64_t>(x.size());
  std::vector<float> part(KvPartBytes(type, dim) / sizeof(float) + 1, -7.0F);
  WriteKvRow(type, x.data(), dim, part.data(), at);
  std::vector<float> scratch(kBlockTokens * dim);
  const float* rows =
      ReadKvRows(*FindCpuKernels(isa), type, part.data(), at + 1, dim, scratch.data());
  return {rows + at * dim, rows + (at + 1) * dim};
}

float Rounded(KvType type, float x) { return Rounded(type, std::vector<float>{x})[0]; }

// Every `step`th number of a format stays what it is, what lies between two goes to the nearer one,
// and the middle to the even one; `value(i)` ascends.
template <typename Value>
void CheckRounding(KvType type, int n, int step, Value value) {
  for (int i = 0; i + 1 < n; i += step) {
    const float low = value(i);
    const float high = value(i + 1);
    ASSERT_LT(low, high);
    ASSERT_EQ(Rounded(type, low), low) << i;
    ASSERT_EQ(Rounded(type, -low), -low) << i;
    const float middle = low + (high - low) / 2;
    ASSERT_EQ(Rounded(type, middle), i % 2 == 0 ? low : high) << i;
    ASSERT_EQ(Rounded(type, std::nextafter(middle, low)), low) << i;
    ASSERT_EQ(Rounded(type, -std::nextafter(middle, high)), -high) << i;
  }
}

TEST(KvRows, HalfPrecisionRoundsToNearestEven) {
  CheckRounding(KvType::kF16, 0x7C00, 31,
                [](int i) { return HalfToFloat(static_cast<uint16_t>(i)); });
  EXPECT_EQ(Rounded(KvType::kF16, 1e6F), 65504);
  EXPECT_EQ(Rounded(KvType::kF16, -INFINITY), -65504);
}

TEST(KvRows, Bfloat16RoundsToNearestEven) {
  // From 2^-64 up: the middle of smaller ones cannot be told from their sum in float.
  CheckRounding(KvType::kBf16, 0x3000, 31,
                [](int i) { return Bf16ToFloat(static_cast<uint16_t>(i + 0x2000)); });
}

TEST(KvRows, EightBitFloatsRoundToNearestEvenAndSaturate) {
  CheckRounding(KvType::kF8E4M3, 0x7F, 1,
                [](int i) { return F8E4M3ToFloat(static_cast<uint8_t>(i)); });
  EXPECT_EQ(Rounded(KvType::kF8E4M3, 448), 448);
  EXPECT_EQ(Rounded(KvType::kF8E4M3, 1e9F), 448);
  EXPECT_EQ(Rounded(KvType::kF8E4M3, -500), -448);
}

TEST(KvRows, IntegersHaveAFactorPerRow) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const float size : {1e-6F, 1.0F, 1e6F}) {
    std::vector<float> x(77);
    float largest = 0;
    for (float& value : x) {
      value = size * normal(random);
      largest = std::max(largest, std::abs(value));
    }
    const std::vector<float> rounded = Rounded(KvType::kInt8, x);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_LE(std::abs(rounded[i] - x[i]), largest / 127 * 0.5001F);
    }
  }
  EXPECT_EQ(Rounded(KvType::kInt8, {0, 0, 0}), (std::vector<float>{0, 0, 0}));
}

TEST(KvRows, RowsDoNotTouchEachOtherAndInstructionSetsAgree) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const KvType type : kKvTypes) {
    for (const int64_t dim : {6, 64, 80}) {
      std::vector<float> part(KvPartBytes(type, dim) / sizeof(float));
      std::vector<std::vector<float>> rows(kBlockTokens, std::vector<float>(dim));
      for (auto& row : rows) {
        for (float& value : row) value = normal(random);
      }
      for (int64_t at : {3, 0, 15, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}) {
        WriteKvRow(type, rows[at].data(), dim, part.data(), at);
      }
      std::vector<float> scratch(kBlockTokens * dim);
      for (const CpuIsa isa : {CpuIsa::kPortable, BestCpuIsa()}) {
        const float* read =
            ReadKvRows(*FindCpuKernels(isa), type, part.data(), kBlockTokens, dim, scratch.data());
        for (int64_t at = 0; at < kBlockTokens; ++at) {
          const std::vector<float> expected = Rounded(type, rows[at], CpuIsa::kPortable, at);
          ASSERT_EQ(std::vector<float>(read + at * dim, read + (at + 1) * dim), expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace skerry::engine
