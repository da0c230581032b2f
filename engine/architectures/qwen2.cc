// Qwen 2 and 2.5, dense (https://huggingface.co/docs/transformers/model_doc/qwen2): biases on q, k
// and v that no key announces.
#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kKeys[] = {"use_sliding_window", "sliding_window", "max_window_layers",
                                      "layer_types"};
constexpr Neutral kNeutral[] = {{"hidden_act", "\"silu\""}, {"use_mrope", "false"}};

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(internal::ReadDecoder(config, out));
  out.qkv_bias = true;
  return internal::ReadQwenWindows(config, out);
}

constexpr std::string_view kGgufNames[] = {"qwen2"};

Result<void> ReadGguf(const GgufReader& reader, ModelConfig& out) {
  TRY(reader.ReadDecoder(out));
  out.qkv_bias = true;
  return reader.ReadRope(out);
}

}  // namespace

const Architecture& Qwen2Architecture() {
  static const std::span<const TensorName> kNames[] = {internal::DecoderNames()};
  static const Architecture kQwen2 = {
      .name = "qwen2",
      .hugging_face = {.model_type = "qwen2",
                       .class_name = "Qwen2ForCausalLM",
                       .keys = kKeys,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace},
      .gguf = {.names = kGgufNames, .read = ReadGguf},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = internal::DecoderLayer(),
      .output = internal::DecoderOutput(),
  };
  return kQwen2;
}

}  // namespace skerry::engine
