// Mistral's dense models: 7B, Nemo, Small 3.x, in their own layout and in GGUF also Ministral 3
// (https://huggingface.co/docs/transformers/model_doc/mistral).
#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kKeys[] = {"sliding_window", "layer_types"};
constexpr Neutral kNeutral[] = {
    {"hidden_act", "\"silu\""}, {"attention_bias", "false"}, {"mlp_bias", "false"}};

// The defaults of transformers' MistralConfig.
constexpr const char* kTextDefaults = R"({
  "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
  "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072,
  "rms_norm_eps": 1e-6, "sliding_window": 4096, "bos_token_id": 1, "eos_token_id": 2})";
constexpr Wrapper kWrappers[] = {{"mistral3", "Mistral3ForConditionalGeneration", kTextDefaults}};

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(GetInt(config, "num_key_value_heads"));  // the class's default is not the number of heads
  TRY(internal::ReadDecoder(config, out));
  // The default of the class; a published config.json names null where the model has no window.
  constexpr int64_t kClassWindow = 4096;
  int64_t window = kClassWindow;
  if (config.contains("sliding_window")) {
    window = TRY(internal::IntOr(config, "sliding_window", 0));
  }
  return internal::ReadOneWindow(config, window, out);
}

constexpr std::string_view kGgufNames[] = {"mistral3"};
constexpr std::string_view kGgufKeys[] = {"attention.temperature_scale"};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadDecoder(out));
  TRY(reader.ReadRope(out));
  out.query_scale.beta = TRY(reader.FloatOr("attention.temperature_scale", 0));
  out.query_scale.length =
      TRY(reader.IntOr("rope.scaling.original_context_length", out.max_position));
  return {};
}

}  // namespace

const Architecture& MistralArchitecture() {
  static const std::span<const TensorName> kNames[] = {internal::DecoderNames()};
  static const Architecture kMistral = {
      .name = "mistral",
      .hugging_face = {.model_type = "mistral",
                       .class_name = "MistralForCausalLM",
                       .keys = kKeys,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace,
                       .wrappers = kWrappers},
      .gguf = {.names = kGgufNames, .keys = kGgufKeys, .read = ReadGguf, .rotary_pairs = true},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = internal::DecoderLayer(),
      .output = internal::DecoderOutput(),
  };
  return kMistral;
}

}  // namespace skerry::engine
