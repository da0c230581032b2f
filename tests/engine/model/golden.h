// Goldens made by other implementations, and how close to them a model must be.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "engine/model/language_model.h"

namespace skerry::engine::testing {

inline nlohmann::json ReadJsonFile(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

inline double StandardDeviation(std::span<const float> values) {
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / n);
}

// Largest difference, in standard deviations of `expected`; infinite when the sizes differ.
inline double RelativeDifference(std::span<const float> got, std::span<const float> expected) {
  if (got.size() != expected.size()) return INFINITY;
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - expected[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst / StandardDeviation(expected);
}

// Mean over the rows of KL(softmax(expected) || softmax(got)), in nats.
inline double MeanKl(std::span<const float> got, std::span<const float> expected, size_t width) {
  auto log_sum = [](std::span<const float> row) {
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float value : row) sum += std::exp(value - top);
    return top + std::log(sum);
  };
  double total = 0;
  const size_t n_rows = expected.size() / width;
  for (size_t r = 0; r < n_rows; ++r) {
    const auto p = expected.subspan(r * width, width);
    const auto q = got.subspan(r * width, width);
    const double p_sum = log_sum(p);
    const double q_sum = log_sum(q);
    for (size_t i = 0; i < width; ++i) {
      total += std::exp(p[i] - p_sum) * ((p[i] - p_sum) - (q[i] - q_sum));
    }
  }
  return total / static_cast<double>(n_rows);
}

// Ids of all blocks of a cache.
inline std::vector<BlockId> AllBlocks(int32_t n) {
  std::vector<BlockId> blocks(n);
  std::iota(blocks.begin(), blocks.end(), 0);
  return blocks;
}

}  // namespace skerry::engine::testing
