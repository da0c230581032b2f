#include "engine/sampler/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace skerry::engine {
namespace {

// How many tokens are sorted at first when top_p needs an order; the nucleus is rarely larger.
constexpr size_t kFirstSorted = 256;

uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

}  // namespace

double UniformAt(uint64_t seed, uint64_t counter) {
  constexpr uint64_t kGamma = 0x9E3779B97F4A7C15u;
  const uint64_t bits = Mix(Mix(seed + kGamma) + (counter + 1) * kGamma);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

void Sampler::Penalize(std::span<float> logits) const {
  if (params_.presence_penalty == 0 && params_.frequency_penalty == 0) return;
  for (const auto& [token, count] : counts_) {
    if (token < 0 || static_cast<size_t>(token) >= logits.size()) continue;
    logits[token] -=
        static_cast<float>(params_.presence_penalty + params_.frequency_penalty * count);
  }
}

Result<TokenId> Sampler::Sample(std::span<float> logits) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  Penalize(logits);
  for (const TokenId token : banned_) {
    if (token >= 0 && static_cast<size_t>(token) < logits.size()) logits[token] = kNever;
  }
  size_t best = logits.size();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!std::isfinite(logits[i])) {
      logits[i] = kNever;
    } else if (best == logits.size() || logits[i] > logits[best]) {
      best = i;
    }
  }
  if (best == logits.size()) {
    return Error(ErrorCode::kInternal, "the model gave no finite logit for any allowed token");
  }
  TokenId token = static_cast<TokenId>(best);
  if (params_.temperature > 0) token = Draw(logits, logits[best]);
  Accept(token);
  return token;
}

TokenId Sampler::Draw(std::span<const float> logits, float max) {
  const double uniform = UniformAt(params_.seed, draws_++);
  const auto weight = [&](size_t i) {
    return std::exp((static_cast<double>(logits[i]) - max) / params_.temperature);
  };
  order_.resize(logits.size());
  std::iota(order_.begin(), order_.end(), 0);
  size_t kept = order_.size();
  size_t sorted = 0;
  const auto before = [&](TokenId a, TokenId b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const auto sort_first = [&](size_t n) {
    n = std::min(n, kept);
    std::partial_sort(order_.begin() + static_cast<std::ptrdiff_t>(sorted),
                      order_.begin() + static_cast<std::ptrdiff_t>(n), order_.end(), before);
    sorted = n;
  };
  if (params_.top_k > 0 && static_cast<size_t>(params_.top_k) < kept) {
    kept = static_cast<size_t>(params_.top_k);
    sort_first(kept);
  }
  double total = 0;
  for (size_t i = 0; i < kept; ++i) total += weight(order_[i]);
  if (params_.top_p < 1) {
    double sum = 0;
    for (size_t i = 0; i < kept; ++i) {
      if (i == sorted) sort_first(std::max(kFirstSorted, sorted * 4));
      sum += weight(order_[i]);
      if (sum >= params_.top_p * total) {
        kept = i + 1;
        total = sum;
      }
    }
  }
  double rest = uniform * total;
  for (size_t i = 0; i < kept; ++i) {
    rest -= weight(order_[i]);
    if (rest < 0) return order_[i];
  }
  // Rounding left a little: the last token that can be drawn at all.
  while (kept > 1 && weight(order_[kept - 1]) == 0) --kept;
  return order_[kept - 1];
}

}  // namespace skerry::engine
