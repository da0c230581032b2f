#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/architectures/published.h"

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;
using testing::Read;
using testing::ReadWith;
using testing::ReadWithout;

// Qwen3 4B's configuration as published.
const Json kPublished = Json::parse(R"({
  "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
  "hidden_size": 2560, "initializer_range": 0.02, "intermediate_size": 9728,
  "max_position_embeddings": 40960, "max_window_layers": 36, "model_type": "qwen3",
  "num_attention_heads": 32, "num_hidden_layers": 36, "num_key_value_heads": 8,
  "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
  "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
  "use_cache": true, "use_sliding_window": false, "vocab_size": 151936})");

TEST(Qwen3Test, ReadsAPublishedConfiguration) {
  const auto config = Read(kPublished);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "qwen3");
  EXPECT_TRUE(config->qk_norm);
  EXPECT_FALSE(config->qkv_bias);
  EXPECT_EQ(config->n_heads * config->head_dim, 4096);  // not the hidden size
  EXPECT_TRUE(config->tie_word_embeddings);
}

TEST(Qwen3Test, BiasesAreOptional) {
  const auto config = ReadWith(kPublished, "attention_bias", true);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(config->qkv_bias);
  EXPECT_TRUE(config->attention_out_bias);
}

TEST(Qwen3Test, RefusesByName) {
  EXPECT_THAT(ReadWithout(kPublished, "head_dim").error().message(), HasSubstr("head_dim"));
  EXPECT_THAT(ReadWith(kPublished, "layer_types", {"full_attention"}).error().message(),
              HasSubstr("'layer_types'"));
}

}  // namespace
}  // namespace skerry::engine
