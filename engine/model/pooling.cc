#include "engine/model/pooling.h"

#include <cmath>

namespace skerry::engine {
namespace {

struct Row {
  Pooling pooling;
  std::string_view name;
};
constexpr Row kNames[] = {
    {Pooling::kNone, "none"},
    {Pooling::kCls, "cls"},
    {Pooling::kMean, "mean"},
    {Pooling::kLast, "last"},
};

std::vector<float> Mean(std::span<const float> rows, size_t width) {
  std::vector<double> sums(width);
  for (size_t i = 0; i < rows.size(); ++i) sums[i % width] += rows[i];
  const double n = static_cast<double>(rows.size() / width);
  std::vector<float> mean;
  for (const double sum : sums) mean.push_back(static_cast<float>(sum / n));
  return mean;
}

}  // namespace

std::string_view PoolingName(Pooling pooling) {
  for (const Row& row : kNames) {
    if (row.pooling == pooling) return row.name;
  }
  return "?";
}

std::optional<Pooling> FindPooling(std::string_view name) {
  for (const Row& row : kNames) {
    if (row.name == name && row.pooling != Pooling::kNone) return row.pooling;
  }
  return std::nullopt;
}

std::vector<float> Pool(std::span<const float> rows, size_t width, Pooling pooling) {
  if (pooling == Pooling::kMean) return Mean(rows, width);
  const auto row = pooling == Pooling::kLast ? rows.last(width) : rows.first(width);
  return {row.begin(), row.end()};
}

void Normalise(std::span<float> vector) {
  double squares = 0;
  for (const float value : vector) squares += static_cast<double>(value) * value;
  if (squares == 0) return;
  const double factor = 1 / std::sqrt(squares);
  for (float& value : vector) value = static_cast<float>(value * factor);
}

}  // namespace skerry::engine
