// Ministral 3 and Devstral Small 2 as Hugging Face has them: Mistral's decoder with queries that
// are scaled by their position (https://huggingface.co/docs/transformers/model_doc/ministral3).
#include <nlohmann/json.hpp>

#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kKeys[] = {"sliding_window", "layer_types"};
constexpr Neutral kNeutral[] = {
    {"hidden_act", "\"silu\""}, {"attention_bias", "false"}, {"mlp_bias", "false"}};

// The defaults of transformers' Ministral3Config.
constexpr const char* kTextDefaults = R"({
  "vocab_size": 131072, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 34,
  "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
  "max_position_embeddings": 262144, "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": 2,
  "rope_parameters": {"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 16.0,
    "original_max_position_embeddings": 16384, "beta_fast": 32.0, "beta_slow": 1.0,
    "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1}})";
constexpr Wrapper kWrappers[] = {{"mistral3", "Mistral3ForConditionalGeneration", kTextDefaults}};

// Takes what is not about rotation out of 'rope_parameters'.
Result<void> TakeQueryScale(const Json& config, Json& rope, QueryScale& out) {
  if (!rope.is_object()) return internal::Unsupported("absent or not an object");
  out.beta = TRY(internal::Number(rope, "llama_4_scaling_beta"));
  out.length = TRY(GetInt(rope, "original_max_position_embeddings"));
  if (internal::Given(rope, "max_position_embeddings") &&
      rope["max_position_embeddings"] != config.value("max_position_embeddings", Json())) {
    return internal::Unsupported("'max_position_embeddings' contradicts the one beside it");
  }
  rope.erase("llama_4_scaling_beta");
  rope.erase("max_position_embeddings");
  return {};
}

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(GetInt(config, "num_key_value_heads"));  // the class's defaults are not derived from others
  TRY(GetInt(config, "head_dim"));
  Json plain = config;
  TRY(TakeQueryScale(config, plain["rope_parameters"], out.query_scale)
          .WithContext("'rope_parameters'"));
  TRY(internal::ReadDecoder(plain, out));
  const int64_t window = TRY(internal::IntOr(config, "sliding_window", 0));
  return internal::ReadOneWindow(config, window, out);
}

}  // namespace

const Architecture& Ministral3Architecture() {
  static const std::span<const TensorName> kNames[] = {internal::DecoderNames()};
  static const Architecture kMinistral3 = {
      .name = "ministral3",
      .hugging_face = {.model_type = "ministral3",
                       .class_name = "Ministral3ForCausalLM",
                       .keys = kKeys,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace,
                       .wrappers = kWrappers},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = internal::DecoderLayer(),
      .output = internal::DecoderOutput(),
  };
  return kMinistral3;
}

}  // namespace skerry::engine
