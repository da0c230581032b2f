#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/architectures/published.h"

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;
using testing::Read;
using testing::Refusal;

// gpt-oss 20b's configuration as published, its list of layer types made here.
Json Published() {
  Json json = Json::parse(R"({
    "architectures": ["GptOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.0,
    "eos_token_id": 200002, "experts_per_token": 4, "head_dim": 64, "hidden_act": "silu",
    "hidden_size": 2880, "initial_context_length": 4096, "initializer_range": 0.02,
    "intermediate_size": 2880, "max_position_embeddings": 131072, "model_type": "gpt_oss",
    "num_attention_heads": 64, "num_experts_per_tok": 4, "num_hidden_layers": 24,
    "num_key_value_heads": 8, "num_local_experts": 32, "output_router_logits": false,
    "pad_token_id": 199999, "rms_norm_eps": 1e-05,
    "quantization_config": {"modules_to_not_convert": ["lm_head"], "quant_method": "mxfp4"},
    "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
      "original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": false},
    "rope_theta": 150000, "router_aux_loss_coef": 0.9, "sliding_window": 128,
    "swiglu_limit": 7.0, "tie_word_embeddings": false, "transformers_version": "4.55.0.dev0",
    "use_cache": true, "vocab_size": 201088})");
  for (int i = 0; i < 24; ++i) {
    json["layer_types"].push_back(i % 2 == 0 ? "sliding_attention" : "full_attention");
  }
  return json;
}

TEST(GptOssTest, ReadsAPublishedConfiguration) {
  const auto config = Read(Published());
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "gpt-oss");
  EXPECT_EQ(config->n_experts, 32);
  EXPECT_EQ(config->experts_per_token, 4);
  EXPECT_EQ(config->expert_size, 2880);
  EXPECT_EQ(config->gate_limit, 7);
  EXPECT_EQ(config->layers[0].window, 128);
  EXPECT_EQ(config->layers[1].window, 0);
  EXPECT_EQ(config->max_position, 131072);
  EXPECT_NEAR(config->ropes[0].scale, 0.1 * std::log(32.0) + 1, 1e-12);
}

TEST(GptOssTest, WindowsAlternateByDefault) {
  Json json = Published();
  json.erase("layer_types");
  const auto config = Read(json);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->layers[22].window, 128);
  EXPECT_EQ(config->layers[23].window, 0);
}

TEST(GptOssTest, RefusesByName) {
  EXPECT_THAT(Refusal(Published(), "experts_per_token", 5), HasSubstr("'experts_per_token'"));
  EXPECT_THAT(Refusal(Published(), "attention_bias", false), HasSubstr("'attention_bias'"));
  EXPECT_THAT(Refusal(Published(), "quantization_config", {{"quant_method", "awq"}}),
              HasSubstr("'awq'"));
  EXPECT_THAT(Refusal(Published(), "sliding_window", nullptr), HasSubstr("'sliding_window'"));
  EXPECT_THAT(Refusal(Published(), "swiglu_limit", -1), HasSubstr("limit"));
  EXPECT_THAT(Refusal(Published(), "swiglu_alpha", 2), HasSubstr("'swiglu_alpha'"));
}

}  // namespace
}  // namespace skerry::engine
