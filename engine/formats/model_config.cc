#include "engine/formats/model_config.h"

#include <cmath>
#include <numbers>
#include <string>

#include "engine/formats/internal/config_readers.h"

namespace skerry::engine {

std::string_view ArchitectureName(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
      return "llama";
    case Architecture::kMistral:
      return "mistral";
  }
  return "?";
}

namespace internal {
namespace {

// Above every published model; they keep products of two sizes far from overflow.
constexpr int64_t kMaxHidden = 1 << 17;
constexpr int64_t kMaxIntermediate = 1 << 20;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxHeads = 1024;
constexpr int64_t kMaxHeadDim = 1024;
constexpr int64_t kMaxVocab = 1 << 22;
constexpr int64_t kMaxPosition = 1 << 27;

Error Bad(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

Result<void> CheckRange(std::string_view what, int64_t value, int64_t limit) {
  if (value >= 1 && value <= limit) return {};
  return Bad(std::string(what) + " is " + std::to_string(value) + ", not 1 to " +
             std::to_string(limit));
}

}  // namespace

Result<void> ValidateConfig(const ModelConfig& config) {
  TRY(CheckRange("hidden size", config.hidden_size, kMaxHidden));
  TRY(CheckRange("intermediate size", config.intermediate_size, kMaxIntermediate));
  TRY(CheckRange("number of layers", config.n_layers, kMaxLayers));
  TRY(CheckRange("number of heads", config.n_heads, kMaxHeads));
  TRY(CheckRange("number of key-value heads", config.n_kv_heads, config.n_heads));
  TRY(CheckRange("head size", config.head_dim, kMaxHeadDim));
  TRY(CheckRange("vocabulary size", config.vocab_size, kMaxVocab));
  TRY(CheckRange("longest context", config.max_position, kMaxPosition));
  if (config.n_heads % config.n_kv_heads != 0) {
    return Bad(std::to_string(config.n_heads) + " heads cannot share " +
               std::to_string(config.n_kv_heads) + " key-value heads evenly");
  }
  if (config.head_dim % 2 != 0)
    return Bad("head size " + std::to_string(config.head_dim) + " is odd");
  if (!(config.rms_eps > 0 && config.rms_eps < 1))
    return Bad("the norm's epsilon is not in (0, 1)");
  if (!(config.rope_theta >= 1 && config.rope_theta < 1e15))
    return Bad("rope theta is out of range");
  if (!config.rope_divisors.empty() &&
      config.rope_divisors.size() != static_cast<size_t>(config.head_dim / 2)) {
    return Bad(std::to_string(config.rope_divisors.size()) +
               " rope factors do not fit a head size of " + std::to_string(config.head_dim));
  }
  for (const float divisor : config.rope_divisors) {
    if (!(divisor > 0 && std::isfinite(divisor))) return Bad("a rope factor is not positive");
  }
  if (config.sliding_window < 0) return Bad("the sliding window is negative");
  if (config.bos_id < -1 || config.bos_id >= config.vocab_size) {
    return Bad("begin id " + std::to_string(config.bos_id) + " is outside the vocabulary");
  }
  for (const int32_t id : config.eos_ids) {
    if (id < 0 || id >= config.vocab_size) {
      return Bad("end id " + std::to_string(id) + " is outside the vocabulary");
    }
  }
  return {};
}

// Long wavelengths are stretched by `factor`, short ones kept, those between blended.
std::vector<float> Llama3Divisors(const Llama3Scaling& scaling, double theta, int64_t head_dim) {
  std::vector<float> divisors;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    const double wavelength = 2 * std::numbers::pi * std::pow(theta, exponent);
    const double turns = scaling.original_max_position / wavelength;
    double divisor = 1;
    if (turns < scaling.low_freq_factor) {
      divisor = scaling.factor;
    } else if (turns <= scaling.high_freq_factor) {
      const double keep =
          (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
      divisor = 1 / ((1 - keep) / scaling.factor + keep);
    }
    divisors.push_back(static_cast<float>(divisor));
  }
  return divisors;
}

}  // namespace internal
}  // namespace skerry::engine
