#include "engine/device/cpu/internal/attention.h"

#include <algorithm>
#include <cmath>

#include "engine/device/cpu/internal/rowwise.h"
#include "engine/device/cpu/kv_rows.h"

namespace skerry::engine::internal {
namespace {

// Rows that read the cache together: a narrow type is widened once for all of them.
constexpr int64_t kGroupRows = 4;

constexpr int64_t kKeys = 0;
constexpr int64_t kValues = 1;

uint8_t* FindPart(const AttentionShape& shape, const KvCache& cache, BlockId block, int64_t part,
                  int64_t kv_head) {
  const int64_t part_bytes = KvPartBytes(cache.type, shape.head_dim);
  const int64_t index = (block * int64_t{2} + part) * shape.n_kv_heads + kv_head;
  return static_cast<uint8_t*>(cache.data) + index * part_bytes;
}

}  // namespace

void BatchAttention::SetBatch(const Batch& batch) {
  rows_.clear();
  groups_.clear();
  for (const BatchSequence& sequence : batch.sequences) {
    const auto first = static_cast<int64_t>(rows_.size());
    for (int32_t i = 0; i < sequence.n_rows; ++i) {
      rows_.push_back({&sequence, sequence.position + i});
    }
    for (int64_t i = 0; i < sequence.n_rows; i += kGroupRows) {
      groups_.push_back({first + i, std::min<int64_t>(kGroupRows, sequence.n_rows - i)});
    }
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
                             const KvCache& cache) const {
  const int64_t width = shape.n_kv_heads * shape.head_dim;
  for (size_t row = 0; row < rows_.size(); ++row) {
    const int64_t position = rows_[row].position;
    const BlockId block = rows_[row].sequence->blocks[position / kBlockTokens];
    const int64_t at = position % kBlockTokens;
    for (int64_t head = 0; head < shape.n_kv_heads; ++head) {
      const int64_t from = row * width + head * shape.head_dim;
      WriteKvRow(cache.type, k + from, shape.head_dim, FindPart(shape, cache, block, kKeys, head),
                 at);
      WriteKvRow(cache.type, v + from, shape.head_dim, FindPart(shape, cache, block, kValues, head),
                 at);
    }
  }
}

void BatchAttention::Attention(const float* q, const AttentionShape& shape, const float* sinks,
                               const KvCache& cache, float* out) {
  const auto n_tasks = static_cast<int64_t>(groups_.size()) * shape.n_kv_heads;
  pool_.ParallelFor(n_tasks, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      Attend({shape, cache, q, sinks, out, i % shape.n_kv_heads, groups_[i / shape.n_kv_heads]},
             scratch_[thread]);
    }
  });
}

uint64_t BatchAttention::ScratchBytes(const AttentionShape& shape, int64_t n_keys) {
  const int64_t scores = kGroupRows * (shape.n_heads / shape.n_kv_heads) * n_keys;
  return static_cast<uint64_t>(scores + kBlockTokens * shape.head_dim) * sizeof(float);
}

BatchAttention::Keys BatchAttention::KeysOf(const AttentionShape& shape, int64_t row) const {
  const BatchSequence& sequence = *rows_[row].sequence;
  const int64_t position = rows_[row].position;
  return {shape.window > 0 ? std::max<int64_t>(0, position + 1 - shape.window) : 0,
          shape.causal ? position + 1 : int64_t{sequence.position} + sequence.n_rows};
}

// visit(row of the group, key, vector) for every key of every row, each row's keys in order.
template <typename Visit>
void BatchAttention::ForEachKey(const Task& task, int64_t part, Scratch& scratch,
                                Visit visit) const {
  const AttentionShape& shape = task.shape;
  const std::span<const BlockId> blocks = rows_[task.rows.first].sequence->blocks;
  const int64_t begin = KeysOf(shape, task.rows.first).begin;
  const int64_t end = KeysOf(shape, task.rows.first + task.rows.n_rows - 1).end;
  for (int64_t first = begin / kBlockTokens * kBlockTokens; first < end; first += kBlockTokens) {
    const float* vectors = ReadKvRows(
        kernels_, task.cache.type,
        FindPart(shape, task.cache, blocks[first / kBlockTokens], part, task.kv_head),
        std::min<int64_t>(kBlockTokens, end - first), shape.head_dim, scratch.vectors.data());
    for (int64_t row = 0; row < task.rows.n_rows; ++row) {
      const Keys keys = KeysOf(shape, task.rows.first + row);
      const int64_t last = std::min<int64_t>(keys.end, first + kBlockTokens);
      for (int64_t key = std::max(keys.begin, first); key < last; ++key) {
        visit(row, key - keys.begin, vectors + (key - first) * shape.head_dim);
      }
    }
  }
}

void BatchAttention::Attend(const Task& task, Scratch& scratch) const {
  const AttentionShape& shape = task.shape;
  const int64_t dim = shape.head_dim;
  const int64_t group = shape.n_heads / shape.n_kv_heads;
  const int64_t first_head = task.kv_head * group;
  const int64_t n_rows = task.rows.n_rows;
  int64_t most_keys = 0;
  for (int64_t row = 0; row < n_rows; ++row) {
    const Keys keys = KeysOf(shape, task.rows.first + row);
    most_keys = std::max(most_keys, keys.end - keys.begin);
  }
  if (static_cast<int64_t>(scratch.scores.size()) < n_rows * group * most_keys) {
    scratch.scores.resize(n_rows * group * most_keys);
  }
  if (static_cast<int64_t>(scratch.vectors.size()) < kBlockTokens * dim) {
    scratch.vectors.resize(kBlockTokens * dim);
  }
  const auto scores_of = [&](int64_t row, int64_t g) {
    return scratch.scores.data() + (row * group + g) * most_keys;
  };
  const auto at = [&](int64_t row, int64_t g) {
    return ((task.rows.first + row) * shape.n_heads + first_head + g) * dim;
  };
  ForEachKey(task, kKeys, scratch, [&](int64_t row, int64_t key, const float* vector) {
    for (int64_t g = 0; g < group; ++g) {
      scores_of(row, g)[key] = kernels_.dot(task.q + at(row, g), vector, dim) * shape.scale;
    }
  });
  for (int64_t row = 0; row < n_rows; ++row) {
    const Keys keys = KeysOf(shape, task.rows.first + row);
    const int64_t n_keys = keys.end - keys.begin;
    for (int64_t g = 0; g < group; ++g) {
      float* mine = scores_of(row, g);
      const float* sink = task.sinks == nullptr ? nullptr : task.sinks + first_head + g;
      if (shape.soft_cap > 0) SoftCapRow(mine, n_keys, shape.soft_cap);
      float top = *std::max_element(mine, mine + n_keys);
      if (sink != nullptr) top = std::max(top, *sink);
      float sum = kernels_.exp_sum(mine, n_keys, top);
      if (sink != nullptr) sum += std::exp(*sink - top);
      for (int64_t i = 0; i < n_keys; ++i) mine[i] /= sum;
      std::fill_n(task.out + at(row, g), dim, 0.0F);
    }
  }
  ForEachKey(task, kValues, scratch, [&](int64_t row, int64_t key, const float* vector) {
    for (int64_t g = 0; g < group; ++g) {
      kernels_.multiply_add(scores_of(row, g)[key], vector, task.out + at(row, g), dim);
    }
  });
}

}  // namespace skerry::engine::internal
