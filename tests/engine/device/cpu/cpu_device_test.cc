#include "engine/device/cpu/cpu_device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "engine/device/cpu/kv_rows.h"

namespace skerry::engine {
namespace {

std::vector<float> Random(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n);
  for (float& value : out) value = normal(random);
  return out;
}

std::unique_ptr<Device> Cpu(int threads, std::optional<CpuIsa> isa = {}) {
  auto device = CreateCpuDevice({threads, isa});
  EXPECT_TRUE(device) << device.error().message();
  return *std::move(device);
}

// A weight over `values`, which must stay alive.
Weight WeightOf(const std::vector<float>& values, int64_t rows, int64_t cols) {
  return {DType::kF32, rows, cols, values.data(), nullptr};
}

TEST(CpuDeviceTest, RefusesBadOptions) {
  EXPECT_EQ(CreateCpuDevice({-1, {}}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CreateCpuDevice({1 << 20, {}}).error().code(), ErrorCode::kInvalidArgument);
}

TEST(CpuDeviceTest, AllocateRefusesWhatTheMachineLacks) {
  const auto device = Cpu(1);
  EXPECT_EQ(device->Allocate(size_t{1} << 50).error().code(), ErrorCode::kExhausted);
  const auto buffer = device->Allocate(0);
  EXPECT_TRUE(buffer);
}

TEST(CpuDeviceTest, BuffersMove) {
  const auto device = Cpu(1);
  Buffer a = *device->Allocate(100);
  float* const data = a.floats();
  data[24] = 7.0F;
  Buffer b = std::move(a);
  EXPECT_EQ(a.floats(), nullptr);
  EXPECT_EQ(b.floats(), data);
  EXPECT_EQ(b.size_bytes(), 100U);
  Buffer c = *device->Allocate(4);
  c = std::move(b);
  EXPECT_EQ(c.floats()[24], 7.0F);
  c = Buffer();
  EXPECT_EQ(c.floats(), nullptr);
}

TEST(CpuDeviceTest, PlaceWidensVectorsOnly) {
  const auto device = Cpu(1);
  const uint16_t values[] = {0x3f80, 0xc000};  // 1, -2 in BF16
  const std::span bytes(reinterpret_cast<const uint8_t*>(values), sizeof(values));
  const Weight vector = *device->Place({DType::kBf16, {2}, bytes, nullptr});
  EXPECT_EQ(vector.dtype, DType::kF32);
  EXPECT_EQ(static_cast<const float*>(vector.data)[1], -2.0F);
  const Weight matrix = *device->Place({DType::kBf16, {1, 2}, bytes, nullptr});
  EXPECT_EQ(matrix.dtype, DType::kBf16);
  EXPECT_EQ(matrix.data, values);
}

TEST(CpuDeviceTest, EmbedAndGatherPickRows) {
  const auto device = Cpu(2);
  const std::vector<float> table = Random(15, 1);
  const TokenId ids[] = {4, 0, 4};
  std::vector<float> out(9);
  ASSERT_TRUE(device->Embed(WeightOf(table, 5, 3), ids, out.data()));
  std::vector<float> again(9);
  ASSERT_TRUE(device->GatherRows(table.data(), 3, ids, again.data()));
  EXPECT_EQ(out, again);
  EXPECT_EQ(out[0], table[12]);
  EXPECT_EQ(out[5], table[2]);
}

TEST(CpuDeviceTest, RmsNormMatchesTheDefinition) {
  for (const int64_t width : {1, 5, 64, 173}) {
    const auto device = Cpu(2);
    const std::vector<float> x = Random(7 * width, 2);
    const std::vector<float> scale = Random(width, 3);
    std::vector<float> out(x.size());
    ASSERT_TRUE(device->RmsNorm(x.data(), 7, WeightOf(scale, 1, width), 1e-5F, out.data()));
    for (int64_t row = 0; row < 7; ++row) {
      double squares = 0;
      for (int64_t i = 0; i < width; ++i) squares += std::pow(x[row * width + i], 2);
      const double norm = std::sqrt(squares / static_cast<double>(width) + 1e-5);
      for (int64_t i = 0; i < width; ++i) {
        const double expected = x[row * width + i] / norm * scale[i];
        EXPECT_NEAR(out[row * width + i], expected, 2e-6 * (1 + std::abs(expected)));
      }
    }
  }
}

// Shapes around every block size; all threads counts, bit for bit the same.
TEST(CpuDeviceTest, MatMulMatchesTheDefinition) {
  const auto one = Cpu(1);
  const auto three = Cpu(3);
  for (const int64_t rows : {1, 4, 33, 130}) {
    for (const int64_t k : {1, 24, 129}) {
      const std::vector<float> w = Random(rows * k, 4);
      for (const int64_t n : {1, 2, 6, 100}) {
        const std::vector<float> x = Random(n * k, 5);
        std::vector<float> y(n * rows);
        ASSERT_TRUE(one->MatMul(WeightOf(w, rows, k), x.data(), n, y.data()));
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < rows; ++j) {
            double expected = 0;
            for (int64_t c = 0; c < k; ++c) {
              expected += static_cast<double>(x[i * k + c]) * w[j * k + c];
            }
            ASSERT_NEAR(y[i * rows + j], expected, 1e-5 * static_cast<double>(k));
          }
        }
        std::vector<float> again(n * rows);
        ASSERT_TRUE(three->MatMul(WeightOf(w, rows, k), x.data(), n, again.data()));
        EXPECT_EQ(y, again);
      }
    }
  }
}

