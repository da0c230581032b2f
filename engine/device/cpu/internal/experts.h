// Routing to experts and their matrices. Methods as Device's ops of these names.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/device/cpu/matmul.h"
#include "engine/device/cpu/thread_pool.h"
#include "engine/device/device.h"

namespace skerry::engine::internal {

// One thread at a time.
class Experts {
 public:
  Experts(MatMuls& matmuls, ThreadPool& pool) : matmuls_(matmuls), pool_(pool) {}

  void Route(const float* scores, int64_t n_rows, int64_t n_experts, bool normalise,
             const ExpertChoice& out);
  void MatMul(std::span<const Weight> experts, const ExpertChoice& choice, const float* x,
              bool x_per_expert, int64_t n_rows, float* y);
  void Bias(const Weight& biases, const ExpertChoice& choice, int64_t n_rows, float* y);
  void Sum(const float* y, const ExpertChoice& choice, int64_t n_rows, int64_t width, float* out);

 private:
  void SortPairs(std::span<const int32_t> ids, int64_t n_experts);
  void MultiplyPiece(const Weight& expert, std::span<const int64_t> pairs, const float* x,
                     int64_t pairs_per_x, float* y);

  MatMuls& matmuls_;
  ThreadPool& pool_;
  // Pairs of row and expert, numbered row * per_row + i, in the order of the experts and within one
  // in that of the rows: those of expert e are pairs_[begins_[e]] to pairs_[begins_[e + 1] - 1].
  std::vector<int64_t> pairs_;
  std::vector<int64_t> begins_;
  std::vector<float> gathered_;  // rows of x for one expert, and of its results
  std::vector<float> results_;
};

}  // namespace skerry::engine::internal
