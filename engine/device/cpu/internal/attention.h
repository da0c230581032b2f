// Rotary positions, the paged cache and attention over it, for the rows of one batch.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/device/cpu/kernels.h"
#include "engine/device/cpu/thread_pool.h"
#include "engine/device/device.h"

namespace skerry::engine::internal {

// Methods as Device's of the same name. One thread at a time.
class BatchAttention {
 public:
  BatchAttention(const CpuKernels& kernels, ThreadPool& pool)
      : kernels_(kernels), pool_(pool), scratch_(pool.n_threads()) {}

  void SetBatch(const Batch& batch);
  void Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t table);
  void ScaleByPosition(float* x, int64_t width, const PositionScale& scale) const;
  void StoreKv(const float* k, const float* v, const AttentionShape& shape,
               const KvCache& cache) const;
  void Attention(const float* q, const AttentionShape& shape, const float* sinks,
                 const KvCache& cache, float* out);
  // That one thread takes for sequences of up to `n_keys` tokens.
  static uint64_t ScratchBytes(const AttentionShape& shape, int64_t n_keys);

 private:
  struct Row {
    const BatchSequence* sequence = nullptr;
    int64_t position = 0;
  };
  // Of one rope table, scaled.
  struct Angles {
    std::vector<float> cosines;  // [n_rows, head_dim / 2]
    std::vector<float> sines;
  };

  // Some consecutive rows of one sequence, which read the cache together.
  struct RowGroup {
    int64_t first = 0;
    int64_t n_rows = 0;
  };
  // What one thread computes at a time: a group of rows, one key-value head, the query heads that
  // share it.
  struct Task {
    const AttentionShape& shape;
    const KvCache& cache;
    const float* q;
    const float* sinks;
    float* out;
    int64_t kv_head;
    RowGroup rows;
  };
  struct Keys {
    int64_t begin = 0;
    int64_t end = 0;
  };
  struct Scratch {
    std::vector<float> scores;   // [rows of the group, query heads, keys]
    std::vector<float> vectors;  // of one part of a block
  };

  void ComputeAngles(const RopeFrequencies& rope, Angles& out);
  Keys KeysOf(const AttentionShape& shape, int64_t row) const;
  template <typename Visit>
  void ForEachKey(const Task& task, int64_t part, Scratch& scratch, Visit visit) const;
  void Attend(const Task& task, Scratch& scratch) const;

  const CpuKernels& kernels_;
  ThreadPool& pool_;
  std::vector<Row> rows_;
  std::vector<Angles> angles_;  // by table
  std::vector<RowGroup> groups_;
  std::vector<Scratch> scratch_;  // by thread
};

}  // namespace skerry::engine::internal
