// params.json, Mistral's own configuration. Keys as vLLM's reader of it knows them:
// https://github.com/vllm-project/vllm/blob/main/vllm/transformers_utils/configs/mistral.py
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/internal/limits.h"
#include "engine/architectures/internal/readers.h"
#include "engine/architectures/registry.h"
#include "engine/architectures/rope_scaling.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kRead[] = {
    "dim",          "n_layers",        "head_dim",
    "hidden_dim",   "n_heads",         "n_kv_heads",
    "norm_eps",     "vocab_size",      "rope_theta",
    "yarn",         "max_seq_len",     "max_position_embeddings",
    "moe",          "tied_embeddings", "sliding_window",
    "quantization", "llama_4_scaling",
};

// Of the parts that are not text, and of training.
constexpr std::string_view kIgnored[] = {"vision_encoder", "multimodal", "model_type", "dtype"};

constexpr Neutral kNeutral[] = {{"use_biases", "false"}, {"causal", "true"}};

Result<void> CheckParams(const Json& params) {
  const auto contains = [](std::span<const std::string_view> list, std::string_view key) {
    return std::find(list.begin(), list.end(), key) != list.end();
  };
  for (const auto& [key, value] : params.items()) {
    if (value.is_null() || contains(kRead, key) || contains(kIgnored, key)) continue;
    const auto* const neutral =
        std::find_if(std::begin(kNeutral), std::end(kNeutral),
                     [&name = key](const Neutral& row) { return row.key == name; });
    if (neutral == std::end(kNeutral)) {
      return Unsupported("'" + key + "' is not known; it may change what the model computes");
    }
    if (value != Json::parse(neutral->value)) {
      return Unsupported("'" + key + "' is supported only as " + neutral->value);
    }
  }
  return {};
}

Result<void> ReadYarn(const Json& yarn, ModelConfig& out) {
  if (!yarn.is_object()) return Unsupported("not an object");
  TRY(RefuseUnknownKeys(
      yarn, {"factor", "original_max_position_embeddings", "beta", "alpha", "apply_scale"}));
  YarnScaling scaling;
  scaling.factor = TRY(Number(yarn, "factor"));
  scaling.original_max_position = TRY(Number(yarn, "original_max_position_embeddings"));
  scaling.beta_fast = TRY(NumberOr(yarn, "beta", scaling.beta_fast));
  scaling.beta_slow = TRY(NumberOr(yarn, "alpha", scaling.beta_slow));
  TRY(ValidateScaling(scaling));
  RopeTable& table = out.ropes[0];
  table.divisors = YarnDivisors(scaling, table.theta, out.head_dim);
  const bool scaled = TRY(BoolOr(yarn, "apply_scale", true));
  if (scaled) table.scale = YarnAttentionFactor(scaling.factor);
  return {};
}

// One number for all layers, or a list that is repeated over them; null and 0 see everything.
Result<void> ReadWindow(const Json& params, ModelConfig& out) {
  if (!Given(params, "sliding_window")) return {};
  const Json& value = params["sliding_window"];
  const Json list = value.is_array() ? value : Json::array({value});
  if (list.empty() || out.layers.size() % list.size() != 0) {
    return Unsupported("'sliding_window' is a list that does not fit the number of layers");
  }
  for (size_t i = 0; i < out.layers.size(); ++i) {
    const Json& window = list[i % list.size()];
    if (window.is_null()) continue;
    if (!window.is_number_integer() || window < 0 || window > kMaxPosition) {
      return Unsupported("'sliding_window' is not a number of tokens");
    }
    out.layers[i].window = window.get<int64_t>();
  }
  return {};
}

Result<void> ReadExperts(const Json& moe, ModelConfig& out) {
  if (!moe.is_object()) return Unsupported("not an object");
  TRY(RefuseUnknownKeys(moe, {"num_experts", "num_experts_per_tok"}));
  out.n_experts = TRY(GetInt(moe, "num_experts"));
  out.experts_per_token = TRY(GetInt(moe, "num_experts_per_tok"));
  out.expert_size = out.intermediate_size;
  for (LayerConfig& layer : out.layers) layer.experts = true;
  return {};
}

Result<void> ReadQueryScale(const Json& scaling, ModelConfig& out) {
  if (!scaling.is_object()) return Unsupported("not an object");
  TRY(RefuseUnknownKeys(scaling, {"original_max_position_embeddings", "beta"}));
  out.query_scale.beta = TRY(Number(scaling, "beta"));
  out.query_scale.length = TRY(GetInt(scaling, "original_max_position_embeddings"));
  return {};
}

Result<void> ReadParams(const Json& params, ModelConfig& out) {
  constexpr int64_t kDefaultPositions = 128'000;
  out.hidden_size = TRY(GetInt(params, "dim"));
  out.intermediate_size = TRY(GetInt(params, "hidden_dim"));
  out.n_layers = TRY(GetInt(params, "n_layers"));
  out.n_heads = TRY(GetInt(params, "n_heads"));
  out.n_kv_heads = TRY(IntOr(params, "n_kv_heads", out.n_heads));
  if (out.n_heads <= 0) return Unsupported("'n_heads' is not positive");
  out.head_dim = TRY(IntOr(params, "head_dim", out.hidden_size / out.n_heads));
  out.vocab_size = TRY(GetInt(params, "vocab_size"));
  const int64_t positions = TRY(IntOr(params, "max_position_embeddings", kDefaultPositions));
  out.max_position = TRY(IntOr(params, "max_seq_len", positions));
  const double eps = TRY(Number(params, "norm_eps"));
  out.norm_eps = static_cast<float>(eps);
  out.tie_word_embeddings = TRY(BoolOr(params, "tied_embeddings", false));
  TRY(CheckSizes(out));  // before memory is sized by them
  out.layers.resize(out.n_layers);
  out.ropes.resize(1);
  out.ropes[0].theta = TRY(NumberOr(params, "rope_theta", 10000.0));
  if (!(out.ropes[0].theta >= 1)) return Unsupported("'rope_theta' is below 1");
  if (Given(params, "yarn")) TRY(ReadYarn(params["yarn"], out).WithContext("'yarn'"));
  if (Given(params, "llama_4_scaling")) {
    TRY(ReadQueryScale(params["llama_4_scaling"], out).WithContext("'llama_4_scaling'"));
  }
  if (Given(params, "moe")) TRY(ReadExperts(params["moe"], out).WithContext("'moe'"));
  return ReadWindow(params, out);
}

}  // namespace

Result<ModelConfig> ReadMistralConfig(std::string_view text) {
  const Json params = TRY(ParseJson(text));
  if (!params.is_object()) return Unsupported("not a JSON object");
  TRY(CheckParams(params));
  ModelConfig out;
  out.architecture = &MistralArchitecture();
  TRY(ReadParams(params, out));
  out.quantization = TRY(ReadNativeQuantization(params));
  if (Given(params, "vision_encoder") || Given(params, "multimodal")) {
    out.notes.push_back("only the text model is loaded: it takes no images");
  }
  // params.json names no ids; all of Mistral's tokenizers have these.
  out.bos_id = 1;
  out.eos_ids = {2};
  TRY(ValidateConfig(out));
  return out;
}

}  // namespace skerry::engine::internal
