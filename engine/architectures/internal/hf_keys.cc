#include "engine/architectures/internal/hf_keys.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "engine/architectures/internal/hf_reader.h"

namespace skerry::engine::internal {
namespace {

// Keys that the readers interpret for every architecture.
constexpr std::string_view kRead[] = {
    "model_type",        "architectures",       "hidden_size",
    "intermediate_size", "num_hidden_layers",   "num_attention_heads",
    "vocab_size",        "num_key_value_heads", "head_dim",
    "rms_norm_eps",      "rope_theta",          "rope_scaling",
    "rope_parameters",   "tie_word_embeddings", "max_position_embeddings",
    "bos_token_id",      "eos_token_id",        "quantization_config",
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

constexpr Neutral kNeutral[] = {
    {"partial_rotary_factor", "1"},   {"is_encoder_decoder", "false"},
    {"add_cross_attention", "false"}, {"tie_encoder_decoder", "false"},
    {"pruned_heads", "{}"},
};

constexpr std::string_view kOuter[] = {
    "model_type",
    "architectures",
    "text_config",
    "vision_config",
    "image_token_id",
    "image_token_index",
    "multimodal_projector_bias",
    "projector_hidden_act",
    "spatial_merge_size",
    "vision_feature_layer",
    "boi_token_index",
    "boi_token_id",
    "eoi_token_index",
    "eoi_token_id",
    "mm_tokens_per_image",
};

constexpr std::string_view kShared[] = {
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "tie_word_embeddings",
    "quantization_config",
    "initializer_range",
    "_name_or_path",
    "use_cache",
    "unsloth_fixed",
    "unsloth_version",
};

bool Contains(std::span<const std::string_view> list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

const Neutral* FindNeutral(std::span<const Neutral> list, std::string_view key) {
  const auto it = std::ranges::find(list, key, &Neutral::key);
  return it == list.end() ? nullptr : &*it;
}

}  // namespace

Result<void> CheckKeys(const Json& config, const HuggingFaceSide& side) {
  for (const auto& [key, value] : config.items()) {
    if (value.is_null() || Contains(kRead, key) || Contains(kHarmless, key)) continue;
    if (Contains(side.keys, key) || Contains(side.ignored, key)) continue;
    const Neutral* neutral = FindNeutral(side.neutral, key);
    if (neutral == nullptr) neutral = FindNeutral(kNeutral, key);
    if (neutral == nullptr) {
      return Unsupported("'" + key + "' is not known; it may change what the model computes");
    }
    if (value != Json::parse(neutral->value)) {
      return Unsupported("'" + key + "' is supported only as " + neutral->value);
    }
  }
  return {};
}

bool IsOuterKey(std::string_view key) { return Contains(kOuter, key); }
bool IsSharedKey(std::string_view key) { return Contains(kShared, key); }

}  // namespace skerry::engine::internal
