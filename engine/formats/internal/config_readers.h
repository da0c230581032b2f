// ModelConfig from the two kinds of checkpoint. Whatever would change the mathematics and is not
// understood is refused by name.
#pragma once

#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/formats/gguf.h"
#include "engine/formats/model_config.h"

namespace skerry::engine::internal {

// `generation` is generation_config.json, empty when there is none; only its end ids count.
Result<ModelConfig> ReadHuggingFaceConfig(std::string_view config, std::string_view generation);

Result<ModelConfig> ReadGgufConfig(const GgufFile& gguf);

// What the two can read: values of 'model_type' and of 'general.architecture'.
std::vector<std::string_view> HuggingFaceTypes();
std::vector<std::string_view> GgufArchitectures();

// Ranges, divisibility, ids within the vocabulary. Both readers end with it.
Result<void> ValidateConfig(const ModelConfig& config);

// Llama 3's scaling as divisors of the head_dim / 2 frequencies.
struct Llama3Scaling {
  double factor = 0;
  double low_freq_factor = 0;
  double high_freq_factor = 0;
  double original_max_position = 0;
};
std::vector<float> Llama3Divisors(const Llama3Scaling& scaling, double theta, int64_t head_dim);

}  // namespace skerry::engine::internal
