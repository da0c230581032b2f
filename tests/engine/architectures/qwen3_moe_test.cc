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

// Qwen3 30B-A3B's configuration as published.
const Json kPublished = Json::parse(R"({
  "architectures": ["Qwen3MoeForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "bos_token_id": 151643, "decoder_sparse_step": 1, "eos_token_id": 151645, "head_dim": 128,
  "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 6144,
  "max_position_embeddings": 40960, "max_window_layers": 48, "mlp_only_layers": [],
  "model_type": "qwen3_moe", "moe_intermediate_size": 768, "norm_topk_prob": true,
  "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
  "num_hidden_layers": 48, "num_key_value_heads": 4, "output_router_logits": false,
  "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000.0,
  "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings": false,
  "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true,
  "use_sliding_window": false, "vocab_size": 151936})");

TEST(Qwen3MoeTest, ReadsAPublishedConfiguration) {
  const auto config = Read(kPublished);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->n_experts, 128);
  EXPECT_EQ(config->experts_per_token, 8);
  EXPECT_EQ(config->expert_size, 768);
  EXPECT_TRUE(config->normalise_experts);
  EXPECT_TRUE(config->qk_norm);
  for (const LayerConfig& layer : config->layers) EXPECT_TRUE(layer.experts);
}

TEST(Qwen3MoeTest, SomeLayersAreDense) {
  const auto step = ReadWith(kPublished, "decoder_sparse_step", 2);
  ASSERT_TRUE(step) << step.error().message();
  EXPECT_FALSE(step->layers[0].experts);
  EXPECT_TRUE(step->layers[1].experts);
  const auto named = ReadWith(kPublished, "mlp_only_layers", {3, 47});
  ASSERT_TRUE(named) << named.error().message();
  EXPECT_FALSE(named->layers[3].experts);
  EXPECT_FALSE(named->layers[47].experts);
  EXPECT_TRUE(named->layers[4].experts);
}

TEST(Qwen3MoeTest, SharesAreNormalisedOnlyWhenSaid) {
  EXPECT_FALSE(ReadWithout(kPublished, "norm_topk_prob")->normalise_experts);
}

TEST(Qwen3MoeTest, RefusesByName) {
  EXPECT_THAT(Refusal(kPublished, "decoder_sparse_step", 0), HasSubstr("'decoder_sparse_step'"));
  EXPECT_THAT(Refusal(kPublished, "mlp_only_layers", {48}), HasSubstr("'mlp_only_layers'"));
  EXPECT_THAT(Refusal(kPublished, "mlp_only_layers", 3), HasSubstr("'mlp_only_layers'"));
  EXPECT_THAT(Refusal(kPublished, "use_sliding_window", true), HasSubstr("'use_sliding_window'"));
  EXPECT_THAT(Refusal(kPublished, "moe_intermediate_size", -1), HasSubstr("of an expert"));
}

}  // namespace
}  // namespace skerry::engine