TEST(CpuDeviceTest, ScaleByPositionMatchesTheDefinition) {
  const auto device = Cpu(2);
  const BlockId blocks[] = {0};
  const BatchSequence sequences[] = {{0, 3, 6, blocks}, {3, 2, 100000, blocks}};
  ASSERT_TRUE(device->SetBatch({5, sequences, {}}));
  const std::vector<float> x = Random(5 * 3, 7);
  std::vector<float> out = x;
  ASSERT_TRUE(device->ScaleByPosition(out.data(), 3, {0.3, 7}));
  const double floors[] = {0, 1, 1, 14285, 14285};  // of positions 6, 7, 8, 100000 and 100001
  for (int64_t i = 0; i < 15; ++i) {
    const double expected = x[i] * (1 + 0.3 * std::log(1 + floors[i / 3]));
    EXPECT_NEAR(out[i], expected, 1e-6 * std::abs(expected));
  }
  EXPECT_EQ(out[2], x[2]);
}

TEST(CpuDeviceTest, RopeRotatesPairs) {
  const auto device = Cpu(2);
  const double plain[] = {5.0, 5.0, 5.0};
  const double frequencies[] = {1.0, 0.3, 0.01};
  const RopeFrequencies ropes[] = {{plain, 1}, {frequencies, 1.5}};
  const BlockId blocks[] = {0};
  const BatchSequence sequences[] = {{0, 2, 100000, blocks}, {2, 1, 0, blocks}};
  ASSERT_TRUE(device->SetBatch({3, sequences, ropes}));
  const std::vector<float> before = Random(36, 6);
  std::vector<float> x = before;
  ASSERT_TRUE(device->Rope(x.data(), 2, 6, 1));
  const double positions[] = {100000, 100001, 0};
  for (int row = 0; row < 3; ++row) {
    for (int head = 0; head < 2; ++head) {
      for (int i = 0; i < 3; ++i) {
        const int low = row * 12 + head * 6 + i;
        const double c = 1.5 * std::cos(positions[row] * frequencies[i]);
        const double s = 1.5 * std::sin(positions[row] * frequencies[i]);
        EXPECT_NEAR(x[low], before[low] * c - before[low + 3] * s, 2e-6);
        EXPECT_NEAR(x[low + 3], before[low + 3] * c + before[low] * s, 2e-6);
      }
    }
  }
}

struct AttentionCase {
  AttentionShape shape;
  int32_t position;  // tokens already cached
  int32_t n_rows;
  bool sinks = false;
};

double Score(const AttentionShape& shape, double dot) {
  const double score = dot * shape.scale;
  return shape.soft_cap > 0 ? shape.soft_cap * std::tanh(score / shape.soft_cap) : score;
}

