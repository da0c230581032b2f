// How published models stretch rotary positions beyond the context they were trained on: divisors
// of the head_dim / 2 frequencies theta^(-2i / head_dim).
#pragma once

#include <cstdint>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::engine {

// Llama 3.1: waves that turn more than `high_freq_factor` times within the original context are
// kept, those that turn less than `low_freq_factor` times are stretched by `factor`, those between
// are blended.
struct Llama3Scaling {
  double factor = 0;
  double low_freq_factor = 0;
  double high_freq_factor = 0;
  double original_max_position = 0;
};
std::vector<double> Llama3Divisors(const Llama3Scaling& scaling, double theta, int64_t head_dim);

// YaRN (Peng et al., arXiv:2309.00071): pairs are kept up to the one that turns `beta_fast` times
// within the original context, stretched from the one that turns `beta_slow` times, and blended
// along a ramp between the two.
struct YarnScaling {
  double factor = 0;
  double original_max_position = 0;
  double beta_fast = 32;
  double beta_slow = 1;
  bool truncate = true;  // the ramp begins and ends at whole pairs
};
std::vector<double> YarnDivisors(const YarnScaling& scaling, double theta, int64_t head_dim);

// What YaRN multiplies sine and cosine by: 0.1 * weight * ln(factor) + 1.
double YarnAttentionFactor(double factor, double weight = 1);

// kInvalidArgument when the numbers contradict each other.
Result<void> ValidateScaling(const Llama3Scaling& scaling);
Result<void> ValidateScaling(const YarnScaling& scaling);

}  // namespace skerry::engine
