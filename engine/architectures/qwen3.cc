// Qwen 3, dense (https://huggingface.co/docs/transformers/model_doc/qwen3), and Qwen3-Embedding:
// RMS norms over each head's q and k.
#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kKeys[] = {"use_sliding_window", "sliding_window", "max_window_layers",
                                      "layer_types", "attention_bias"};
constexpr Neutral kNeutral[] = {{"hidden_act", "\"silu\""}};

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(GetInt(config, "head_dim"));  // the class's default is not hidden_size / heads
  TRY(internal::ReadDecoder(config, out));
  out.qk_norm = true;
  out.qkv_bias = TRY(internal::BoolOr(config, "attention_bias", false));
  out.attention_out_bias = out.qkv_bias;
  return internal::ReadQwenWindows(config, out);
}

constexpr std::string_view kGgufNames[] = {"qwen3"};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadDecoder(out));
  out.qk_norm = true;
  return reader.ReadRope(out);
}

}  // namespace

const Architecture& Qwen3Architecture() {
  static const std::span<const TensorName> kNames[] = {internal::DecoderNames()};
  static const Architecture kQwen3 = {
      .name = "qwen3",
      .hugging_face = {.model_type = "qwen3",
                       .class_name = "Qwen3ForCausalLM",
                       .keys = kKeys,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace},
      .gguf = {.names = kGgufNames, .read = ReadGguf},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = internal::DecoderLayer(),
      .output = internal::DecoderOutput(),
  };
  return kQwen3;
}

}  // namespace skerry::engine
