// Fairness between tenants: a virtual clock for each, which runs with the service it gets, divided
// by its weight. Whoever is behind is served next (virtual token counter, Sheng et al., "Fairness
// in Serving Large Language Models", 2024, section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace skerry::engine {

// Service of one token: generating one costs a whole step's pass over the weights, a token of a
// prompt shares it with others. The paper's and OpenAI's prices have about this proportion.
inline constexpr double kPromptTokenService = 1;
inline constexpr double kGeneratedTokenService = 2;

struct Tenant {
  double clock = 0;
  double weight = 1;
  int32_t n_sequences = 0;  // waiting or running
  int64_t n_blocks = 0;     // of those running

  void Serve(double service) { clock += service / weight; }
  // What it holds of the cache, for its weight.
  double share() const { return static_cast<double>(n_blocks) / weight; }
};

// One thread.
class Tenants {
 public:
  // One more sequence of that tenant. One that was away starts no earlier than the least clock of
  // those here. The reference stays valid until its last sequence has left.
  Tenant& Enter(const std::string& id, double weight);
  void Leave(Tenant& tenant);

  size_t size() const { return tenants_.size(); }

 private:
  void ForgetAbsent();

  std::unordered_map<std::string, Tenant> tenants_;
  double floor_ = 0;  // clock of the one that left last
};

}  // namespace skerry::engine
