// libFuzzer target: the configurations of models. GGUF metadata is known by its magic number,
// params.json and sentence-transformers' files by a first byte P or S, all else is config.json and
// behind a zero byte generation_config.json. An accepted configuration must keep the promises that
// loading and running build on.
#include <cstdlib>
#include <string_view>

#include "engine/architectures/architecture.h"
#include "engine/architectures/internal/readers.h"

namespace skerry::engine {
namespace {

void Require(bool promise) {
  if (!promise) abort();
}

// Sizes whose products the loader and the model form without looking again.
void CheckPromises(const ModelConfig& config) {
  Require(config.architecture != nullptr);
  Require(config.n_kv_heads >= 1 && config.n_heads % config.n_kv_heads == 0);
  Require(config.head_dim >= 2 && config.head_dim % 2 == 0 && config.vocab_size >= 1);
  Require(config.n_layers >= 1 && config.hidden_size >= 1 && config.max_position >= 1);
  Require(config.layers.size() == static_cast<size_t>(config.n_layers));
  for (const LayerConfig& layer : config.layers) {
    Require(layer.window >= 0 && layer.rope >= 0);
    Require(layer.rope == 0 || layer.rope < static_cast<int32_t>(config.ropes.size()));
    if (!layer.experts) continue;
    Require(config.experts_per_token >= 1 && config.experts_per_token <= config.n_experts);
    Require(config.expert_size >= 1);
  }
  Require(config.query_scale.length >= 1);
  (void)UnquantisedEntry(config.quantization, "model.layers.0.mlp.gate_proj.weight");
  for (const RopeTable& rope : config.ropes) {
    Require(rope.divisors.empty() ||
            rope.divisors.size() == static_cast<size_t>(config.head_dim / 2));
    for (const double divisor : rope.divisors) Require(divisor > 0);
  }
  for (const WeightSpec& weight : ModelWeights(config)) {
    int64_t elements = 1;
    for (const int64_t dim : weight.shape) {
      Require(dim >= 1 && !__builtin_mul_overflow(elements, dim, &elements));
    }
  }
}

}  // namespace
}  // namespace skerry::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\0');
  const std::string_view first = text.substr(0, cut);
  const std::string_view second =
      cut != std::string_view::npos ? text.substr(cut + 1) : std::string_view();
  if (text.starts_with("GGUF")) {
    const auto gguf = GgufFile::Parse({data, size}, "fuzz");
    if (!gguf) return 0;
    const auto config = internal::ReadGgufConfig(*gguf);
    if (config) CheckPromises(*config);
  } else if (text.starts_with('P')) {
    const auto config = internal::ReadMistralConfig(text.substr(1));
    if (config) CheckPromises(*config);
  } else if (text.starts_with('S')) {
    ModelConfig config;
    const auto read = internal::ReadSentencePooling(first.substr(1), second, config);
    if (read && !second.empty()) Require(config.pooling != Pooling::kNone);
  } else {
    const auto config = internal::ReadHuggingFaceConfig(first, second);
    if (config) CheckPromises(*config);
  }
  return 0;
}
