#include "engine/architectures/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace skerry::engine {
namespace {

// Far above every published context.
constexpr double kMaxPosition = 1 << 30;
constexpr double kMaxFactor = 1 << 20;

Error Contradiction() {
  return Error(ErrorCode::kInvalidArgument, "the factors contradict each other");
}

// The pair, as a real number, that turns `turns` times within `max_position` tokens.
double PairOfTurns(double turns, double max_position, double theta, int64_t head_dim) {
  return static_cast<double>(head_dim) * std::log(max_position / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(theta));
}

}  // namespace

std::vector<double> Llama3Divisors(const Llama3Scaling& scaling, double theta, int64_t head_dim) {
  std::vector<double> divisors;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    const double wavelength = 2 * std::numbers::pi * std::pow(theta, exponent);
    const double turns = scaling.original_max_position / wavelength;
    double divisor = 1;
    if (turns < scaling.low_freq_factor) {
      divisor = scaling.factor;
    } else if (turns <= scaling.high_freq_factor) {
      const double keep =
          (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
      divisor = 1 / ((1 - keep) / scaling.factor + keep);
    }
    divisors.push_back(divisor);
  }
  return divisors;
}

std::vector<double> YarnDivisors(const YarnScaling& scaling, double theta, int64_t head_dim) {
  double low = PairOfTurns(scaling.beta_fast, scaling.original_max_position, theta, head_dim);
  double high = PairOfTurns(scaling.beta_slow, scaling.original_max_position, theta, head_dim);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(head_dim - 1));
  if (low == high) high += 0.001;  // a step instead of a ramp
  std::vector<double> divisors;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double stretch = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    divisors.push_back(1 / (stretch / scaling.factor + (1 - stretch)));
  }
  return divisors;
}

double YarnAttentionFactor(double factor, double weight) {
  return factor > 1 ? 0.1 * weight * std::log(factor) + 1 : 1;
}

Result<void> ValidateScaling(const Llama3Scaling& scaling) {
  if (!(scaling.factor >= 1 && scaling.factor <= kMaxFactor) || !(scaling.low_freq_factor > 0) ||
      !(scaling.high_freq_factor > scaling.low_freq_factor) ||
      !std::isfinite(scaling.high_freq_factor) || !(scaling.original_max_position >= 1) ||
      !(scaling.original_max_position <= kMaxPosition)) {
    return Contradiction();
  }
  return {};
}

Result<void> ValidateScaling(const YarnScaling& scaling) {
  if (!(scaling.factor >= 1 && scaling.factor <= kMaxFactor) || !(scaling.beta_slow > 0) ||
      !(scaling.beta_fast > scaling.beta_slow) || !std::isfinite(scaling.beta_fast) ||
      !(scaling.original_max_position >= 1) || !(scaling.original_max_position <= kMaxPosition)) {
    return Contradiction();
  }
  return {};
}

}  // namespace skerry::engine
