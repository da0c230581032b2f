// Llama 1 to 3.3 (https://huggingface.co/docs/transformers/model_doc/llama) and, in GGUF, every
// model that its converters call "llama": Mistral's and Mixtral too.
#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kKeys[] = {"attention_bias", "mlp_bias", "layer_types"};
constexpr Neutral kNeutral[] = {{"hidden_act", "\"silu\""}};

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(internal::ReadDecoder(config, out));
  out.qkv_bias = TRY(internal::BoolOr(config, "attention_bias", false));
  out.attention_out_bias = out.qkv_bias;
  out.mlp_bias = TRY(internal::BoolOr(config, "mlp_bias", false));
  return internal::ReadWindows(
      config, 0, [](int64_t) { return false; }, out);
}

constexpr std::string_view kGgufNames[] = {"llama"};
constexpr std::string_view kGgufKeys[] = {"attention.sliding_window"};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadDecoder(out));
  TRY(reader.ReadRope(out));
  const int64_t window = TRY(reader.IntOr("attention.sliding_window", 0));
  if (window == 0) return {};
  return reader.ReadWindows(
      window, [](int64_t) { return true; }, out);
}

}  // namespace

const Architecture& LlamaArchitecture() {
  static const std::span<const TensorName> kNames[] = {internal::DecoderNames()};
  static const Architecture kLlama = {
      .name = "llama",
      .hugging_face = {.model_type = "llama",
                       .class_name = "LlamaForCausalLM",
                       .keys = kKeys,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace},
      .gguf = {.names = kGgufNames, .keys = kGgufKeys, .read = ReadGguf, .rotary_pairs = true},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = internal::DecoderLayer(),
      .output = internal::DecoderOutput(),
  };
  return kLlama;
}

}  // namespace skerry::engine
