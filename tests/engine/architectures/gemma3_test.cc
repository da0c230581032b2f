#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/architectures/published.h"

namespace skerry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Read;
using testing::ReadWith;
using testing::Refusal;

// Gemma 3 1B Instruct's configuration as published.
const Json kPublished = Json::parse(R"({
  "architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "attn_logit_softcapping": null, "bos_token_id": 2, "cache_implementation": "hybrid",
  "eos_token_id": [1, 106], "final_logit_softcapping": null, "head_dim": 256,
  "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152, "initializer_range": 0.02,
  "intermediate_size": 6912, "max_position_embeddings": 32768, "model_type": "gemma3_text",
  "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0,
  "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000,
  "rope_scaling": null, "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6,
  "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0", "use_cache": true,
  "vocab_size": 262144})");

// Gemma 3 27B Instruct's, whose text part leaves out what the class defaults to.
const Json kWrapped = Json::parse(R"({
  "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255999,
  "eoi_token_index": 256000, "eos_token_id": [1, 106], "image_token_index": 262144,
  "initializer_range": 0.02, "mm_tokens_per_image": 256, "model_type": "gemma3",
  "text_config": {"head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504,
    "model_type": "gemma3_text", "num_attention_heads": 32, "num_hidden_layers": 62,
    "num_key_value_heads": 16, "query_pre_attn_scalar": 168,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024},
  "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
  "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model"}})");

TEST(Gemma3Test, ReadsAPublishedConfiguration) {
  const auto config = Read(kPublished);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "gemma3");
  EXPECT_TRUE(config->tie_word_embeddings);
  EXPECT_FLOAT_EQ(config->attention_scale, 1.0F / 16);
  EXPECT_FLOAT_EQ(config->embed_scale, std::sqrt(1152.0F));
  ASSERT_EQ(config->ropes.size(), 2U);
  EXPECT_EQ(config->ropes[0].theta, 1e6);
  EXPECT_EQ(config->ropes[1].theta, 1e4);
  for (int64_t i = 0; i < config->n_layers; ++i) {
    const bool global = i % 6 == 5;
    EXPECT_EQ(config->layers[i].window, global ? 0 : 512) << i;
    EXPECT_EQ(config->layers[i].rope, global ? 0 : 1) << i;
  }
}

TEST(Gemma3Test, ReadsTheTextOfAMultimodalModel) {
  const auto config = Read(kWrapped);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->vocab_size, 262208);  // the class's default
  EXPECT_EQ(config->max_position, 131072);
  EXPECT_FLOAT_EQ(config->attention_scale, 1.0F / std::sqrt(168.0F));
  EXPECT_EQ(config->ropes[0].divisors.front(), 8);
  EXPECT_TRUE(config->ropes[1].divisors.empty());
  EXPECT_THAT(config->eos_ids, ElementsAre(1, 106));
  EXPECT_THAT(config->notes, ElementsAre(HasSubstr("takes no images")));
}

TEST(Gemma3Test, Version5NamesRopesByLayerType) {
  Json json = kPublished;
  json.erase("rope_theta");
  json.erase("rope_local_base_freq");
  json["rope_parameters"] = {
      {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 2e4}}}};
  const auto config = Read(json);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->ropes[0].divisors.front(), 8);
  EXPECT_EQ(config->ropes[1].theta, 2e4);
  json["rope_parameters"].erase("sliding_attention");
  EXPECT_THAT(Read(json).error().message(), HasSubstr("sliding_attention"));
}

TEST(Gemma3Test, SoftCapsAreRead) {
  EXPECT_EQ(ReadWith(kPublished, "attn_logit_softcapping", 50.0)->attention_soft_cap, 50);
  EXPECT_EQ(ReadWith(kPublished, "final_logit_softcapping", 30.0)->logit_soft_cap, 30);
}

TEST(Gemma3Test, RefusesByName) {
  EXPECT_THAT(Refusal(kPublished, "hidden_activation", "gelu"), HasSubstr("'hidden_activation'"));
  EXPECT_THAT(Refusal(kPublished, "attention_bias", true), HasSubstr("'attention_bias'"));
  EXPECT_THAT(Refusal(kPublished, "query_pre_attn_scalar", 0),
              HasSubstr("'query_pre_attn_scalar'"));
  EXPECT_THAT(Refusal(kPublished, "sliding_window_pattern", 0),
              HasSubstr("'sliding_window_pattern'"));
  EXPECT_THAT(Refusal(kPublished, "sliding_window", nullptr), HasSubstr("'sliding_window'"));
  EXPECT_THAT(Refusal(kPublished, "use_bidirectional_attention", true),
              HasSubstr("'use_bidirectional_attention'"));
  EXPECT_THAT(Refusal(kWrapped, "text_config", 3), HasSubstr("'text_config'"));
  EXPECT_THAT(Refusal(kWrapped, "audio_config", Json::object()), HasSubstr("'audio_config'"));
}

}  // namespace
}  // namespace skerry::engine