// Two sequences with scattered blocks, the cache filled in two steps, against a double loop.
void CheckAttention(Device& device, const AttentionCase& c) {
  const AttentionShape& shape = c.shape;
  const std::vector<BlockId> a_blocks = {5, 1, 7, 2};
  const std::vector<BlockId> b_blocks = {0, 6, 3, 4};
  const int64_t kv_width = shape.n_kv_heads * shape.head_dim;
  const int64_t q_width = shape.n_heads * shape.head_dim;
  std::vector<float> cache(8 * 2 * kv_width * kBlockTokens, NAN);
  const int32_t total = c.position + c.n_rows;
  const std::vector<float> k = Random(2 * total * kv_width, 7);
  const std::vector<float> v = Random(2 * total * kv_width, 8);
  const std::vector<float> q = Random(2 * c.n_rows * q_width, 9);
  auto rows_of = [&](const std::vector<float>& all, int32_t begin, int32_t n) {
    std::vector<float> out;
    for (int sequence = 0; sequence < 2; ++sequence) {
      const auto first = all.begin() + (sequence * total + begin) * kv_width;
      out.insert(out.end(), first, first + n * kv_width);
    }
    return out;
  };
  auto store = [&](int32_t begin, int32_t n) {
    const BatchSequence sequences[] = {{0, n, begin, a_blocks}, {n, n, begin, b_blocks}};
    ASSERT_TRUE(device.SetBatch({2 * n, sequences, {}}));
    ASSERT_TRUE(device.StoreKv(rows_of(k, begin, n).data(), rows_of(v, begin, n).data(), shape,
                               {cache.data(), KvType::kF32}));
  };
  if (c.position > 0) store(0, c.position);
  store(c.position, c.n_rows);
  const BatchSequence sequences[] = {{0, c.n_rows, c.position, a_blocks},
                                     {c.n_rows, c.n_rows, c.position, b_blocks}};
  ASSERT_TRUE(device.SetBatch({2 * c.n_rows, sequences, {}}));
  std::vector<float> out(q.size());
  const std::vector<float> sinks = Random(shape.n_heads, 12);
  ASSERT_TRUE(device.Attention(q.data(), shape, c.sinks ? sinks.data() : nullptr,
                               {cache.data(), KvType::kF32}, out.data()));
  const int64_t group = shape.n_heads / shape.n_kv_heads;
  for (int64_t row = 0; row < 2 * c.n_rows; ++row) {
    const int64_t sequence = row / c.n_rows;
    const int64_t position = c.position + row % c.n_rows;
    const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, position + 1 - shape.window) : 0;
    const int64_t last = shape.causal ? position : total - 1;
    for (int64_t head = 0; head < shape.n_heads; ++head) {
      const float* query = &q[row * q_width + head * shape.head_dim];
      const int64_t kv_at = head / group * shape.head_dim;
      std::vector<double> weights;
      double sum = c.sinks ? std::exp(static_cast<double>(sinks[head])) : 0;
      for (int64_t key = begin; key <= last; ++key) {
        double dot = 0;
        for (int64_t i = 0; i < shape.head_dim; ++i) {
          dot += static_cast<double>(query[i]) * k[(sequence * total + key) * kv_width + kv_at + i];
        }
        weights.push_back(std::exp(Score(shape, dot)));
        sum += weights.back();
      }
      for (int64_t i = 0; i < shape.head_dim; ++i) {
        double expected = 0;
        for (int64_t key = begin; key <= last; ++key) {
          expected +=
              weights[key - begin] / sum * v[(sequence * total + key) * kv_width + kv_at + i];
        }
        ASSERT_NEAR(out[row * q_width + head * shape.head_dim + i], expected, 3e-6)
            << "row " << row << " head " << head;
      }
    }
  }
}

TEST(CpuDeviceTest, AttentionMatchesTheDefinition) {
  const AttentionCase cases[] = {
      {{1, 1, 2, 0, 0.7F}, 0, 1},
      {{4, 2, 8, 0, 0.35F}, 0, 20},
      {{6, 2, 10, 0, 0.3F}, 16, 1},
      {{4, 4, 16, 0, 0.25F}, 33, 5},
      {{8, 1, 6, 0, 0.4F}, 15, 17},
      {{4, 2, 8, 1, 0.35F}, 0, 20},
      {{4, 2, 8, 5, 0.35F}, 14, 9},
      {{4, 2, 8, 16, 0.35F}, 30, 4},
      {{4, 2, 8, 1000, 0.35F}, 30, 4},
      {{4, 2, 8, 0, 0.35F, 1.5F}, 14, 9},      // soft-capped
      {{4, 2, 8, 0, 0.35F, 0, false}, 0, 20},  // each sees all
      {{4, 2, 8, 0, 0.35F}, 14, 9, true},      // with sinks
      {{4, 2, 8, 5, 0.35F, 1.5F, true}, 14, 9, true},
  };
  for (const CpuIsa isa : {CpuIsa::kPortable, BestCpuIsa()}) {
    const auto device = Cpu(2, isa);
    for (const AttentionCase& c : cases) CheckAttention(*device, c);
  }
}

