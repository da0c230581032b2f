#include "engine/device/cpu/internal/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/device/cpu/internal/rowwise.h"

namespace skerry::engine::internal {
namespace {

// A block of the cache: where the vectors of one key-value head begin.
struct HeadBlock {
  const float* keys;
  const float* values;
};

int64_t BlockFloats(const AttentionShape& shape) {
  return 2 * shape.n_kv_heads * kBlockTokens * shape.head_dim;
}

HeadBlock FindBlock(const AttentionShape& shape, const float* cache, BlockId block,
                    int64_t kv_head) {
  const int64_t head_floats = kBlockTokens * shape.head_dim;
  const float* keys = cache + block * BlockFloats(shape) + kv_head * head_floats;
  return {keys, keys + shape.n_kv_heads * head_floats};
}

}  // namespace

void BatchAttention::SetBatch(const Batch& batch) {
  rows_.clear();
  for (const BatchSequence& sequence : batch.sequences) {
    for (int32_t i = 0; i < sequence.n_rows; ++i)
      rows_.push_back({&sequence, sequence.position + i});
  }
  angles_.resize(batch.ropes.size());
  for (size_t i = 0; i < angles_.size(); ++i) ComputeAngles(batch.ropes[i], angles_[i]);
}

void BatchAttention::ComputeAngles(const RopeFrequencies& rope, Angles& out) {
  const auto n_pairs = static_cast<int64_t>(rope.radians.size());
  out.cosines.resize(rows_.size() * n_pairs);
  out.sines.resize(rows_.size() * n_pairs);
  // In double: a float angle at position 100,000 is off by hundredths of a radian.
  pool_.ParallelFor(static_cast<int64_t>(rows_.size()), 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < n_pairs; ++i) {
        const double angle = static_cast<double>(rows_[row].position) * rope.radians[i];
        out.cosines[row * n_pairs + i] = static_cast<float>(std::cos(angle) * rope.scale);
        out.sines[row * n_pairs + i] = static_cast<float>(std::sin(angle) * rope.scale);
      }
    }
  });
}

void BatchAttention::Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t table) {
  const Angles& angles = angles_[table];
  const int64_t n_pairs = head_dim / 2;
  const int64_t width = n_heads * head_dim;
  const auto n_rows = static_cast<int64_t>(rows_.size());
  pool_.ParallelFor(n_rows, RowGrain(width), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* cosines = angles.cosines.data() + row * n_pairs;
      const float* sines = angles.sines.data() + row * n_pairs;
      for (int64_t head = 0; head < n_heads; ++head) {
        float* low = x + row * width + head * head_dim;
        float* high = low + n_pairs;
        for (int64_t i = 0; i < n_pairs; ++i) {
          const float a = low[i];
          const float b = high[i];
          low[i] = a * cosines[i] - b * sines[i];
          high[i] = b * cosines[i] + a * sines[i];
        }
      }
    }
  });
}

void BatchAttention::ScaleByPosition(float* x, int64_t width, const PositionScale& scale) const {
  for (size_t row = 0; row < rows_.size(); ++row) {
    const auto steps = static_cast<double>(rows_[row].position / scale.length);
    if (steps == 0) continue;  // most rows of most prompts
    const auto factor = static_cast<float>(1 + scale.beta * std::log1p(steps));
    float* const values = x + static_cast<int64_t>(row) * width;
    for (int64_t i = 0; i < width; ++i) values[i] *= factor;
  }
}

void BatchAttention::StoreKv(const float* k, const float* v, const AttentionShape& shape,
                             float* cache) const {
  const int64_t width = shape.n_kv_heads * shape.head_dim;
  const size_t head_bytes = shape.head_dim * sizeof(float);
  for (size_t row = 0; row < rows_.size(); ++row) {
    const int64_t position = rows_[row].position;
    const BlockId block = rows_[row].sequence->blocks[position / kBlockTokens];
    const int64_t in_block = position % kBlockTokens * shape.head_dim;
    for (int64_t head = 0; head < shape.n_kv_heads; ++head) {
      const int64_t head_floats = kBlockTokens * shape.head_dim;
      float* keys = cache + block * BlockFloats(shape) + head * head_floats + in_block;
      float* values = keys + shape.n_kv_heads * head_floats;
      std::memcpy(keys, k + row * width + head * shape.head_dim, head_bytes);
      std::memcpy(values, v + row * width + head * shape.head_dim, head_bytes);
    }
  }
}

void BatchAttention::Attention(const float* q, const AttentionShape& shape, const float* sinks,
                               const float* cache, float* out) {
  const auto n_tasks = static_cast<int64_t>(rows_.size()) * shape.n_kv_heads;
  pool_.ParallelFor(n_tasks, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t task = begin; task < end; ++task) {
      AttendRow(q, shape, sinks, cache, task / shape.n_kv_heads, task % shape.n_kv_heads, thread,
                out);
    }
  });
}

// One token, one key-value head, all query heads that share it: keys and values are read once.
void BatchAttention::AttendRow(const float* q, const AttentionShape& shape, const float* sinks,
                               const float* cache, int64_t row, int64_t kv_head, int thread,
                               float* out) {
  const int64_t dim = shape.head_dim;
  const int64_t group = shape.n_heads / shape.n_kv_heads;
  const BatchSequence& sequence = *rows_[row].sequence;
  const int64_t end = shape.causal ? rows_[row].position + 1 : sequence.position + sequence.n_rows;
  const int64_t begin =
      shape.window > 0 ? std::max<int64_t>(0, rows_[row].position + 1 - shape.window) : 0;
  const int64_t first_head = kv_head * group;
  const float* queries = q + (row * shape.n_heads + first_head) * dim;
  float* results = out + (row * shape.n_heads + first_head) * dim;
  const int64_t n_keys = end - begin;
  std::vector<float>& scratch = scores_[thread];
  if (static_cast<int64_t>(scratch.size()) < group * n_keys) scratch.resize(group * n_keys);
  float* scores = scratch.data();
  for (int64_t key = begin; key < end; ++key) {
    const HeadBlock block = FindBlock(shape, cache, sequence.blocks[key / kBlockTokens], kv_head);
    const float* vector = block.keys + key % kBlockTokens * dim;
    for (int64_t g = 0; g < group; ++g) {
      scores[g * n_keys + key - begin] = kernels_.dot(queries + g * dim, vector, dim) * shape.scale;
    }
  }
  for (int64_t g = 0; g < group; ++g) {
    float* mine = scores + g * n_keys;
    if (shape.soft_cap > 0) SoftCapRow(mine, n_keys, shape.soft_cap);
    float top = *std::max_element(mine, mine + n_keys);
    if (sinks != nullptr) top = std::max(top, sinks[first_head + g]);
    float sum = kernels_.exp_sum(mine, n_keys, top);
    if (sinks != nullptr) sum += std::exp(sinks[first_head + g] - top);
    for (int64_t i = 0; i < n_keys; ++i) mine[i] /= sum;
    std::fill_n(results + g * dim, dim, 0.0F);
  }
  for (int64_t key = begin; key < end; ++key) {
    const HeadBlock block = FindBlock(shape, cache, sequence.blocks[key / kBlockTokens], kv_head);
    const float* vector = block.values + key % kBlockTokens * dim;
    for (int64_t g = 0; g < group; ++g) {
      kernels_.multiply_add(scores[g * n_keys + key - begin], vector, results + g * dim, dim);
    }
  }
}

}  // namespace skerry::engine::internal
