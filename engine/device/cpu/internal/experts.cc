#include "engine/device/cpu/internal/experts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/device/cpu/internal/rowwise.h"

namespace skerry::engine::internal {
namespace {

// Rows that one expert takes at once.
constexpr int64_t kPieceRows = 512;

// The untaken expert with the highest score, the first of equals; any when none compares.
int32_t BestOf(std::span<const float> scores, const std::vector<bool>& taken) {
  int32_t best = -1;
  for (int32_t e = 0; e < std::ssize(scores); ++e) {
    if (!taken[e] && (best < 0 || scores[e] > scores[best])) best = e;
  }
  return best;
}

void RouteRow(std::span<const float> scores, bool normalise, int64_t per_row,
              std::vector<bool>& taken, int32_t* ids, float* shares) {
  taken.assign(scores.size(), false);
  for (int64_t i = 0; i < per_row; ++i) {
    ids[i] = BestOf(scores, taken);
    taken[ids[i]] = true;
  }
  const double top = scores[ids[0]];
  double sum = 0;
  if (normalise) {
    for (int64_t i = 0; i < per_row; ++i) sum += std::exp(scores[ids[i]] - top);
  } else {
    for (const float score : scores) sum += std::exp(score - top);
  }
  for (int64_t i = 0; i < per_row; ++i) {
    shares[i] = static_cast<float>(std::exp(scores[ids[i]] - top) / sum);
  }
}

}  // namespace

void Experts::Route(const float* scores, int64_t n_rows, int64_t n_experts, bool normalise,
                    const ExpertChoice& out) {
  pool_.ParallelFor(n_rows, RowGrain(n_experts), [&](int64_t begin, int64_t end, int) {
    std::vector<bool> taken;
    for (int64_t row = begin; row < end; ++row) {
      const std::span<const float> mine(scores + row * n_experts, n_experts);
      RouteRow(mine, normalise, out.per_row, taken, out.ids + row * out.per_row,
               out.shares + row * out.per_row);
    }
  });
}

void Experts::Bias(const Weight& biases, const ExpertChoice& choice, int64_t n_rows, float* y) {
  const int64_t width = biases.cols;
  const auto* values = static_cast<const float*>(biases.data);
  pool_.ParallelFor(n_rows * choice.per_row, RowGrain(width), [&](int64_t begin, int64_t end, int) {
    for (int64_t pair = begin; pair < end; ++pair) {
      const float* bias = values + choice.ids[pair] * width;
      float* to = y + pair * width;
      for (int64_t i = 0; i < width; ++i) to[i] += bias[i];
    }
  });
}

void Experts::Sum(const float* y, const ExpertChoice& choice, int64_t n_rows, int64_t width,
                  float* out) {
  pool_.ParallelFor(n_rows, RowGrain(width * choice.per_row), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* to = out + row * width;
      std::fill_n(to, width, 0.0F);
      for (int64_t i = 0; i < choice.per_row; ++i) {
        const int64_t pair = row * choice.per_row + i;
        const float share = choice.shares[pair];
        const float* from = y + pair * width;
        for (int64_t c = 0; c < width; ++c) to[c] += share * from[c];
      }
    }
  });
}

void Experts::SortPairs(std::span<const int32_t> ids, int64_t n_experts) {
  begins_.assign(n_experts + 1, 0);
  for (const int32_t id : ids) ++begins_[id + 1];
  for (int64_t e = 0; e < n_experts; ++e) begins_[e + 1] += begins_[e];
  std::vector<int64_t> next(begins_.begin(), begins_.end() - 1);
  pairs_.resize(ids.size());
  for (size_t pair = 0; pair < ids.size(); ++pair) {
    pairs_[next[ids[pair]]++] = static_cast<int64_t>(pair);
  }
}

// The rows that chose an expert are gathered, so that its matrix is read once for all of them; in
// pieces, so that the room for them is bounded.
void Experts::MatMul(std::span<const Weight> experts, const ExpertChoice& choice, const float* x,
                     bool x_per_expert, int64_t n_rows, float* y) {
  SortPairs(std::span(choice.ids, n_rows * choice.per_row), std::ssize(experts));
  for (size_t e = 0; e < experts.size(); ++e) {
    for (int64_t begin = begins_[e]; begin < begins_[e + 1]; begin += kPieceRows) {
      const int64_t n = std::min(kPieceRows, begins_[e + 1] - begin);
      MultiplyPiece(experts[e], std::span(pairs_).subspan(begin, n), x,
                    x_per_expert ? 1 : choice.per_row, y);
    }
  }
}

void Experts::MultiplyPiece(const Weight& expert, std::span<const int64_t> pairs, const float* x,
                            int64_t pairs_per_x, float* y) {
  const int64_t cols = expert.cols;
  const int64_t rows = expert.rows;
  const auto n = static_cast<int64_t>(pairs.size());
  if (n == 1) {
    return matmuls_.Multiply(expert, x + pairs[0] / pairs_per_x * cols, 1, y + pairs[0] * rows);
  }
  gathered_.resize(n * cols);
  results_.resize(n * rows);
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(&gathered_[i * cols], x + pairs[i] / pairs_per_x * cols, cols * sizeof(float));
  }
  matmuls_.Multiply(expert, gathered_.data(), n, results_.data());
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(y + pairs[i] * rows, &results_[i * rows], rows * sizeof(float));
  }
}

}  // namespace skerry::engine::internal