// With a narrow cache attention is what it is over the rounded keys and values, bit for bit, in one
// batch as row by row.
TEST(CpuDeviceTest, AttentionOverNarrowCaches) {
  const AttentionShape shape = {6, 2, 20, 9, 0.3F};
  constexpr int32_t kRows = 21;
  const std::vector<BlockId> blocks = {1, 0};
  const int64_t kv_width = shape.n_kv_heads * shape.head_dim;
  const int64_t q_width = shape.n_heads * shape.head_dim;
  const std::vector<float> k = Random(kRows * kv_width, 21);
  const std::vector<float> v = Random(kRows * kv_width, 22);
  const std::vector<float> q = Random(kRows * q_width, 23);
  for (const CpuIsa isa : {CpuIsa::kPortable, BestCpuIsa()}) {
    const auto device = Cpu(2, isa);
    for (const KvType type : kKvTypes) {
      std::vector<float> cache(2 * KvBlockBytes(type, shape.n_kv_heads, shape.head_dim) / 4);
      const auto rounded = [&](std::vector<float> rows) {
        std::vector<float> part(KvPartBytes(type, shape.head_dim) / 4);
        std::vector<float> scratch(kBlockTokens * shape.head_dim);
        for (size_t i = 0; i < rows.size(); i += shape.head_dim) {
          WriteKvRow(type, &rows[i], shape.head_dim, part.data(), 0);
          const float* read = ReadKvRows(*FindCpuKernels(isa), type, part.data(), 1, shape.head_dim,
                                         scratch.data());
          std::copy_n(read, shape.head_dim, &rows[i]);
        }
        return rows;
      };
      const BatchSequence whole[] = {{0, kRows, 0, blocks}};
      ASSERT_TRUE(device->SetBatch({kRows, whole, {}}));
      ASSERT_TRUE(device->StoreKv(k.data(), v.data(), shape, {cache.data(), type}));
      std::vector<float> out(q.size());
      ASSERT_TRUE(device->Attention(q.data(), shape, nullptr, {cache.data(), type}, out.data()));

      std::vector<float> wide(2 * KvBlockBytes(KvType::kF32, shape.n_kv_heads, shape.head_dim) / 4);
      const KvCache wide_cache = {wide.data(), KvType::kF32};
      ASSERT_TRUE(device->StoreKv(rounded(k).data(), rounded(v).data(), shape, wide_cache));
      for (int32_t row = 0; row < kRows; ++row) {
        const BatchSequence alone[] = {{0, 1, row, blocks}};
        ASSERT_TRUE(device->SetBatch({1, alone, {}}));
        std::vector<float> one(q_width);
        ASSERT_TRUE(device->Attention(&q[row * q_width], shape, nullptr, wide_cache, one.data()));
        ASSERT_EQ(
            one, std::vector<float>(out.begin() + row * q_width, out.begin() + (row + 1) * q_width))
            << KvTypeName(type) << " row " << row;
      }
    }
  }
}

