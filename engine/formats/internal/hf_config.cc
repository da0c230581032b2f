// config.json of Hugging Face transformers, versions 4 and 5.
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "appliance/base/json.h"
#include "engine/formats/internal/config_readers.h"

namespace skerry::engine::internal {
namespace {

// Keys this reader interprets.
constexpr std::string_view kRead[] = {
    "model_type",        "architectures",       "hidden_size",
    "intermediate_size", "num_hidden_layers",   "num_attention_heads",
    "vocab_size",        "num_key_value_heads", "head_dim",
    "rms_norm_eps",      "rope_theta",          "rope_scaling",
    "rope_parameters",   "sliding_window",      "tie_word_embeddings",
    "bos_token_id",      "eos_token_id",        "max_position_embeddings",
    "layer_types",
};

// Keys that say nothing about the forward pass: bookkeeping, training, defaults for sampling.
constexpr std::string_view kHarmless[] = {
    "_name_or_path",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "use_cache",
    "pad_token_id",
    "unk_token_id",
    "sep_token_id",
    "decoder_start_token_id",
    "initializer_range",
    "attention_dropout",
    "pretraining_tp",
    "return_dict",
    "output_hidden_states",
    "output_attentions",
    "torchscript",
    "use_bfloat16",
    "chunk_size_feed_forward",
    "is_decoder",
    "finetuning_task",
    "id2label",
    "label2id",
    "task_specific_params",
    "problem_type",
    "tokenizer_class",
    "prefix",
    "max_length",
    "min_length",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "num_beams",
    "num_beam_groups",
    "num_return_sequences",
    "diversity_penalty",
    "early_stopping",
    "output_scores",
    "return_dict_in_generate",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "exponential_decay_length_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
    "_attn_implementation_autoset",
    "max_sequence_length",
    "unsloth_version",
    "unsloth_fixed",
};

// Keys that would change the forward pass, with the one value that does not.
struct Neutral {
  std::string_view key;
  const char* value;  // JSON
};
constexpr Neutral kNeutral[] = {
    {"hidden_act", "\"silu\""},
    {"attention_bias", "false"},
    {"mlp_bias", "false"},
    {"partial_rotary_factor", "1"},
    {"is_encoder_decoder", "false"},
    {"add_cross_attention", "false"},
    {"tie_encoder_decoder", "false"},
    {"cross_attention_hidden_size", "null"},
    {"pruned_heads", "{}"},
};

Error Unsupported(const std::string& what) { return Error(ErrorCode::kInvalidArgument, what); }

template <typename List>
bool Contains(const List& list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

Result<void> CheckKeys(const Json& config) {
  for (const auto& [key, value] : config.items()) {
    if (value.is_null() || Contains(kRead, key) || Contains(kHarmless, key)) continue;
    const auto* const row = std::find_if(std::begin(kNeutral), std::end(kNeutral),
                                         [&name = key](const Neutral& n) { return n.key == name; });
    if (row == std::end(kNeutral)) {
      return Unsupported("'" + key + "' is not known; it may change what the model computes");
    }
    if (value != Json::parse(row->value)) {
      return Unsupported("'" + key + "' is supported only as " + row->value);
    }
  }
  return {};
}

// An integer, also when null or absent gives the fallback.
Result<int64_t> Int(const Json& config, std::string_view key, int64_t fallback) {
  const auto it = config.find(key);
  if (it == config.end() || it->is_null()) return fallback;
  return GetInt(config, key);
}

Result<double> Number(const Json& config, std::string_view key) {
  const auto it = config.find(key);
  if (it == config.end() || !it->is_number()) {
    return Unsupported("'" + std::string(key) + "' is absent or not a number");
  }
  return it->get<double>();
}

struct ArchitectureRow {
  std::string_view model_type;
  std::string_view class_name;  // in 'architectures'
  Architecture architecture;
};
constexpr ArchitectureRow kArchitectures[] = {
    {"llama", "LlamaForCausalLM", Architecture::kLlama},
    {"mistral", "MistralForCausalLM", Architecture::kMistral},
};

Result<Architecture> ReadArchitecture(const Json& config) {
  const std::string type = TRY(GetString(config, "model_type"));
  const auto row = std::ranges::find(kArchitectures, type, &ArchitectureRow::model_type);
  if (row == std::end(kArchitectures)) {
    return Unsupported("model_type '" + type + "' is not supported; llama and mistral are");
  }
  const auto it = config.find("architectures");
  if (it != config.end() && !it->is_null() && *it != Json::array({row->class_name})) {
    return Unsupported("'architectures' of a " + type + " model is not [\"" +
                       std::string(row->class_name) + "\"]");
  }
  return row->architecture;
}

// rope_theta and rope_scaling (transformers 4) or rope_parameters (5), which holds both.
Result<void> ReadRope(const Json& config, ModelConfig& out) {
  const bool merged = config.contains("rope_parameters") && !config["rope_parameters"].is_null();
  const std::string_view key = merged ? "rope_parameters" : "rope_scaling";
  if (config.contains("rope_theta") && !config["rope_theta"].is_null()) {
    out.rope_theta = TRY(Number(config, "rope_theta"));
  }
  if (!config.contains(key) || config[key].is_null()) return {};
  if (merged && config.contains("rope_scaling") && !config["rope_scaling"].is_null()) {
    return Unsupported("both 'rope_parameters' and 'rope_scaling' are given");
  }
  const Json& rope = config[key];
  if (!rope.is_object()) return Unsupported("'" + std::string(key) + "' is not an object");
  if (merged && rope.contains("rope_theta")) out.rope_theta = TRY(Number(rope, "rope_theta"));
  const std::string_view type_key = rope.contains("rope_type") ? "rope_type" : "type";
  const std::string type = TRY(GetStringOr(rope, type_key, merged ? "default" : ""));
  const std::string where = "'" + std::string(key) + "'";
  if (type == "default") {
    return RefuseUnknownKeys(rope, {"rope_type", "type", "rope_theta"}).WithContext(where);
  }
  if (type != "llama3") {
    return Unsupported(where + " of type '" + type + "' is not supported; default and llama3 are");
  }
  TRY(RefuseUnknownKeys(rope, {"rope_type", "type", "rope_theta", "factor", "low_freq_factor",
                               "high_freq_factor", "original_max_position_embeddings"})
          .WithContext(where));
  Llama3Scaling scaling;
  scaling.factor = TRY(Number(rope, "factor").WithContext(where));
  scaling.low_freq_factor = TRY(Number(rope, "low_freq_factor").WithContext(where));
  scaling.high_freq_factor = TRY(Number(rope, "high_freq_factor").WithContext(where));
  scaling.original_max_position =
      TRY(Number(rope, "original_max_position_embeddings").WithContext(where));
  if (!(scaling.factor >= 1) || !(scaling.low_freq_factor > 0) ||
      !(scaling.high_freq_factor > scaling.low_freq_factor) ||
      !(scaling.original_max_position >= 1)) {
    return Unsupported(where + " has factors that contradict each other");
  }
  if (!(out.rope_theta >= 1)) return Unsupported("'rope_theta' is below 1");
  out.rope_divisors = Llama3Divisors(scaling, out.rope_theta, out.head_dim);
  return {};
}

Result<void> ReadWindow(const Json& config, ModelConfig& out) {
  // The default of transformers' MistralConfig; a published config.json names null where it has
  // none.
  constexpr int64_t kMistralWindow = 4096;
  if (out.architecture == Architecture::kMistral) {
    out.sliding_window = kMistralWindow;
    if (config.contains("sliding_window")) {
      out.sliding_window = TRY(Int(config, "sliding_window", 0));
    }
  } else if (config.contains("sliding_window") && !config["sliding_window"].is_null()) {
    return Unsupported("'sliding_window' of a llama model is not known");
  }
  const auto it = config.find("layer_types");
  if (it == config.end() || it->is_null()) return {};
  const char* const expected = out.sliding_window > 0 ? "sliding_attention" : "full_attention";
  if (!it->is_array() ||
      std::any_of(it->begin(), it->end(), [&](const Json& type) { return type != expected; })) {
    return Unsupported("'layer_types' other than all '" + std::string(expected) +
                       "' is not supported");
  }
  return {};
}

// An id, a list of ids, or null.
Result<void> AddIds(const Json& object, std::string_view key, std::vector<int32_t>& ids) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return {};
  const Json list = it->is_array() ? *it : Json::array({*it});
  for (const Json& id : list) {
    if (!id.is_number_integer() || id < 0 || id > std::numeric_limits<int32_t>::max()) {
      return Unsupported("'" + std::string(key) + "' is neither an id nor a list of ids");
    }
    ids.push_back(id.get<int32_t>());
  }
  return {};
}

Result<void> ReadIds(const Json& config, std::string_view generation, ModelConfig& out) {
  std::vector<int32_t> begin;
  TRY(AddIds(config, "bos_token_id", begin));
  if (begin.size() > 1) return Unsupported("'bos_token_id' is a list");
  if (!begin.empty()) out.bos_id = begin[0];
  TRY(AddIds(config, "eos_token_id", out.eos_ids));
  if (!generation.empty()) {
    const Json json = TRY(ParseJson(generation).WithContext("generation_config.json"));
    if (!json.is_object()) return Unsupported("generation_config.json is not an object");
    TRY(AddIds(json, "eos_token_id", out.eos_ids).WithContext("generation_config.json"));
  }
  std::sort(out.eos_ids.begin(), out.eos_ids.end());
  out.eos_ids.erase(std::unique(out.eos_ids.begin(), out.eos_ids.end()), out.eos_ids.end());
  return {};
}

}  // namespace

std::vector<std::string_view> HuggingFaceTypes() {
  std::vector<std::string_view> types;
  for (const ArchitectureRow& row : kArchitectures) types.push_back(row.model_type);
  return types;
}

Result<ModelConfig> ReadHuggingFaceConfig(std::string_view text, std::string_view generation) {
  const Json config = TRY(ParseJson(text));
  if (!config.is_object()) return Unsupported("not a JSON object");
  ModelConfig out;
  out.architecture = TRY(ReadArchitecture(config));
  TRY(CheckKeys(config));
  out.hidden_size = TRY(GetInt(config, "hidden_size"));
  out.intermediate_size = TRY(GetInt(config, "intermediate_size"));
  out.n_layers = TRY(GetInt(config, "num_hidden_layers"));
  out.n_heads = TRY(GetInt(config, "num_attention_heads"));
  out.vocab_size = TRY(GetInt(config, "vocab_size"));
  out.max_position = TRY(GetInt(config, "max_position_embeddings"));
  const double rms_eps = TRY(Number(config, "rms_norm_eps"));
  out.rms_eps = static_cast<float>(rms_eps);
  if (out.architecture == Architecture::kMistral) {
    out.n_kv_heads = TRY(GetInt(config, "num_key_value_heads"));
  } else {
    out.n_kv_heads = TRY(Int(config, "num_key_value_heads", out.n_heads));
  }
  if (out.n_heads <= 0) return Unsupported("'num_attention_heads' is not positive");
  out.head_dim = TRY(Int(config, "head_dim", out.hidden_size / out.n_heads));
  if (config.contains("tie_word_embeddings")) {
    out.tie_word_embeddings = TRY(GetBool(config, "tie_word_embeddings"));
  }
  TRY(ReadWindow(config, out));
  TRY(ReadIds(config, generation, out));
  TRY(ValidateConfig(out));  // before sizes are used for the scaling
  TRY(ReadRope(config, out));
  TRY(ValidateConfig(out));
  return out;
}

}  // namespace skerry::engine::internal
