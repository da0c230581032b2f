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

// Mistral Small 3.1 24B's params.json as published, without the numbers of its vision part.
constexpr const char* kParams = R"({
  "dim": 5120, "n_layers": 40, "head_dim": 128, "hidden_dim": 32768, "n_heads": 32,
  "n_kv_heads": 8, "rope_theta": 100000000.0, "norm_eps": 1e-05, "vocab_size": 131072,
  "max_position_embeddings": 131072, "vision_encoder": {"hidden_size": 1024}})";

std::string Params(const std::string& key, const std::string& value) {
  std::string text = kParams;
  return text.insert(1, '"' + key + "\": " + value + ",");
}

TEST(MistralTest, ReadsPublishedParams) {
  const auto config = ReadMistralConfig(kParams);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->hidden_size, 5120);
  EXPECT_EQ(config->n_heads * config->head_dim, 4096);
  EXPECT_EQ(config->max_position, 131072);
  EXPECT_EQ(config->ropes[0].theta, 1e8);
  EXPECT_FALSE(config->tie_word_embeddings);
  EXPECT_EQ(config->notes.size(), 1U);
  EXPECT_EQ(config->eos_ids, std::vector<int32_t>{2});
}

TEST(MistralTest, ParamsMayHaveWindowsYarnAndExperts) {
  const auto windows = ReadMistralConfig(Params("sliding_window", "[4096, null]"));
  ASSERT_TRUE(windows) << windows.error().message();
  EXPECT_EQ(windows->layers[38].window, 4096);
  EXPECT_EQ(windows->layers[39].window, 0);
  const auto yarn = ReadMistralConfig(
      Params("yarn", R"({"factor": 64, "original_max_position_embeddings": 4096, "beta": 4,
                         "alpha": 1, "apply_scale": false})"));
  ASSERT_TRUE(yarn) << yarn.error().message();
  EXPECT_EQ(yarn->ropes[0].divisors.back(), 64);
  EXPECT_EQ(yarn->ropes[0].scale, 1);
  const auto scaled = ReadMistralConfig(
      Params("llama_4_scaling", R"({"original_max_position_embeddings": 16384, "beta": 0.1})"));
  ASSERT_TRUE(scaled) << scaled.error().message();
  EXPECT_EQ(scaled->query_scale.beta, 0.1);
  EXPECT_EQ(scaled->query_scale.length, 16384);
  const auto experts =
      ReadMistralConfig(Params("moe", R"({"num_experts": 8, "num_experts_per_tok": 2})"));
  ASSERT_TRUE(experts) << experts.error().message();
  EXPECT_TRUE(experts->layers[39].experts);
  EXPECT_EQ(experts->expert_size, 32768);
}

TEST(MistralTest, RefusesParamsByName) {
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "not a JSON object"},
      {Params("llama_4_scaling", "{}"), "'llama_4_scaling'"},
      {Params("llama_4_scaling", "3"), "'llama_4_scaling'"},
      {Params("llama_4_scaling", R"({"original_max_position_embeddings": 0, "beta": 0.1})"),
       "scale by position"},
      {Params("llama_4_scaling",
              R"({"original_max_position_embeddings": 8, "beta": 0.1, "gamma": 1})"),
       "gamma"},
      {Params("q_lora_rank", "1024"), "'q_lora_rank'"},
      {Params("use_biases", "true"), "'use_biases'"},
      {Params("causal", "false"), "'causal'"},
      {Params("moe", R"({"num_experts": 8, "num_experts_per_tok": 2, "route_every_n": 2})"),
       "route_every_n"},
      {Params("yarn", R"({"factor": 0.5, "original_max_position_embeddings": 4096})"),
       "contradict"},
      {Params("sliding_window", "[4096, null, 1]"), "'sliding_window'"},
      {Params("sliding_window", "\"x\""), "'sliding_window'"},
      {R"({"dim": 5120})", "hidden_dim"},
  };
  for (const auto& [text, message] : cases) {
    const auto config = ReadMistralConfig(text);
    ASSERT_FALSE(config) << message;
    EXPECT_THAT(config.error().message(), HasSubstr(message));
  }
}

// Mistral Small 3.1's config.json as published, in its essentials.
TEST(MistralTest, ReadsTheTextOfAMultimodalModel) {
  const auto config = ReadHuggingFaceConfig(R"({
    "architectures": ["Mistral3ForConditionalGeneration"], "image_token_index": 10,
    "model_type": "mistral3", "multimodal_projector_bias": false, "projector_hidden_act": "gelu",
    "spatial_merge_size": 2, "vision_feature_layer": -1, "torch_dtype": "bfloat16",
    "text_config": {"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu",
      "hidden_size": 5120, "initializer_range": 0.02, "intermediate_size": 32768,
      "max_position_embeddings": 131072, "model_type": "mistral", "num_attention_heads": 32,
      "num_hidden_layers": 40, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
      "rope_theta": 1000000000.0, "sliding_window": null, "use_cache": true,
      "vocab_size": 131072},
    "vision_config": {"hidden_size": 1024, "model_type": "pixtral"}})",
                                            "");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "mistral");
  EXPECT_EQ(config->ropes[0].theta, 1e9);
  EXPECT_EQ(config->notes.size(), 1U);
}

}  // namespace
}  // namespace skerry::engine::internal