TEST(CpuDeviceTest, AddsAndScales) {
  const auto device = Cpu(2);
  const size_t n = 40001;  // more than one task
  const std::vector<float> a = Random(n, 10);
  const std::vector<float> b = Random(n, 11);
  std::vector<float> sum = a;
  ASSERT_TRUE(device->Add(sum.data(), b.data(), n));
  std::vector<float> scaled = a;
  ASSERT_TRUE(device->Scale(scaled.data(), n, 2.5F));
  std::vector<float> capped = a;
  ASSERT_TRUE(device->SoftCap(capped.data(), n, 0.5F));
  for (size_t i = 0; i < n; ++i) {
    ASSERT_EQ(sum[i], a[i] + b[i]);
    ASSERT_EQ(scaled[i], a[i] * 2.5F);
    ASSERT_NEAR(capped[i], 0.5 * std::tanh(a[i] / 0.5), 1e-6);
  }
  std::vector<float> rows = Random(6 * 700, 13);
  const std::vector<float> before = rows;
  const std::vector<float> bias = Random(700, 14);
  ASSERT_TRUE(device->AddRow(rows.data(), 6, WeightOf(bias, 1, 700)));
  for (size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i], before[i] + bias[i % 700]);
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(CpuDeviceTest, GatesMatchTheirDefinitions) {
  const size_t n = 40001;
  std::vector<float> g = Random(n, 10);
  std::vector<float> up = Random(n, 11);
  for (size_t i = 0; i < n; ++i) g[i] *= 4, up[i] *= 4;
  g[0] = 1000, g[1] = -1000, up[2] = 1000, up[3] = -1000, g[4] = 0;
  constexpr float kLimit = 7.0F;
  for (const CpuIsa isa : {CpuIsa::kPortable, BestCpuIsa()}) {
    const auto device = Cpu(2, isa);
    for (const Gate gate : {Gate::kSilu, Gate::kGeluTanh, Gate::kClampedSwiGlu}) {
      std::vector<float> out(n);
      ASSERT_TRUE(device->GateMul(gate, kLimit, g.data(), up.data(), n, out.data()));
      for (size_t i = 0; i < n; ++i) {
        const double x = g[i];
        double expected = x * Sigmoid(x) * up[i];
        if (gate == Gate::kGeluTanh) {
          const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
          expected = x * 0.5 * (1 + std::tanh(inner)) * up[i];
        } else if (gate == Gate::kClampedSwiGlu) {
          const double clamped = std::min<double>(x, kLimit);
          expected =
              clamped * Sigmoid(1.702 * clamped) * (std::clamp<double>(up[i], -kLimit, kLimit) + 1);
        }
        ASSERT_NEAR(out[i], expected, 2e-6 * (1 + std::abs(expected))) << "element " << i;
      }
      // An element's result is the same wherever it stands, and in place.
      std::vector<float> alone(n);
      for (size_t i = 0; i < 600; ++i) {
        ASSERT_TRUE(device->GateMul(gate, kLimit, &g[i], &up[i], 1, &alone[i]));
        ASSERT_EQ(alone[i], out[i]) << "element " << i;
      }
      std::vector<float> in_place = g;
      ASSERT_TRUE(device->GateMul(gate, kLimit, in_place.data(), up.data(), n, in_place.data()));
      EXPECT_EQ(in_place, out);
    }
  }
}

TEST(CpuDeviceTest, GeluMatchesTheDefinition) {
  const auto device = Cpu(2);
  const std::vector<float> x = Random(40001, 10);
  std::vector<float> out = x;
  ASSERT_TRUE(device->Gelu(out.data(), static_cast<int64_t>(out.size())));
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(out[i], 0.5 * x[i] * (1 + std::erf(x[i] / std::sqrt(2.0))), 1e-6);
  }
}

TEST(CpuDeviceTest, LayerNormMatchesTheDefinition) {
  const auto device = Cpu(3);
  for (const int64_t width : {1, 5, 173}) {
    std::vector<float> x = Random(7 * width, 2);
    for (float& value : x) value += 100;  // far from 0
    const std::vector<float> scale = Random(width, 3);
    const std::vector<float> shift = Random(width, 4);
    std::vector<float> out(x.size());
    ASSERT_TRUE(device->LayerNorm(x.data(), 7, WeightOf(scale, 1, width), WeightOf(shift, 1, width),
                                  1e-12F, out.data()));
    for (int64_t row = 0; row < 7; ++row) {
      double mean = 0;
      for (int64_t i = 0; i < width; ++i) mean += x[row * width + i] / static_cast<double>(width);
      double variance = 0;
      for (int64_t i = 0; i < width; ++i) {
        variance += std::pow(x[row * width + i] - mean, 2) / static_cast<double>(width);
      }
      for (int64_t i = 0; i < width; ++i) {
        const double expected =
            (x[row * width + i] - mean) / std::sqrt(variance + 1e-12) * scale[i] + shift[i];
        EXPECT_NEAR(out[row * width + i], expected, 2e-4) << "width " << width;
      }
    }
    std::vector<float> in_place = x;
    ASSERT_TRUE(device->LayerNorm(in_place.data(), 7, WeightOf(scale, 1, width),
                                  WeightOf(shift, 1, width), 1e-12F, in_place.data()));
    EXPECT_EQ(in_place, out);
  }
}

