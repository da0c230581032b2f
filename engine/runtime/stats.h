// Numbers about the engine, for /metrics and for people. Bounds of the histograms are vLLM's, so
// that its dashboards fit.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry::engine {

// Cumulative histogram as Prometheus wants it. One thread.
class Histogram {
 public:
  // `bounds` ascend and outlive the histogram; a last one of infinity is implied.
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void Observe(double value);

  std::span<const double> bounds() const { return bounds_; }
  // Observations not above bounds()[i], and all of them.
  uint64_t CountUpTo(size_t i) const;
  uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::vector<uint64_t> counts_;  // by bucket
  uint64_t count_ = 0;
  double sum_ = 0;
};

extern const std::array<double, 22> kFirstTokenBounds;    // seconds
extern const std::array<double, 19> kInterTokenBounds;    // seconds
extern const std::array<double, 20> kRequestTimeBounds;   // seconds
extern const std::array<double, 12> kGrammarTimeBounds;   // seconds
extern const std::array<double, 14> kIterationBounds;     // tokens
extern const std::array<double, 16> kRequestTokenBounds;  // tokens

struct EngineStats {
  int32_t n_running = 0;
  int32_t n_waiting = 0;
  int32_t n_blocks = 0;
  int32_t n_blocks_used = 0;  // by sequences; idle ones of the prefix cache do not count

  uint64_t prefix_queries = 0;  // tokens
  uint64_t prefix_hits = 0;     // tokens
  uint64_t preemptions = 0;
  uint64_t prompt_tokens = 0;  // computed or found
  uint64_t generated_tokens = 0;
  uint64_t steps = 0;  // finished ones, canaries included
  uint64_t canaries = 0;
  uint64_t finished_stop = 0;
  uint64_t finished_length = 0;
  uint64_t cancelled = 0;
  uint64_t failed = 0;

  Histogram first_token{kFirstTokenBounds};
  Histogram inter_token{kInterTokenBounds};
  Histogram request_time{kRequestTimeBounds};
  Histogram queue_time{kRequestTimeBounds};
  Histogram prefill_time{kRequestTimeBounds};
  Histogram decode_time{kRequestTimeBounds};
  Histogram mask_time{kGrammarTimeBounds};  // what a grammar allows next
  Histogram iteration_tokens{kIterationBounds};
  Histogram request_prompt_tokens{kRequestTokenBounds};
  Histogram request_generated_tokens{kRequestTokenBounds};
};

}  // namespace skerry::engine
