#include "engine/sampler/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace skerry::engine {
namespace {

// How many candidates are sorted at first when an order is needed; the nucleus is rarely larger.
constexpr size_t kFirstSorted = 256;

uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

bool MoreLikely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

double Total(std::span<const Candidate> candidates) {
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

// Keeps the first in the order `before` that together have `share` of all weight; at least one.
template <typename Before>
void KeepShare(std::vector<Candidate>& candidates, double share, Before before) {
  const double wanted = share * Total(candidates);
  size_t sorted = 0;
  double sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i == sorted) {
      const size_t next = std::min(std::max(kFirstSorted, sorted * 4), candidates.size());
      std::partial_sort(candidates.begin() + static_cast<std::ptrdiff_t>(sorted),
                        candidates.begin() + static_cast<std::ptrdiff_t>(next), candidates.end(),
                        before);
      sorted = next;
    }
    sum += candidates[i].weight;
    if (sum >= wanted) {
      candidates.resize(i + 1);
      return;
    }
  }
}

// Meister et al., "Locally Typical Sampling", 2023: the order is by how far a token's surprise is
// from the expected one.
void KeepTypical(std::vector<Candidate>& candidates, double share) {
  const double total = Total(candidates);
  double entropy = 0;
  for (const Candidate& candidate : candidates) {
    const double p = candidate.weight / total;
    if (p > 0) entropy -= p * std::log(p);
  }
  const auto distance = [&](const Candidate& candidate) {
    return std::abs(-std::log(candidate.weight / total) - entropy);
  };
  KeepShare(candidates, share, [&](const Candidate& a, const Candidate& b) {
    const double distance_a = distance(a);
    const double distance_b = distance(b);
    return distance_a != distance_b ? distance_a < distance_b : a.id < b.id;
  });
}

}  // namespace

double UniformAt(uint64_t seed, uint64_t counter) {
  constexpr uint64_t kGamma = 0x9E3779B97F4A7C15u;
  const uint64_t bits = Mix(Mix(seed + kGamma) + (counter + 1) * kGamma);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

uint64_t ChoiceSeed(uint64_t seed, int32_t choice) {
  return choice == 0 ? seed : Mix(seed ^ Mix(static_cast<uint64_t>(choice)));
}

void CutCandidates(std::span<const float> logits, float max, const SamplingParams& params,
                   std::vector<Candidate>& out) {
  out.clear();
  // In logits: weight >= min_p.
  float least = -std::numeric_limits<float>::max();
  if (params.min_p > 0) {
    least = static_cast<float>(max + params.temperature * std::log(params.min_p));
  }
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= least) out.push_back({static_cast<TokenId>(i), logits[i], 0});
  }
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < out.size()) {
    std::partial_sort(out.begin(), out.begin() + params.top_k, out.end(), MoreLikely);
    out.resize(params.top_k);
  }
  for (Candidate& candidate : out) {
    candidate.weight = std::exp((static_cast<double>(candidate.logit) - max) / params.temperature);
  }
  if (params.top_p < 1) KeepShare(out, params.top_p, MoreLikely);
  if (params.typical_p < 1) KeepTypical(out, params.typical_p);
}

TokenId Draw(std::span<const Candidate> candidates, double uniform) {
  double rest = uniform * Total(candidates);
  for (const Candidate& candidate : candidates) {
    rest -= candidate.weight;
    if (rest < 0) return candidate.id;
  }
  // Rounding left a little: the last one that can be drawn at all.
  size_t last = candidates.size() - 1;
  while (last > 0 && candidates[last].weight == 0) --last;
  return candidates[last].id;
}

}  // namespace skerry::engine
