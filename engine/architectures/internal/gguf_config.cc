// Metadata of GGUF files.
#include <algorithm>
#include <limits>
#include <span>
#include <string>

#include "engine/architectures/internal/gguf_reader.h"
#include "engine/architectures/internal/readers.h"
#include "engine/architectures/registry.h"

namespace skerry::engine::internal {
namespace {

// Keys that GgufReader interprets for every architecture.
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
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_log_multiplier",
    "expert_count",
    "expert_used_count",
    "expert_feed_forward_length",
};

// Keys that say nothing about the forward pass.
constexpr std::string_view kHarmless[] = {
    "rope.scaling.finetuned",
};

Error Unsupported(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

bool Contains(std::span<const std::string_view> list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

Result<void> CheckKeys(const GgufFile& gguf, std::string_view prefix, const GgufSide& side) {
  for (const std::string_view key : gguf.Keys()) {
    if (!key.starts_with(prefix)) continue;
    const std::string_view rest = key.substr(prefix.size());
    if (!Contains(kRead, rest) && !Contains(kHarmless, rest) && !Contains(side.keys, rest)) {
      return Unsupported("metadata '" + std::string(key) +
                         "' is not known; it may change what the model computes");
    }
  }
  return {};
}

Result<const Architecture*> Recognise(const GgufFile& gguf) {
  const std::string_view type = TRY(gguf.GetStringOr("general.type", "model"));
  if (type != "model") {
    return Unsupported("general.type '" + std::string(type) + "' is not a model");
  }
  const std::string_view name = TRY(gguf.GetString("general.architecture"));
  const Architecture* found = FindByGgufName(name);
  if (found == nullptr) {
    std::string known;
    for (const Architecture* architecture : Architectures()) {
      for (const std::string_view other : architecture->gguf.names) {
        known += (known.empty() ? "" : ", ") + std::string(other);
      }
    }
    return Unsupported("architecture '" + std::string(name) +
                       "' is not supported; these are: " + known);
  }
  return found;
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

Result<ModelConfig> ReadGgufConfig(const GgufFile& gguf) {
  ModelConfig out;
  out.architecture = TRY(Recognise(gguf));
  const std::string_view name = TRY(gguf.GetString("general.architecture"));
  const GgufSide& side = out.architecture->gguf;
  TRY(CheckKeys(gguf, std::string(name) + ".", side));
  TRY(side.read(GgufReader(gguf, name), out));
  TRY(ReadIds(gguf, out));
  TRY(ValidateConfig(out));
  return out;
}

}  // namespace skerry::engine::internal
