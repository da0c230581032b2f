// The tokens that may follow and their weights: temperature, min-p, top-k, top-p, typical, and the
// draw among what is left. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampler/params.h"

namespace skerry::engine {

struct Candidate {
  TokenId id = 0;
  float logit = 0;
  double weight = 0;  // its probability, up to a factor that all share; the most likely has 1
};

// The `counter`-th number of the stream `seed`, uniform in [0, 1): SplitMix64 (Steele, Lea, Flood,
// "Fast splittable pseudorandom number generators", 2014) over a mix of both.
double UniformAt(uint64_t seed, uint64_t counter);
// The seed of choice `choice` of a request with `seed`; the first has the request's own.
uint64_t ChoiceSeed(uint64_t seed, int32_t choice);

// Leaves in `out` what a draw is to be made from, in an order that depends on the logits alone.
// `max` is the largest logit; those of -infinity are left out. Equal logits: the lower id is kept.
// Cuts follow each other as in vLLM's sampler, each on what the one before left, with its shares
// brought back to a sum of 1; typical (which vLLM lacks) is the last, as in transformers.
void CutCandidates(std::span<const float> logits, float max, const SamplingParams& params,
                   std::vector<Candidate>& out);

// The candidate at `uniform` of the sum of weights.
TokenId Draw(std::span<const Candidate> candidates, double uniform);

}  // namespace skerry::engine
