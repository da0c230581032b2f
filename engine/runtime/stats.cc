#include "engine/runtime/stats.h"

#include <algorithm>

namespace skerry::engine {

// vLLM, vllm/v1/metrics/loggers.py.
const std::array<double, 22> kFirstTokenBounds = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                                  0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10,
                                                  20,    40,    80,   160,  640,  2560};
const std::array<double, 19> kInterTokenBounds = {
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80};
const std::array<double, 20> kRequestTimeBounds = {
    0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920};
const std::array<double, 12> kGrammarTimeBounds = {2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4,
                                                   2e-4, 5e-4, 1e-3, 5e-3, 2e-2, 0.1};
const std::array<double, 14> kIterationBounds = {1,   8,    16,   32,   64,   128,   256,
                                                 512, 1024, 2048, 4096, 8192, 16384, 32768};
const std::array<double, 16> kRequestTokenBounds = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

void Histogram::Observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<size_t>(bucket)];
  ++count_;
  sum_ += value;
}

uint64_t Histogram::CountUpTo(size_t i) const {
  uint64_t count = 0;
  for (size_t bucket = 0; bucket <= std::min(i, bounds_.size()); ++bucket) count += counts_[bucket];
  return count;
}

}  // namespace skerry::engine
