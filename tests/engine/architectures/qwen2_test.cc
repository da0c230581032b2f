#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/architectures/published.h"

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;
using testing::Read;
using testing::ReadWith;
using testing::Refusal;

// Qwen2.5 7B Instruct's configuration as published.
const Json kPublished = Json::parse(R"({
  "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
  "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 3584, "initializer_range": 0.02,
  "intermediate_size": 18944, "max_position_embeddings": 32768, "max_window_layers": 28,
  "model_type": "qwen2", "num_attention_heads": 28, "num_hidden_layers": 28,
  "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
  "sliding_window": 131072, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
  "transformers_version": "4.43.1", "use_cache": true, "use_sliding_window": false,
  "vocab_size": 152064})");

TEST(Qwen2Test, ReadsAPublishedConfiguration) {
  const auto config = Read(kPublished);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "qwen2");
  EXPECT_TRUE(config->qkv_bias);
  EXPECT_FALSE(config->attention_out_bias);
  EXPECT_FALSE(config->qk_norm);
  EXPECT_EQ(config->head_dim, 128);
  EXPECT_EQ(config->layers[27].window, 0);
}

// As the model card says to: the context grows to factor x original.
TEST(Qwen2Test, YarnStretchesTheContext) {
  const auto config =
      ReadWith(kPublished, "rope_scaling",
               {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32768}});
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->max_position, 131072);
  EXPECT_GT(config->ropes[0].scale, 1.1);
  EXPECT_EQ(config->ropes[0].divisors.back(), 4);
}

TEST(Qwen2Test, WindowsBeginAtALayer) {
  Json json = kPublished;
  json["use_sliding_window"] = true;
  json["max_window_layers"] = 21;
  const auto config = Read(json);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->layers[20].window, 0);
  EXPECT_EQ(config->layers[21].window, 131072);
  json["sliding_window"] = 0;
  EXPECT_THAT(Read(json).error().message(), HasSubstr("'sliding_window' is not positive"));
}

TEST(Qwen2Test, RefusesByName) {
  EXPECT_THAT(Refusal(kPublished, "attention_bias", false), HasSubstr("'attention_bias'"));
  EXPECT_THAT(Refusal(kPublished, "use_mrope", true), HasSubstr("'use_mrope'"));
  EXPECT_THAT(Refusal(kPublished, "hidden_act", "gelu"), HasSubstr("'hidden_act'"));
}

}  // namespace
}  // namespace skerry::engine
