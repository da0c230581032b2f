#include "engine/sampler/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace skerry::engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

void Forbid(std::span<float> logits, TokenId token) {
  if (token >= 0 && static_cast<size_t>(token) < logits.size()) logits[token] = kNever;
}

// Bits beyond the mask are not set.
void KeepAllowed(std::span<float> logits, std::span<const uint32_t> allowed) {
  for (size_t begin = 0; begin < logits.size(); begin += 32) {
    const size_t word_idx = begin / 32;
    const uint32_t word = word_idx < allowed.size() ? allowed[word_idx] : 0;
    if (word == UINT32_MAX) continue;
    const size_t end = std::min(begin + 32, logits.size());
    for (size_t i = begin; i < end; ++i) {
      if ((word >> (i - begin) & 1) == 0) logits[i] = kNever;
    }
  }
}

}  // namespace

Sampler::Sampler(SamplingParams params, SamplerContext context)
    : params_(std::move(params)),
      banned_(std::move(context.banned)),
      stop_tokens_(std::move(context.stop_tokens)) {
  if (params_.repetition_penalty != 1) prompt_.insert(context.prompt.begin(), context.prompt.end());
}

void Sampler::Accept(TokenId token) {
  generated_.push_back(token);
  ++counts_[token];
}

void Sampler::Mask(std::span<float> logits, std::span<const uint32_t> allowed) const {
  if (!allowed.empty()) KeepAllowed(logits, allowed);
  for (const TokenId token : banned_) Forbid(logits, token);
  for (const std::vector<TokenId>& word : params_.bad_words) {
    if (word.empty() || word.size() - 1 > generated_.size()) continue;
    if (std::equal(word.begin(), word.end() - 1,
                   generated_.end() - static_cast<std::ptrdiff_t>(word.size() - 1))) {
      Forbid(logits, word.back());
    }
  }
  if (n_tokens() < params_.min_tokens) {
    for (const TokenId token : stop_tokens_) Forbid(logits, token);
  }
}

void Sampler::Penalize(std::span<float> logits) const {
  const auto in_range = [&](TokenId token) {
    return token >= 0 && static_cast<size_t>(token) < logits.size();
  };
  for (const auto& [token, bias] : params_.logit_bias) {
    if (in_range(token)) logits[token] += bias;
  }
  if (params_.repetition_penalty != 1) {
    const auto factor = static_cast<float>(params_.repetition_penalty);
    const auto repeat = [&](TokenId token) {
      if (!in_range(token)) return;
      logits[token] = logits[token] > 0 ? logits[token] / factor : logits[token] * factor;
    };
    for (const TokenId token : prompt_) repeat(token);
    for (const auto& [token, count] : counts_) {
      if (!prompt_.contains(token)) repeat(token);
    }
  }
  if (params_.presence_penalty == 0 && params_.frequency_penalty == 0) return;
  for (const auto& [token, count] : counts_) {
    if (!in_range(token)) continue;
    logits[token] -=
        static_cast<float>(params_.presence_penalty + params_.frequency_penalty * count);
  }
}

Result<TokenId> Sampler::Sample(std::span<float> logits, std::span<const uint32_t> allowed) {
  Mask(logits, allowed);
  Penalize(logits);
  size_t best = logits.size();
  bool broken = false;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!std::isfinite(logits[i])) {
      broken = broken || logits[i] != kNever;
      logits[i] = kNever;
    } else if (best == logits.size() || logits[i] > logits[best]) {
      best = i;
    }
  }
  if (best == logits.size()) {
    return Error(allowed.empty() || broken ? ErrorCode::kInternal : ErrorCode::kExhausted,
                 "the model gave no finite logit for any allowed token");
  }
  auto token = static_cast<TokenId>(best);
  if (params_.temperature >= kGreedyTemperature) {
    CutCandidates(logits, logits[best], params_, candidates_);
    token = Draw(candidates_, UniformAt(params_.seed, draws_++));
  }
  Accept(token);
  return token;
}

}  // namespace skerry::engine
