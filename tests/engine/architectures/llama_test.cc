#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/architectures/internal/readers.h"

namespace skerry::engine::internal {
namespace {

using ::testing::HasSubstr;

// Llama 3.2 1B's numbers as published.
constexpr const char* kPublished = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64,
  "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
  "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
  "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
  "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
  "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256})";

TEST(LlamaTest, ReadsAPublishedConfiguration) {
  const auto config = ReadHuggingFaceConfig(kPublished, "");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "llama");
  EXPECT_EQ(config->head_dim, 64);
  EXPECT_TRUE(config->tie_word_embeddings);
  ASSERT_EQ(config->ropes.size(), 1U);
  EXPECT_EQ(config->ropes[0].divisors.back(), 32);
  EXPECT_EQ(config->eos_ids.size(), 3U);
  EXPECT_FALSE(config->qkv_bias);
  EXPECT_EQ(config->layers.size(), 16U);
}

TEST(LlamaTest, BiasesAreOptional) {
  std::string text = kPublished;
  text.replace(text.find("\"attention_bias\": false"), 23, "\"attention_bias\": true ");
  text.replace(text.find("\"mlp_bias\": false"), 17, "\"mlp_bias\": true ");
  const auto config = ReadHuggingFaceConfig(text, "");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(config->qkv_bias);
  EXPECT_TRUE(config->attention_out_bias);
  EXPECT_TRUE(config->mlp_bias);
}

TEST(LlamaTest, HasNoWindow) {
  std::string text = kPublished;
  text.insert(1, "\"sliding_window\": 4096,");
  EXPECT_THAT(ReadHuggingFaceConfig(text, "").error().message(), HasSubstr("'sliding_window'"));
}

}  // namespace
}  // namespace skerry::engine::internal
