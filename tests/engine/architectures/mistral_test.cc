#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/architectures/internal/readers.h"

namespace skerry::engine::internal {
namespace {

using ::testing::HasSubstr;

// Mistral Nemo's numbers as published.
constexpr const char* kNemo = R"({
  "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1,
  "eos_token_id": 2, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120,
  "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 131072,
  "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 40,
  "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
  "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
  "transformers_version": "4.43.0.dev0", "use_cache": true, "vocab_size": 131072})";

std::string With(const std::string& key, const std::string& value) {
  std::string text = kNemo;
  const size_t at = text.find('"' + key + '"');
  if (at != std::string::npos) text.erase(at, text.find(',', at) + 1 - at);
  return value.empty() ? text : text.insert(1, '"' + key + "\": " + value + ",");
}

TEST(MistralTest, ReadsAPublishedConfiguration) {
  const auto config = ReadHuggingFaceConfig(kNemo, "");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "mistral");
  EXPECT_EQ(config->n_heads * config->head_dim, 4096);
  EXPECT_EQ(config->layers[39].window, 0);
}

TEST(MistralTest, WindowHoldsForEveryLayer) {
  EXPECT_EQ(ReadHuggingFaceConfig(With("sliding_window", "4096"), "")->layers[7].window, 4096);
  EXPECT_EQ(ReadHuggingFaceConfig(With("sliding_window", ""), "")->layers[7].window, 4096);
  EXPECT_THAT(ReadHuggingFaceConfig(With("sliding_window", "-1"), "").error().message(),
              HasSubstr("'sliding_window'"));
  std::string mixed = "[\"sliding_attention\"";
  for (int i = 1; i < 40; ++i) mixed += ",\"full_attention\"";
  std::string text = With("sliding_window", "4096");
  text.insert(1, "\"layer_types\": " + mixed + "],");
  EXPECT_THAT(ReadHuggingFaceConfig(text, "").error().message(), HasSubstr("contradicts"));
}

TEST(MistralTest, KeyValueHeadsAreNamed) {
  EXPECT_THAT(ReadHuggingFaceConfig(With("num_key_value_heads", ""), "").error().message(),
              HasSubstr("num_key_value_heads"));
}

}  // namespace
}  // namespace skerry::engine::internal
