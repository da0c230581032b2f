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
      : kernels_(kernels), pool_(pool), scores_(pool.n_threads()) {}

  void SetBatch(const Batch& batch);
  void Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t table);
  void ScaleByPosition(float* x, int64_t width, const PositionScale& scale) const;
  void StoreKv(const float* k, const float* v, const AttentionShape& shape, float* cache) const;
  void Attention(const float* q, const AttentionShape& shape, const float* sinks,
                 const float* cache, float* out);

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

  void ComputeAngles(const RopeFrequencies& rope, Angles& out);
  void AttendRow(const float* q, const AttentionShape& shape, const float* sinks,
                 const float* cache, int64_t row, int64_t kv_head, int thread, float* out);

  const CpuKernels& kernels_;
  ThreadPool& pool_;
  std::vector<Row> rows_;
  std::vector<Angles> angles_;              // by table
  std::vector<std::vector<float>> scores_;  // by thread
};

}  // namespace skerry::engine::internal
