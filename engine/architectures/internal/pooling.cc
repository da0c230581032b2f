// What sentence-transformers put beside a model: modules.json and 1_Pooling/config.json.
#include <nlohmann/json.hpp>
#include <string>

#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/internal/readers.h"

namespace skerry::engine::internal {
namespace {

struct Mode {
  std::string_view key;
  Pooling pooling;  // kNone: not supported
};
constexpr Mode kModes[] = {
    {"pooling_mode_cls_token", Pooling::kCls},
    {"pooling_mode_mean_tokens", Pooling::kMean},
    {"pooling_mode_lasttoken", Pooling::kLast},
    {"pooling_mode_max_tokens", Pooling::kNone},
    {"pooling_mode_mean_sqrt_len_tokens", Pooling::kNone},
    {"pooling_mode_weightedmean_tokens", Pooling::kNone},
};

Result<void> ReadModes(const Json& config, ModelConfig& out) {
  TRY(RefuseUnknownKeys(
      config, {"word_embedding_dimension", "include_prompt", "pooling_mode_cls_token",
               "pooling_mode_mean_tokens", "pooling_mode_lasttoken", "pooling_mode_max_tokens",
               "pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens"}));
  const int64_t width = TRY(IntOr(config, "word_embedding_dimension", out.hidden_size));
  if (width != out.hidden_size) {
    return Unsupported("'word_embedding_dimension' is " + std::to_string(width) +
                       ", the model's hidden size " + std::to_string(out.hidden_size));
  }
  Pooling chosen = Pooling::kNone;
  for (const Mode& mode : kModes) {
    const bool on = TRY(BoolOr(config, mode.key, false));
    if (!on) continue;
    if (mode.pooling == Pooling::kNone) {
      return Unsupported("'" + std::string(mode.key) + "' is not supported");
    }
    if (chosen != Pooling::kNone) return Unsupported("more than one pooling mode is on");
    chosen = mode.pooling;
  }
  if (chosen == Pooling::kNone) return Unsupported("no pooling mode is on");
  out.pooling = chosen;
  return {};
}

Result<void> ReadModules(const Json& modules, ModelConfig& out) {
  if (!modules.is_array()) return Unsupported("not a list");
  for (const Json& module : modules) {
    const std::string type = TRY(GetString(module, "type"));
    const std::string kind = type.substr(type.rfind('.') + 1);
    if (kind == "Normalize") {
      out.normalise_embedding = true;
    } else if (kind == "Pooling") {
      const std::string path = TRY(GetString(module, "path"));
      if (path != "1_Pooling") return Unsupported("the pooling module lies in '" + path + "'");
    } else if (kind != "Transformer") {
      return Unsupported("module '" + type + "' is not supported");
    }
  }
  return {};
}

}  // namespace

Result<void> ReadSentencePooling(std::string_view modules, std::string_view pooling,
                                 ModelConfig& out) {
  if (!modules.empty()) {
    const Json json = TRY(ParseJson(modules).WithContext("modules.json"));
    TRY(ReadModules(json, out).WithContext("modules.json"));
  }
  if (!pooling.empty()) {
    const Json json = TRY(ParseJson(pooling).WithContext("1_Pooling/config.json"));
    if (!json.is_object()) return Unsupported("1_Pooling/config.json is not an object");
    TRY(ReadModes(json, out).WithContext("1_Pooling/config.json"));
  }
  return {};
}

}  // namespace skerry::engine::internal