struct Choice {
  Choice(int64_t n_rows, int64_t per_row) : ids(n_rows * per_row), shares(n_rows * per_row) {
    view = {ids.data(), shares.data(), per_row};
  }
  std::vector<int32_t> ids;
  std::vector<float> shares;
  ExpertChoice view;
};

TEST(CpuDeviceTest, RoutesToTheHighestScores) {
  const auto device = Cpu(2);
  const std::vector<float> scores = {1,  3,  2,  3,  0.5F, -1,  // two equals: the first one first
                                     -5, -5, -5, -5, -5,   -5};
  for (const bool normalise : {true, false}) {
    Choice choice(2, 3);
    ASSERT_TRUE(device->Route(scores.data(), 2, 6, normalise, choice.view));
    EXPECT_EQ(choice.ids, (std::vector<int32_t>{1, 3, 2, 0, 1, 2}));
    double all = 0;
    double chosen = 0;
    for (int i = 0; i < 6; ++i) all += std::exp(scores[i]);
    for (const int i : {1, 3, 2}) chosen += std::exp(scores[i]);
    const double sum = normalise ? chosen : all;
    EXPECT_NEAR(choice.shares[0], std::exp(3) / sum, 1e-6);
    EXPECT_NEAR(choice.shares[2], std::exp(2) / sum, 1e-6);
    EXPECT_NEAR(choice.shares[3], normalise ? 1.0 / 3 : 1.0 / 6, 1e-6);
  }
  // Scores that do not compare still give experts that exist.
  const std::vector<float> nan(6, NAN);
  Choice choice(1, 3);
  ASSERT_TRUE(device->Route(nan.data(), 1, 6, true, choice.view));
  EXPECT_EQ(choice.ids, (std::vector<int32_t>{0, 1, 2}));
}

// Every pair of row and expert against a product of its own, whatever the batch and the threads.
TEST(CpuDeviceTest, ExpertsMatchSingleProducts) {
  constexpr int64_t kExperts = 5;
  constexpr int64_t kRows = 1300;  // more than one piece for some expert
  constexpr int64_t kPerRow = 2;
  constexpr int64_t kIn = 12;
  constexpr int64_t kOut = 7;
  const std::vector<float> scores = Random(kRows * kExperts, 20);
  const std::vector<float> weights = Random(kExperts * kOut * kIn, 21);
  const std::vector<float> biases = Random(kExperts * kOut, 22);
  const std::vector<float> shared_x = Random(kRows * kIn, 23);
  const std::vector<float> own_x = Random(kRows * kPerRow * kIn, 24);
  std::vector<Weight> experts;
  for (int64_t e = 0; e < kExperts; ++e) {
    experts.push_back({DType::kF32, kOut, kIn, &weights[e * kOut * kIn], nullptr, {}});
  }
  for (const int threads : {1, 3}) {
    const auto device = Cpu(threads);
    Choice choice(kRows, kPerRow);
    ASSERT_TRUE(device->Route(scores.data(), kRows, kExperts, true, choice.view));
    for (const bool own : {false, true}) {
      const std::vector<float>& x = own ? own_x : shared_x;
      std::vector<float> y(kRows * kPerRow * kOut);
      ASSERT_TRUE(device->ExpertMatMul(experts, choice.view, x.data(), own, kRows, y.data()));
      ASSERT_TRUE(
          device->ExpertBias(WeightOf(biases, kExperts, kOut), choice.view, kRows, y.data()));
      for (int64_t pair = 0; pair < kRows * kPerRow; ++pair) {
        const int32_t e = choice.ids[pair];
        float expected[kOut];
        ASSERT_TRUE(
            device->MatMul(experts[e], &x[(own ? pair : pair / kPerRow) * kIn], 1, expected));
        for (int64_t i = 0; i < kOut; ++i) {
          ASSERT_EQ(y[pair * kOut + i], expected[i] + biases[e * kOut + i]) << pair;
        }
      }
      std::vector<float> sum(kRows * kOut);
      ASSERT_TRUE(device->ExpertSum(y.data(), choice.view, kRows, kOut, sum.data()));
      for (int64_t i = 0; i < kRows * kOut; ++i) {
        const int64_t pair = i / kOut * kPerRow;
        const double expected =
            static_cast<double>(choice.shares[pair]) * y[pair * kOut + i % kOut] +
            static_cast<double>(choice.shares[pair + 1]) * y[(pair + 1) * kOut + i % kOut];
        ASSERT_NEAR(sum[i], expected, 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace skerry::engine
