#include "engine/sampler/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace skerry::engine {

PositionLogprobs LogprobsAt(std::span<const float> logits, TokenId chosen, int32_t n_top) {
  const auto likelier = [&](TokenId a, TokenId b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  std::vector<TokenId> order;
  order.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isfinite(logits[i])) order.push_back(static_cast<TokenId>(i));
  }
  float max = -std::numeric_limits<float>::max();
  for (const TokenId id : order) max = std::max(max, logits[id]);
  double sum = 0;
  for (const TokenId id : order) sum += std::exp(static_cast<double>(logits[id]) - max);
  const double normaliser = max + std::log(sum);

  PositionLogprobs result;
  result.chosen.id = chosen;
  if (std::isfinite(logits[chosen])) {
    result.chosen.logprob = static_cast<float>(logits[chosen] - normaliser);
    for (const TokenId id : order) result.chosen.rank += likelier(id, chosen) ? 1 : 0;
  } else {
    result.chosen.logprob = std::numeric_limits<float>::lowest();
    result.chosen.rank = static_cast<int32_t>(order.size()) + 1;
  }
  const size_t n = std::min(static_cast<size_t>(std::max(n_top, 0)), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                    likelier);
  for (size_t i = 0; i < n; ++i) {
    result.top.push_back(
        {order[i], static_cast<float>(logits[order[i]] - normaliser), static_cast<int32_t>(i) + 1});
  }
  return result;
}

}  // namespace skerry::engine
