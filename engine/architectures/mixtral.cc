// Mixtral 8x7B and 8x22B (https://huggingface.co/docs/transformers/model_doc/mixtral). Their GGUF
// files call themselves "llama".
#include "engine/architectures/internal/decoder.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/registry.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kKeys[] = {"num_local_experts", "num_experts_per_tok", "sliding_window",
                                      "layer_types"};
constexpr std::string_view kIgnored[] = {"output_router_logits", "router_aux_loss_coef",
                                         "router_jitter_noise"};
constexpr Neutral kNeutral[] = {{"hidden_act", "\"silu\""}};

constexpr TensorName kExpertNames[] = {
    {"router", "model.layers.#.block_sparse_moe.gate.weight", "blk.#.ffn_gate_inp.weight", {}},
    {"expert_gate",
     "model.layers.#.block_sparse_moe.experts.*.w1.weight",
     "blk.#.ffn_gate_exps.weight",
     {}},
    {"expert_up",
     "model.layers.#.block_sparse_moe.experts.*.w3.weight",
     "blk.#.ffn_up_exps.weight",
     {}},
    {"expert_down",
     "model.layers.#.block_sparse_moe.experts.*.w2.weight",
     "blk.#.ffn_down_exps.weight",
     {}},
};

Result<void> ReadHuggingFace(const Json& config, ModelConfig& out) {
  TRY(GetInt(config, "num_key_value_heads"));  // the class's default is not the number of heads
  TRY(internal::ReadDecoder(config, out));
  out.n_experts = TRY(GetInt(config, "num_local_experts"));
  out.experts_per_token = TRY(GetInt(config, "num_experts_per_tok"));
  out.expert_size = out.intermediate_size;
  for (LayerConfig& layer : out.layers) layer.experts = true;
  const int64_t window = TRY(internal::IntOr(config, "sliding_window", 0));
  return internal::ReadWindows(
      config, window, [&](int64_t) { return window != 0; }, out);
}

}  // namespace

const Architecture& MixtralArchitecture() {
  static const std::span<const TensorName> kNames[] = {kExpertNames, internal::DecoderNames()};
  static const Architecture kMixtral = {
      .name = "mixtral",
      .hugging_face = {.model_type = "mixtral",
                       .class_name = "MixtralForCausalLM",
                       .keys = kKeys,
                       .ignored = kIgnored,
                       .neutral = kNeutral,
                       .read = ReadHuggingFace},
      .names = kNames,
      .input = internal::DecoderInput(),
      .layer = internal::DecoderLayer(),
      .output = internal::DecoderOutput(),
  };
  return kMixtral;
}

}  // namespace skerry::engine
