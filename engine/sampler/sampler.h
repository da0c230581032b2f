// Chooses the next token from the model's logits. Reproducible: what is drawn depends on the seed
// and the number of the draw only, whatever else the engine runs.
//
// Order of the stages, as vLLM's: tokens the grammar allows, banned tokens, bad words, stop tokens
// before min_tokens, logit_bias, repetition, frequency and presence penalty; then the most likely
// token when greedy, else temperature, min-p, top-k, top-p, typical and a draw.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "appliance/base/result.h"
#include "engine/sampler/candidates.h"
#include "engine/sampler/params.h"

namespace skerry::engine {

// What a sampler is told of its request beside the parameters.
struct SamplerContext {
  std::vector<TokenId> banned = {};       // never chosen
  std::vector<TokenId> stop_tokens = {};  // not chosen before params.min_tokens
  std::span<const TokenId> prompt = {};   // for the repetition penalty; read at once
};

// One sequence's sampler. One thread.
class Sampler {
 public:
  Sampler(SamplingParams params, SamplerContext context);

  // The next token. `logits` ([vocab_size]) is changed. `allowed`: when given, bit i % 32 of word
  // i / 32 is set for tokens that may come. Equal logits: the lowest id wins in greedy mode.
  // kInternal when no token has a finite logit; kExhausted when `allowed` is why.
  Result<TokenId> Sample(std::span<float> logits, std::span<const uint32_t> allowed = {});
  // Tells the sampler of a token that was not drawn by it.
  void Accept(TokenId token);

  // Tokens so far.
  int32_t n_tokens() const { return static_cast<int32_t>(generated_.size()); }

 private:
  void Mask(std::span<float> logits, std::span<const uint32_t> allowed) const;
  void Penalize(std::span<float> logits) const;

  SamplingParams params_;
  std::vector<TokenId> banned_;
  std::vector<TokenId> stop_tokens_;
  std::unordered_set<TokenId> prompt_;  // empty without a repetition penalty
  std::vector<TokenId> generated_;
  std::unordered_map<TokenId, int32_t> counts_;  // of those generated
  uint64_t draws_ = 0;
  std::vector<Candidate> candidates_;  // scratch
};

}  // namespace skerry::engine
