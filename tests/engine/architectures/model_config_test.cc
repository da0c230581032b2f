#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "engine/architectures/internal/readers.h"
#include "tests/engine/formats/gguf_writer.h"

namespace skerry::engine::internal {
namespace {

using engine::testing::GgufWriter;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Json Llama() {
  return {{"model_type", "llama"},
          {"architectures", {"LlamaForCausalLM"}},
          {"hidden_size", 64},
          {"intermediate_size", 172},
          {"num_hidden_layers", 5},
          {"num_attention_heads", 8},
          {"num_key_value_heads", 4},
          {"vocab_size", 512},
          {"max_position_embeddings", 512},
          {"rms_norm_eps", 1e-5},
          {"bos_token_id", 1},
          {"eos_token_id", 2}};
}

Json Mistral() {
  Json json = Llama();
  json["model_type"] = "mistral";
  json["architectures"] = {"MistralForCausalLM"};
  json["sliding_window"] = nullptr;
  json["head_dim"] = 16;
  return json;
}

const Json kLlama3 = {{"rope_type", "llama3"},
                      {"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 8192}};

Result<ModelConfig> Read(const Json& json, std::string_view generation = "") {
  return ReadHuggingFaceConfig(json.dump(), generation);
}

TEST(HuggingFaceConfigTest, ReadsLlama) {
  const Result<ModelConfig> config = Read(Llama());
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "llama");
  EXPECT_EQ(config->head_dim, 8);
  EXPECT_EQ(config->n_kv_heads, 4);
  EXPECT_EQ(config->ropes[0].theta, 10000.0);
  EXPECT_THAT(config->ropes[0].divisors, IsEmpty());
  EXPECT_FALSE(config->tie_word_embeddings);
  EXPECT_EQ(config->layers[0].window, 0);
  EXPECT_EQ(config->bos_id, 1);
  EXPECT_THAT(config->eos_ids, ElementsAre(2));
}

TEST(HuggingFaceConfigTest, DefaultsOfAbsentKeys) {
  Json json = Llama();
  json.erase("num_key_value_heads");
  EXPECT_EQ(Read(json)->n_kv_heads, 8);
  json = Mistral();
  EXPECT_EQ(Read(json)->head_dim, 16);
  EXPECT_EQ(Read(json)->layers[0].window, 0);
  json.erase("sliding_window");
  EXPECT_EQ(Read(json)->layers[0].window, 4096);
  json["sliding_window"] = 7;
  EXPECT_EQ(Read(json)->layers[0].window, 7);
}

TEST(HuggingFaceConfigTest, EndIdsAreTheUnionOfBothFiles) {
  Json json = Llama();
  json["eos_token_id"] = {9, 2};
  const Result<ModelConfig> config = Read(json, R"({"eos_token_id":[2,7],"temperature":0.6})");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_THAT(config->eos_ids, ElementsAre(2, 7, 9));
  json["eos_token_id"] = nullptr;
  EXPECT_THAT(Read(json, R"({"eos_token_id":5})")->eos_ids, ElementsAre(5));
}

TEST(HuggingFaceConfigTest, Version5SpellsRopeAndTypeDifferently) {
  Json json = Llama();
  json["dtype"] = "bfloat16";
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500000.0}};
  EXPECT_EQ(Read(json)->ropes[0].theta, 500000.0);
  json["rope_parameters"] = kLlama3;
  json["rope_parameters"]["rope_theta"] = 500000.0;
  const Result<ModelConfig> merged = Read(json);
  ASSERT_TRUE(merged) << merged.error().message();
  json.erase("rope_parameters");
  json["rope_theta"] = 500000.0;
  json["rope_scaling"] = kLlama3;
  EXPECT_EQ(Read(json)->ropes[0].divisors, merged->ropes[0].divisors);
  EXPECT_EQ(merged->ropes[0].divisors.size(), 4U);
}

TEST(HuggingFaceConfigTest, RefusesByName) {
  struct Case {
    const char* key;
    Json value;
    const char* message;
  };
  const Case cases[] = {
      {"model_type", "gpt2", "model_type 'gpt2'"},
      {"model_type", nullptr, "model_type"},
      {"architectures", {"LlamaForSequenceClassification"}, "LlamaForCausalLM"},
      {"hidden_size", 0, "hidden size is 0"},
      {"hidden_size", "64", "hidden_size"},
      {"hidden_size", -64, "hidden size is -64"},
      {"intermediate_size", int64_t{1} << 40, "intermediate size"},
      {"num_hidden_layers", 100000, "number of layers"},
      {"num_attention_heads", 0, "num_attention_heads"},
      {"num_key_value_heads", 3, "evenly"},
      {"num_key_value_heads", 16, "key-value heads"},
      {"head_dim", 7, "odd"},
      {"vocab_size", nullptr, "vocab_size"},
      {"max_position_embeddings", 0, "longest context"},
      {"rms_norm_eps", 0, "epsilon"},
      {"rms_norm_eps", "1e-5", "rms_norm_eps"},
      {"rope_theta", 0.5, "rope theta"},
      {"eos_token_id", 512, "end id 512"},
      {"eos_token_id", "2", "eos_token_id"},
      {"bos_token_id", {1, 2}, "bos_token_id"},
      {"bos_token_id", 4096, "begin id 4096"},
      {"hidden_act", "gelu", "'hidden_act' is supported only as \"silu\""},
      {"attention_bias", 1, "'attention_bias'"},
      {"partial_rotary_factor", 0.5, "'partial_rotary_factor'"},
      {"quantization_config", {{"quant_method", "awq"}}, "awq"},
      {"auto_map", {{"AutoModel", "x.Y"}}, "'auto_map'"},
      {"residual_multiplier", 0.2, "'residual_multiplier'"},
      {"sliding_window", 4096, "'sliding_window'"},
      {"layer_types", {"linear_attention"}, "'layer_types'"},
      {"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}, "type 'dynamic'"},
      {"rope_scaling", {{"rope_type", "linear"}}, "'factor'"},
      {"rope_scaling", {{"rope_type", "linear"}, {"factor", 0}}, "rope factor"},
      {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 0.5}}, "contradict"},
      {"rope_scaling", "yarn", "not an object"},
      {"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}, "low_freq_factor"},
      {"rope_scaling", {{"rope_type", "default"}, {"mscale", 2.0}}, "mscale"},
      {"rope_parameters", {{"full_attention", {{"rope_type", "default"}}}}, "full_attention"},
  };
  for (const Case& c : cases) {
    Json json = Llama();
    json[c.key] = c.value;
    const Result<ModelConfig> config = Read(json);
    ASSERT_FALSE(config) << c.key << " = " << c.value;
    EXPECT_THAT(config.error().message(), HasSubstr(c.message)) << c.key << " = " << c.value;
  }
  Json json = Llama();
  json["rope_scaling"] = kLlama3;
  json["rope_scaling"]["high_freq_factor"] = 1.0;
  EXPECT_THAT(Read(json).error().message(), HasSubstr("contradict"));
  EXPECT_FALSE(ReadHuggingFaceConfig("[]", ""));
  EXPECT_FALSE(ReadHuggingFaceConfig("{", ""));
  EXPECT_THAT(Read(Llama(), "[").error().message(), HasSubstr("generation_config.json"));
}

TEST(HuggingFaceConfigTest, AcceptsWhatChangesNothing) {
  Json json = Llama();
  json["quantization_config"] = nullptr;
  json["never_heard_of"] = nullptr;
  json["attention_bias"] = false;
  json["partial_rotary_factor"] = 1.0;
  json["torch_dtype"] = "bfloat16";
  json["rope_scaling"] = nullptr;
  json["layer_types"] = std::vector<std::string>(5, "full_attention");
  const Result<ModelConfig> config = Read(json);
  EXPECT_TRUE(config) << config.error().message();
}

GgufWriter LlamaGguf() {
  GgufWriter writer;
  writer.String("general.architecture", "llama");
  writer.U32("llama.context_length", 512);
  writer.U32("llama.embedding_length", 64);
  writer.U32("llama.block_count", 5);
  writer.U32("llama.feed_forward_length", 172);
  writer.U32("llama.attention.head_count", 8);
  writer.F32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer.U32("llama.vocab_size", 512);
  writer.U32("tokenizer.ggml.eos_token_id", 2);
  return writer;
}

Result<ModelConfig> ReadGguf(const std::function<void(GgufWriter&)>& change) {
  GgufWriter writer = LlamaGguf();
  change(writer);
  const std::string bytes = writer.Finish();
  const Result<GgufFile> gguf =
      GgufFile::Parse({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "t");
  if (!gguf) return gguf.error();
  return ReadGgufConfig(*gguf);
}

TEST(GgufConfigTest, ReadsLlama) {
  const Result<ModelConfig> config = ReadGguf([](GgufWriter& w) {
    w.U32("llama.attention.head_count_kv", 2);
    w.U32("llama.attention.key_length", 16);
    w.U32("llama.attention.value_length", 16);
    w.U32("llama.rope.dimension_count", 16);
    w.U32("tokenizer.ggml.bos_token_id", 1);
    w.U32("tokenizer.ggml.eot_token_id", 9);
    w.F32("llama.rope.freq_base", 500000.0F);
    const float factors[] = {1, 1, 1, 1, 8, 8, 8, 8};
    w.Tensor("rope_freqs.weight", {8}, 0,
             {reinterpret_cast<const char*>(factors), sizeof(factors)});
  });
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->n_kv_heads, 2);
  EXPECT_EQ(config->head_dim, 16);
  EXPECT_EQ(config->ropes[0].theta, 500000.0);
  EXPECT_THAT(config->ropes[0].divisors, ElementsAre(1, 1, 1, 1, 8, 8, 8, 8));
  EXPECT_TRUE(config->tie_word_embeddings);
  EXPECT_EQ(config->bos_id, 1);
  EXPECT_THAT(config->eos_ids, ElementsAre(2, 9));
}

TEST(GgufConfigTest, AcceptsEqualCountsPerLayer) {
  const auto equal = ReadGguf([](GgufWriter& w) {
    w.Numbers<uint32_t>("llama.attention.head_count_kv", 4, {4, 4, 4, 4, 4});
  });
  ASSERT_TRUE(equal) << equal.error().message();
  EXPECT_EQ(equal->n_kv_heads, 4);
}

TEST(GgufConfigTest, RefusesByName) {
  struct Case {
    std::function<void(GgufWriter&)> change;
    const char* message;
  };
  const Case cases[] = {
      {[](auto& w) { w = GgufWriter(); }, "general.architecture"},
      {[](auto& w) { w = GgufWriter(), w.String("general.architecture", "rwkv7"); }, "'rwkv7'"},
      {[](auto& w) { w = GgufWriter(), w.String("general.architecture", "llama"); },
       "llama.embedding_length"},
      {[](auto& w) { w.String("general.type", "adapter"); }, "adapter"},
      {[](auto& w) { w.F32("llama.logit_scale", 2.0F); }, "'llama.logit_scale'"},
      {[](auto& w) { w.String("llama.rope.scaling.type", "longrope"); },
       "llama.rope.scaling.factor"},
      {[](auto& w) {
         w.String("llama.rope.scaling.type", "longrope");
         w.F32("llama.rope.scaling.factor", 2.0F);
       },
       "'longrope'"},
      {[](auto& w) { w.U32("llama.rope.dimension_count", 4); }, "rope dimensions 4"},
      {[](auto& w) { w.U32("llama.attention.value_length", 4); }, "value length 4"},
      {[](auto& w) {
         w.template Numbers<uint32_t>("llama.attention.head_count_kv", 4, {4, 2});
       },
       "differs from layer to layer"},
      {[](auto& w) { w.template Numbers<uint32_t>("llama.attention.head_count_kv", 4, {}); },
       "differs from layer to layer"},
      {[](auto& w) { w.Tensor("rope_freqs.weight", {2}, 0, "12345678"); }, "rope factors"},
      {[](auto& w) { w.Tensor("rope_freqs.weight", {4}, 1, "12345678"); }, "rope_freqs.weight"},
      {[](auto& w) { w.U32("tokenizer.ggml.bos_token_id", 4000000000U); }, "bos_token_id"},
      {[](auto& w) { w.U32("tokenizer.ggml.eom_token_id", 512); }, "end id 512"},
  };
  for (const Case& c : cases) {
    const Result<ModelConfig> config = ReadGguf(c.change);
    ASSERT_FALSE(config) << c.message;
    EXPECT_THAT(config.error().message(), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace skerry::engine::internal
