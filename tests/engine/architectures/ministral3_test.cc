#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/architectures/published.h"

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;
using testing::Read;
using testing::ReadWith;
using testing::ReadWithout;
using testing::Refusal;

// The text model of Ministral 3 8B as published.
Json Ministral3() {
  return Json::parse(R"({
    "architectures": ["Ministral3ForCausalLM"], "attention_dropout": 0.0, "head_dim": 128,
    "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
    "intermediate_size": 14336, "max_position_embeddings": 262144, "model_type": "ministral3",
    "num_attention_heads": 32, "num_hidden_layers": 34, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05, "sliding_window": null, "tie_word_embeddings": false,
    "use_cache": true, "vocab_size": 131072,
    "rope_parameters": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 16.0,
      "llama_4_scaling_beta": 0.1, "mscale": 1.0, "mscale_all_dim": 1.0,
      "original_max_position_embeddings": 16384, "rope_theta": 1000000.0, "rope_type": "yarn",
      "type": "yarn"}})");
}

TEST(Ministral3Test, ReadsAPublishedConfiguration) {
  const auto config = Read(Ministral3());
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "ministral3");
  EXPECT_EQ(config->query_scale.beta, 0.1);
  EXPECT_EQ(config->query_scale.length, 16384);
  EXPECT_EQ(config->ropes[0].scale, 1);
  EXPECT_EQ(config->ropes[0].divisors.back(), 16);
  EXPECT_EQ(config->layers[33].window, 0);
  EXPECT_EQ(ReadWith(Ministral3(), "sliding_window", 4096)->layers[33].window, 4096);
}

// The outer object and what it may leave to the class's defaults.
TEST(Ministral3Test, ReadsTheTextOfAMultimodalModel) {
  const auto config = Read(Json::parse(R"({
    "architectures": ["Mistral3ForConditionalGeneration"], "dtype": "bfloat16",
    "image_token_index": 10, "model_type": "mistral3", "multimodal_projector_bias": false,
    "projector_hidden_act": "gelu", "spatial_merge_size": 2, "vision_feature_layer": -1,
    "text_config": {"model_type": "ministral3", "hidden_size": 5120},
    "vision_config": {"model_type": "pixtral"}})"));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "ministral3");
  EXPECT_EQ(config->hidden_size, 5120);
  EXPECT_EQ(config->n_layers, 34);
  EXPECT_EQ(config->max_position, 262144);
  EXPECT_EQ(config->query_scale.beta, 0.1);
  EXPECT_EQ(config->notes.size(), 1U);
}

TEST(Ministral3Test, RefusesContradictionsByName) {
  const auto rope = [](const char* key, const Json& value) {
    Json changed = Ministral3()["rope_parameters"];
    if (value.is_discarded()) {
      changed.erase(key);
    } else {
      changed[key] = value;
    }
    return Refusal(Ministral3(), "rope_parameters", changed);
  };
  const Json absent(Json::value_t::discarded);
  EXPECT_THAT(rope("llama_4_scaling_beta", absent), HasSubstr("'llama_4_scaling_beta'"));
  EXPECT_THAT(rope("llama_4_scaling_beta", "x"), HasSubstr("'llama_4_scaling_beta'"));
  EXPECT_THAT(rope("llama_4_scaling_beta", 1e9), HasSubstr("scale by position"));
  EXPECT_THAT(rope("original_max_position_embeddings", absent),
              HasSubstr("original_max_position_embeddings"));
  EXPECT_THAT(rope("max_position_embeddings", 4096), HasSubstr("'max_position_embeddings'"));
  EXPECT_EQ(rope("max_position_embeddings", 262144), "");
  EXPECT_THAT(rope("surprise", 1), HasSubstr("surprise"));
  EXPECT_THAT(Refusal(Ministral3(), "rope_parameters", nullptr), HasSubstr("'rope_parameters'"));
  for (const char* key : {"head_dim", "num_key_value_heads"}) {
    EXPECT_THAT(ReadWithout(Ministral3(), key).error().message(), HasSubstr(key));
  }
  // Mistral's own class knows nothing of it.
  Json mistral = Ministral3();
  mistral["architectures"] = {"MistralForCausalLM"};
  EXPECT_THAT(Refusal(mistral, "model_type", "mistral"), HasSubstr("llama_4_scaling_beta"));
}

}  // namespace
}  // namespace skerry::engine
