#include "engine/architectures/internal/gguf_reader.h"

#include <algorithm>
#include <limits>

#include "engine/architectures/internal/limits.h"
#include "engine/architectures/rope_scaling.h"
#include "engine/formats/tensor.h"

namespace skerry::engine {
namespace {

Error Unsupported(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

}  // namespace

Result<int64_t> GgufReader::Uniform(std::string_view key) const {
  if (!file_.IsArray(Key(key))) return Int(key);
  const std::vector<int64_t> values = TRY(file_.GetInts(Key(key)));
  if (values.empty() || std::any_of(values.begin(), values.end(),
                                    [&](int64_t value) { return value != values[0]; })) {
    return Unsupported("metadata '" + Key(key) + "' differs from layer to layer");
  }
  return values[0];
}

Result<void> GgufReader::ReadSizes(ModelConfig& out) const {
  out.hidden_size = TRY(Int("embedding_length"));
  out.intermediate_size = TRY(Uniform("feed_forward_length"));
  out.n_layers = TRY(Int("block_count"));
  out.max_position = TRY(Int("context_length"));
  const GgufTensor* embed = file_.FindTensor("token_embd.weight");
  const int64_t n_rows = embed != nullptr && embed->dims.size() == 2 ? embed->dims[1] : 0;
  out.vocab_size = TRY(IntOr("vocab_size", n_rows));
  out.n_heads = TRY(Uniform("attention.head_count"));
  out.n_kv_heads = out.n_heads;
  if (Has("attention.head_count_kv")) out.n_kv_heads = TRY(Uniform("attention.head_count_kv"));
  if (out.n_heads <= 0) return Unsupported("'" + Key("attention.head_count") + "' is not positive");
  const int64_t even = out.hidden_size / out.n_heads;
  out.head_dim = TRY(IntOr("attention.key_length", even));
  const int64_t value_dim = TRY(IntOr("attention.value_length", even));
  const int64_t rope_dim = TRY(IntOr("rope.dimension_count", out.head_dim));
  if (value_dim != out.head_dim || rope_dim != out.head_dim) {
    return Unsupported("key length " + std::to_string(out.head_dim) + ", value length " +
                       std::to_string(value_dim) + " and rope dimensions " +
                       std::to_string(rope_dim) + " are not one number");
  }
  TRY(internal::CheckSizes(out));  // before memory is sized by them
  out.layers.resize(out.n_layers);
  return {};
}

Result<void> GgufReader::ReadExperts(ModelConfig& out) const {
  out.n_experts = TRY(IntOr("expert_count", 0));
  out.experts_per_token = TRY(IntOr("expert_used_count", 0));
  out.expert_size = TRY(IntOr("expert_feed_forward_length", out.intermediate_size));
  for (int64_t i = 0; i < out.n_layers; ++i) {
    out.layers[i].experts =
        out.n_experts > 0 && HasTensor("blk." + std::to_string(i) + ".ffn_gate_inp.weight");
  }
  return {};
}

Result<void> GgufReader::ReadDecoder(ModelConfig& out) const {
  TRY(ReadSizes(out));
  const double eps = TRY(Float("attention.layer_norm_rms_epsilon"));
  out.norm_eps = static_cast<float>(eps);
  out.tie_word_embeddings = !HasTensor("output.weight");
  out.qkv_bias = HasTensor("blk.0.attn_q.bias");
  out.attention_out_bias = HasTensor("blk.0.attn_output.bias");
  out.mlp_bias = HasTensor("blk.0.ffn_down.bias");
  return ReadExperts(out);
}

Result<void> GgufReader::ReadWindows(int64_t window,
                                     const std::function<bool(int64_t layer)>& is_local,
                                     ModelConfig& out) const {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";
  int64_t period = 0;
  std::vector<int64_t> pattern;
  if (file_.IsArray(Key(kPattern))) {
    pattern = TRY(file_.GetInts(Key(kPattern)));
    if (pattern.size() != out.layers.size()) {
      return Unsupported("metadata '" + Key(kPattern) + "' does not have one entry for each layer");
    }
  } else {
    period = TRY(IntOr(kPattern, 0));
    if (period < 0) return Unsupported("metadata '" + Key(kPattern) + "' is negative");
  }
  for (int64_t i = 0; i < out.n_layers; ++i) {
    bool local = period > 0 ? (i + 1) % period != 0 : is_local(i);
    if (!pattern.empty()) local = pattern[i] != 0;
    if (local && window < 1) {
      return Unsupported("'" + Key("attention.sliding_window") + "' is not positive, but layer " +
                         std::to_string(i) + " has a window");
    }
    out.layers[i].window = local ? window : 0;
  }
  return {};
}

Result<void> GgufReader::ReadPooling(ModelConfig& out) const {
  if (!Has("pooling_type")) return {};
  // ggml's numbers: none, mean, cls, last, rank.
  constexpr Pooling kKinds[] = {Pooling::kNone, Pooling::kMean, Pooling::kCls, Pooling::kLast};
  const int64_t type = TRY(Int("pooling_type"));
  if (type < 1 || type >= std::ssize(kKinds)) {
    return Unsupported("'" + Key("pooling_type") + "' " + std::to_string(type) +
                       " is not supported; 1 (mean), 2 (cls) and 3 (last) are");
  }
  out.pooling = kKinds[type];
  return {};
}

Result<void> GgufReader::ReadRope(ModelConfig& out, bool truncate) const {
  out.ropes.resize(1);
  out.ropes[0] = TRY(ReadRopeTable(out, truncate));
  const GgufTensor* factors = file_.FindTensor("rope_freqs.weight");
  if (factors == nullptr) return {};
  if (GgufTypeName(factors->type) != "F32" || factors->dims.size() != 1) {
    return Unsupported("tensor 'rope_freqs.weight' is not one row of F32");
  }
  if (!out.ropes[0].divisors.empty()) {
    return Unsupported("both 'rope_freqs.weight' and '" + Key("rope.scaling.type") + "' are given");
  }
  const std::vector<float> values =
      ToFloats(Tensor{DType::kF32, factors->dims, factors->bytes, nullptr, {}});
  out.ropes[0].divisors.assign(values.begin(), values.end());
  return {};
}

Result<RopeTable> GgufReader::ReadRopeTable(ModelConfig& out, bool truncate) const {
  RopeTable table;
  table.theta = TRY(FloatOr("rope.freq_base", 10000.0));
  const std::string_view type = TRY(file_.GetStringOr(Key("rope.scaling.type"), "none"));
  if (type == "none") return table;
  const double factor = TRY(Float("rope.scaling.factor"));
  if (type == "linear") {
    table.divisors.assign(out.head_dim / 2, factor);
    return table;
  }
  if (type != "yarn") {
    return Unsupported("'" + Key("rope.scaling.type") + "' is '" + std::string(type) +
                       "'; none, linear and yarn are supported");
  }
  YarnScaling scaling;
  scaling.factor = factor;
  scaling.truncate = truncate;
  const int64_t original = TRY(Int("rope.scaling.original_context_length"));
  scaling.original_max_position = static_cast<double>(original);
  scaling.beta_fast = TRY(FloatOr("rope.scaling.yarn_beta_fast", scaling.beta_fast));
  scaling.beta_slow = TRY(FloatOr("rope.scaling.yarn_beta_slow", scaling.beta_slow));
  TRY(ValidateScaling(scaling).WithContext("'" + Key("rope.scaling") + "'"));
  if (!(table.theta >= 1)) return Unsupported("'" + Key("rope.freq_base") + "' is below 1");
  table.divisors = YarnDivisors(scaling, table.theta, out.head_dim);
  const double attention = TRY(FloatOr("rope.scaling.attn_factor", 1));
  table.scale = YarnAttentionFactor(factor) * attention;
  // What config.json calls mscale_all_dim, mscale being 1.
  const double all_dim = TRY(FloatOr("rope.scaling.yarn_log_multiplier", 0));
  if (all_dim != 0) table.scale /= YarnAttentionFactor(factor, all_dim);
  return table;
}

}  // namespace skerry::engine
