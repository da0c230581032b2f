#include "engine/architectures/internal/hf_reader.h"

#include <algorithm>

#include "engine/architectures/internal/limits.h"
#include "engine/architectures/rope_scaling.h"

namespace skerry::engine::internal {

bool Given(const Json& config, std::string_view key) {
  const auto it = config.find(key);
  return it != config.end() && !it->is_null();
}

Result<int64_t> IntOr(const Json& config, std::string_view key, int64_t fallback) {
  if (!Given(config, key)) return fallback;
  return GetInt(config, key);
}

Result<double> Number(const Json& config, std::string_view key) {
  const auto it = config.find(key);
  if (it == config.end() || !it->is_number()) {
    return Unsupported("'" + std::string(key) + "' is absent or not a number");
  }
  return it->get<double>();
}

Result<double> NumberOr(const Json& config, std::string_view key, double fallback) {
  if (!Given(config, key)) return fallback;
  return Number(config, key);
}

Result<bool> BoolOr(const Json& config, std::string_view key, bool fallback) {
  if (!Given(config, key)) return fallback;
  return GetBool(config, key);
}

Result<void> ReadSizes(const Json& config, ModelConfig& out) {
  out.hidden_size = TRY(GetInt(config, "hidden_size"));
  out.intermediate_size = TRY(GetInt(config, "intermediate_size"));
  out.n_layers = TRY(GetInt(config, "num_hidden_layers"));
  out.n_heads = TRY(GetInt(config, "num_attention_heads"));
  out.vocab_size = TRY(GetInt(config, "vocab_size"));
  out.max_position = TRY(GetInt(config, "max_position_embeddings"));
  out.n_kv_heads = TRY(IntOr(config, "num_key_value_heads", out.n_heads));
  if (out.n_heads <= 0) return Unsupported("'num_attention_heads' is not positive");
  out.head_dim = TRY(IntOr(config, "head_dim", out.hidden_size / out.n_heads));
  TRY(CheckSizes(out));  // before memory is sized by them
  out.layers.resize(out.n_layers);
  return {};
}

namespace {

// rope_theta and rope_scaling (transformers 4) or rope_parameters (5), which holds both.
Result<void> ReadRope(const Json& config, ModelConfig& out) {
  const bool merged = Given(config, "rope_parameters");
  const std::string key = merged ? "rope_parameters" : "rope_scaling";
  if (merged && Given(config, "rope_scaling")) {
    return Unsupported("both 'rope_parameters' and 'rope_scaling' are given");
  }
  const double theta = TRY(NumberOr(config, "rope_theta", 10000.0));
  out.ropes.resize(1);
  out.ropes[0].theta = theta;
  if (!Given(config, key)) return {};
  out.ropes[0] = TRY(ReadRopeTable(config[key], "'" + key + "'", theta, out));
  return {};
}

Result<RopeTable> ReadLlama3(const Json& rope, RopeTable table, const ModelConfig& out) {
  TRY(RefuseUnknownKeys(rope, {"rope_type", "type", "rope_theta", "factor", "low_freq_factor",
                               "high_freq_factor", "original_max_position_embeddings"}));
  Llama3Scaling scaling;
  scaling.factor = TRY(Number(rope, "factor"));
  scaling.low_freq_factor = TRY(Number(rope, "low_freq_factor"));
  scaling.high_freq_factor = TRY(Number(rope, "high_freq_factor"));
  scaling.original_max_position = TRY(Number(rope, "original_max_position_embeddings"));
  TRY(ValidateScaling(scaling));
  table.divisors = Llama3Divisors(scaling, table.theta, out.head_dim);
  return table;
}

Result<RopeTable> ReadYarn(const Json& rope, RopeTable table, ModelConfig& out) {
  TRY(RefuseUnknownKeys(rope, {"rope_type", "type", "rope_theta", "factor",
                               "original_max_position_embeddings", "beta_fast", "beta_slow",
                               "truncate", "attention_factor", "mscale", "mscale_all_dim"}));
  YarnScaling scaling;
  scaling.factor = TRY(Number(rope, "factor"));
  scaling.original_max_position = TRY(
      NumberOr(rope, "original_max_position_embeddings", static_cast<double>(out.max_position)));
  scaling.beta_fast = TRY(NumberOr(rope, "beta_fast", scaling.beta_fast));
  scaling.beta_slow = TRY(NumberOr(rope, "beta_slow", scaling.beta_slow));
  scaling.truncate = TRY(BoolOr(rope, "truncate", true));
  TRY(ValidateScaling(scaling));
  table.divisors = YarnDivisors(scaling, table.theta, out.head_dim);
  const double mscale = TRY(NumberOr(rope, "mscale", 0));
  const double mscale_all_dim = TRY(NumberOr(rope, "mscale_all_dim", 0));
  table.scale = YarnAttentionFactor(scaling.factor);
  if (mscale != 0 && mscale_all_dim != 0) {
    table.scale = YarnAttentionFactor(scaling.factor, mscale) /
                  YarnAttentionFactor(scaling.factor, mscale_all_dim);
  }
  table.scale = TRY(NumberOr(rope, "attention_factor", table.scale));
  // Some configurations keep the original context in max_position_embeddings.
  const double stretched = scaling.factor * scaling.original_max_position;
  out.max_position =
      std::max(out.max_position, static_cast<int64_t>(std::min(stretched, double{kMaxPosition})));
  return table;
}

}  // namespace

Result<RopeTable> ReadRopeTable(const Json& rope, const std::string& where, double theta,
                                ModelConfig& out) {
  if (!rope.is_object()) return Unsupported(where + " is not an object");
  RopeTable table;
  table.theta = TRY(NumberOr(rope, "rope_theta", theta).WithContext(where));
  if (!(table.theta >= 1)) return Unsupported("'rope_theta' is below 1");
  const std::string_view type_key = rope.contains("rope_type") ? "rope_type" : "type";
  const std::string type = TRY(GetStringOr(rope, type_key, "default").WithContext(where));
  if (type == "default") {
    TRY(RefuseUnknownKeys(rope, {"rope_type", "type", "rope_theta"}).WithContext(where));
    return table;
  }
  if (type == "linear") {
    TRY(RefuseUnknownKeys(rope, {"rope_type", "type", "rope_theta", "factor"}).WithContext(where));
    const double factor = TRY(Number(rope, "factor").WithContext(where));
    table.divisors.assign(out.head_dim / 2, factor);
    return table;
  }
  if (type == "llama3") return ReadLlama3(rope, table, out).WithContext(where);
  if (type == "yarn") return ReadYarn(rope, table, out).WithContext(where);
  return Unsupported(where + " of type '" + type +
                     "' is not supported; default, linear, llama3 and yarn are");
}

Result<void> ReadStack(const Json& config, ModelConfig& out) {
  TRY(ReadSizes(config, out));
  const double eps = TRY(Number(config, "rms_norm_eps"));
  out.norm_eps = static_cast<float>(eps);
  out.tie_word_embeddings = TRY(BoolOr(config, "tie_word_embeddings", out.tie_word_embeddings));
  return {};
}

Result<void> ReadDecoder(const Json& config, ModelConfig& out) {
  TRY(ReadStack(config, out));
  return ReadRope(config, out);
}

Result<void> ReadWindows(const Json& config, int64_t window,
                         const std::function<bool(int64_t layer)>& is_local, ModelConfig& out) {
  const bool given = Given(config, "layer_types");
  const Json& types = given ? config["layer_types"] : Json::array();
  if (given && (!types.is_array() || types.size() != out.layers.size())) {
    return Unsupported("'layer_types' is not a list of one type for each of the " +
                       std::to_string(out.n_layers) + " layers");
  }
  for (int64_t i = 0; i < out.n_layers; ++i) {
    if (given && types[i] != "sliding_attention" && types[i] != "full_attention") {
      return Unsupported(
          "'layer_types' other than 'sliding_attention' and 'full_attention' are not supported");
    }
    const bool local = given ? types[i] == "sliding_attention" : is_local(i);
    if (local && window < 1) {
      return Unsupported("'sliding_window' is not positive, but layer " + std::to_string(i) +
                         " has a window");
    }
    out.layers[i].window = local ? window : 0;
  }
  return {};
}

Result<void> ReadOneWindow(const Json& config, int64_t window, ModelConfig& out) {
  TRY(ReadWindows(
      config, window, [&](int64_t) { return window != 0; }, out));
  for (const LayerConfig& layer : out.layers) {
    if (layer.window == window) continue;
    return Unsupported("'layer_types' contradicts 'sliding_window' " + std::to_string(window) +
                       ", which holds for every layer");
  }
  return {};
}

Result<void> ReadQwenWindows(const Json& config, ModelConfig& out) {
  const bool used = TRY(BoolOr(config, "use_sliding_window", false));
  if (!used)
    return ReadWindows(
        config, 0, [](int64_t) { return false; }, out);
  const int64_t window = TRY(GetInt(config, "sliding_window"));
  const int64_t first = TRY(GetInt(config, "max_window_layers"));
  return ReadWindows(
      config, window, [&](int64_t layer) { return layer >= first; }, out);
}

}  // namespace skerry::engine::internal
