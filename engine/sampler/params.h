// How one answer is to be sampled.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/device/ids.h"

namespace skerry::engine {

struct SamplingParams {
  double temperature = 1.0;  // below kGreedyTemperature: always the most likely token
  int32_t top_k = 0;         // the k most likely; 0: all
  double top_p = 1.0;        // (0, 1]: the most likely that together have this share
  double min_p = 0.0;        // [0, 1]: those with this share of the most likely one's probability
  double typical_p = 1.0;    // (0, 1]: those nearest to the expected surprise, with this share
  double presence_penalty = 0.0;    // taken from the logit of each token generated before
  double frequency_penalty = 0.0;   // the same, once per time it was generated
  double repetition_penalty = 1.0;  // above 0; divides the positive logits, multiplies the negative
                                    // ones of tokens in the prompt or generated before
  std::vector<std::pair<TokenId, float>> logit_bias = {};  // added to logits
  std::vector<std::vector<TokenId>> bad_words = {};  // runs of tokens that are never completed
  int32_t min_tokens = 0;                            // no stop token among the first so many
  uint64_t seed = 0;
};

// Dividing by less gives no useful numbers any more; vLLM's bound.
inline constexpr double kGreedyTemperature = 1e-5;

}  // namespace skerry::engine
