// Chooses the next token from the model's logits. Reproducible: what is drawn depends on the seed
// and the number of the draw only, whatever else the engine runs.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "appliance/base/result.h"
#include "engine/model/language_model.h"

namespace skerry::engine {

struct SamplingParams {
  double temperature = 1.0;        // 0: greedy, always the most likely token
  int32_t top_k = 0;               // 0: all
  double top_p = 1.0;              // (0, 1]
  double presence_penalty = 0.0;   // taken from the logit of each token generated before
  double frequency_penalty = 0.0;  // the same, once per time it was generated
  uint64_t seed = 0;
};

// The `counter`-th number of the stream `seed`, uniform in [0, 1): SplitMix64 (Steele, Lea, Flood,
// "Fast splittable pseudorandom number generators", 2014) over a mix of both.
double UniformAt(uint64_t seed, uint64_t counter);

// One sequence's sampler. One thread.
class Sampler {
 public:
  // `banned` tokens are never chosen.
  Sampler(const SamplingParams& params, std::vector<TokenId> banned)
      : params_(params), banned_(std::move(banned)) {}

  // The next token. `logits` ([vocab_size]) is changed. Equal logits: the lowest id wins in greedy
  // mode. kInternal when no token has a finite logit.
  Result<TokenId> Sample(std::span<float> logits);
  // Tells the sampler of a token that was not drawn by it.
  void Accept(TokenId token) { ++counts_[token]; }

 private:
  void Penalize(std::span<float> logits) const;
  TokenId Draw(std::span<const float> logits, float max);

  SamplingParams params_;
  std::vector<TokenId> banned_;
  std::unordered_map<TokenId, int32_t> counts_;
  uint64_t draws_ = 0;
  std::vector<TokenId> order_;  // scratch
};

}  // namespace skerry::engine
