// Logarithms of probabilities to report beside tokens. They are the model's own: taken from the raw
// logits, before penalties, masks, temperature and cuts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/device/ids.h"

namespace skerry::engine {

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;
  int32_t rank = 1;  // 1: the most likely; of equals the lower id comes first
};

struct PositionLogprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  // the most likely ones, in order
};

// For the token `chosen` of `logits`, with the `n_top` most likely beside it. Logits that are not
// finite count as impossible; the lowest finite number is reported for them.
PositionLogprobs LogprobsAt(std::span<const float> logits, TokenId chosen, int32_t n_top);

}  // namespace skerry::engine
