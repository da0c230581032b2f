// Metadata of GGUF's "llama" architecture, which Mistral's dense models use too. Keys:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#include <algorithm>
#include <limits>
#include <string>

#include "engine/formats/internal/config_readers.h"
#include "engine/formats/tensor.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kPrefix = "llama.";
constexpr std::string_view kArchitectures[] = {"llama"};

constexpr std::string_view kRead[] = {
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "attention.key_length",
    "attention.value_length",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scaling.type",
    "attention.sliding_window",
    "expert_count",
    "expert_used_count",
};

Error Unsupported(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

Result<void> CheckKeys(const GgufFile& gguf) {
  for (const std::string_view key : gguf.Keys()) {
    if (!key.starts_with(kPrefix)) continue;
    if (std::find(std::begin(kRead), std::end(kRead), key.substr(kPrefix.size())) ==
        std::end(kRead)) {
      return Unsupported("metadata '" + std::string(key) +
                         "' is not known; it may change what the model computes");
    }
  }
  return {};
}

// A count, given as a number or as an equal number for each layer.
Result<int64_t> PerLayer(const GgufFile& gguf, const std::string& key) {
  if (!gguf.IsArray(key)) return gguf.GetInt(key);
  const std::vector<int64_t> values = TRY(gguf.GetInts(key));
  if (values.empty() || std::any_of(values.begin(), values.end(),
                                    [&](int64_t value) { return value != values[0]; })) {
    return Unsupported("metadata '" + key + "' differs from layer to layer");
  }
  return values[0];
}

Result<void> CheckGeneral(const GgufFile& gguf) {
  const std::string_view type = TRY(gguf.GetStringOr("general.type", "model"));
  if (type != "model") {
    return Unsupported("general.type '" + std::string(type) + "' is not a model");
  }
  const std::string_view architecture = TRY(gguf.GetString("general.architecture"));
  if (std::ranges::find(kArchitectures, architecture) == std::end(kArchitectures)) {
    return Unsupported("architecture '" + std::string(architecture) +
                       "' is not supported; llama is");
  }
  const int64_t n_splits = TRY(gguf.GetIntOr("split.count", 1));
  if (n_splits > 1) {
    return Unsupported("the file is one of " + std::to_string(n_splits) +
                       " parts; join them with gguf-split first");
  }
  return {};
}

Result<void> ReadHeads(const GgufFile& gguf, ModelConfig& out) {
  out.n_heads = TRY(PerLayer(gguf, "llama.attention.head_count"));
  out.n_kv_heads = out.n_heads;
  if (gguf.Has("llama.attention.head_count_kv")) {
    out.n_kv_heads = TRY(PerLayer(gguf, "llama.attention.head_count_kv"));
  }
  if (out.n_heads <= 0) return Unsupported("'llama.attention.head_count' is not positive");
  const int64_t even = out.hidden_size / out.n_heads;
  out.head_dim = TRY(gguf.GetIntOr("llama.attention.key_length", even));
  const int64_t value_dim = TRY(gguf.GetIntOr("llama.attention.value_length", even));
  const int64_t rope_dim = TRY(gguf.GetIntOr("llama.rope.dimension_count", out.head_dim));
  if (value_dim != out.head_dim || rope_dim != out.head_dim) {
    return Unsupported("key length " + std::to_string(out.head_dim) + ", value length " +
                       std::to_string(value_dim) + " and rope dimensions " +
                       std::to_string(rope_dim) + " are not one number");
  }
  return {};
}

Result<void> ReadRope(const GgufFile& gguf, ModelConfig& out) {
  out.rope_theta = TRY(gguf.GetFloatOr("llama.rope.freq_base", 10000.0));
  const std::string_view scaling = TRY(gguf.GetStringOr("llama.rope.scaling.type", "none"));
  if (scaling != "none") {
    return Unsupported("llama.rope.scaling.type '" + std::string(scaling) + "' is not supported");
  }
  const GgufTensor* factors = gguf.FindTensor("rope_freqs.weight");
  if (factors == nullptr) return {};
  if (GgufTypeName(factors->type) != "F32" || factors->dims.size() != 1) {
    return Unsupported("tensor 'rope_freqs.weight' is not one row of F32");
  }
  out.rope_divisors = ToFloats(Tensor{DType::kF32, factors->dims, factors->bytes, nullptr});
  return {};
}

Result<void> ReadIds(const GgufFile& gguf, ModelConfig& out) {
  constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();
  const int64_t begin = TRY(gguf.GetIntOr("tokenizer.ggml.bos_token_id", -1));
  if (begin < -1 || begin > kMaxId) return Unsupported("tokenizer.ggml.bos_token_id is not an id");
  out.bos_id = static_cast<int32_t>(begin);
  for (const std::string key : {"eos", "eot", "eom"}) {
    const int64_t id = TRY(gguf.GetIntOr("tokenizer.ggml." + key + "_token_id", -1));
    if (id < -1 || id > kMaxId)
      return Unsupported("tokenizer.ggml." + key + "_token_id is not an id");
    if (id >= 0) out.eos_ids.push_back(static_cast<int32_t>(id));
  }
  std::sort(out.eos_ids.begin(), out.eos_ids.end());
  out.eos_ids.erase(std::unique(out.eos_ids.begin(), out.eos_ids.end()), out.eos_ids.end());
  return {};
}

}  // namespace

std::vector<std::string_view> GgufArchitectures() {
  return {std::begin(kArchitectures), std::end(kArchitectures)};
}

Result<ModelConfig> ReadGgufConfig(const GgufFile& gguf) {
  TRY(CheckGeneral(gguf));
  TRY(CheckKeys(gguf));
  ModelConfig out;
  out.architecture = Architecture::kLlama;
  out.hidden_size = TRY(gguf.GetInt("llama.embedding_length"));
  out.intermediate_size = TRY(PerLayer(gguf, "llama.feed_forward_length"));
  out.n_layers = TRY(gguf.GetInt("llama.block_count"));
  out.max_position = TRY(gguf.GetInt("llama.context_length"));
  const double rms_eps = TRY(gguf.GetFloat("llama.attention.layer_norm_rms_epsilon"));
  out.rms_eps = static_cast<float>(rms_eps);
  const int64_t n_experts = TRY(gguf.GetIntOr("llama.expert_count", 0));
  if (n_experts != 0) return Unsupported("a model with experts is not supported");
  const GgufTensor* embed = gguf.FindTensor("token_embd.weight");
  const int64_t n_rows = embed != nullptr && embed->dims.size() == 2 ? embed->dims[1] : 0;
  out.vocab_size = TRY(gguf.GetIntOr("llama.vocab_size", n_rows));
  out.tie_word_embeddings = gguf.FindTensor("output.weight") == nullptr;
  out.sliding_window = TRY(gguf.GetIntOr("llama.attention.sliding_window", 0));
  TRY(ReadHeads(gguf, out));
  TRY(ReadRope(gguf, out));
  TRY(ReadIds(gguf, out));
  TRY(ValidateConfig(out));
  return out;
}

}  // namespace skerry::engine::internal
