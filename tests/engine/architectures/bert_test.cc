#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/architectures/published.h"

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;
using testing::Read;
using testing::Refusal;

// BGE large's configuration as published.
const Json kPublished = Json::parse(R"({
  "_name_or_path": "x", "architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1,
  "classifier_dropout": null, "gradient_checkpointing": false, "hidden_act": "gelu",
  "hidden_dropout_prob": 0.1, "hidden_size": 1024, "id2label": {"0": "LABEL_0"},
  "initializer_range": 0.02, "intermediate_size": 4096, "label2id": {"LABEL_0": 0},
  "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert",
  "num_attention_heads": 16, "num_hidden_layers": 24, "pad_token_id": 0,
  "position_embedding_type": "absolute", "torch_dtype": "float32",
  "transformers_version": "4.30.0", "type_vocab_size": 2, "use_cache": true,
  "vocab_size": 30522})");

TEST(BertTest, ReadsAPublishedConfiguration) {
  const auto config = Read(kPublished);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "bert");
  EXPECT_FALSE(config->architecture->generates);
  EXPECT_FALSE(config->architecture->causal);
  EXPECT_EQ(config->n_kv_heads, 16);
  EXPECT_EQ(config->n_token_types, 2);
  EXPECT_EQ(config->pooling, Pooling::kCls);
  EXPECT_TRUE(config->ropes.empty());
}

TEST(BertTest, RefusesByName) {
  EXPECT_THAT(Refusal(kPublished, "hidden_act", "relu"), HasSubstr("'hidden_act'"));
  EXPECT_THAT(Refusal(kPublished, "position_embedding_type", "relative_key"),
              HasSubstr("'position_embedding_type'"));
  EXPECT_THAT(Refusal(kPublished, "type_vocab_size", 0), HasSubstr("token types"));
  EXPECT_THAT(Refusal(kPublished, "architectures", {"BertForSequenceClassification"}),
              HasSubstr("BertModel"));
}

constexpr const char* kModules = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])";

TEST(BertTest, PoolingFollowsSentenceTransformers) {
  ModelConfig config = *Read(kPublished);
  const Json mean = {{"word_embedding_dimension", 1024},
                     {"pooling_mode_cls_token", false},
                     {"pooling_mode_mean_tokens", true}};
  ASSERT_TRUE(internal::ReadSentencePooling(kModules, mean.dump(), config));
  EXPECT_EQ(config.pooling, Pooling::kMean);
  EXPECT_TRUE(config.normalise_embedding);
  const std::pair<Json, const char*> cases[] = {
      {{{"pooling_mode_max_tokens", true}}, "'pooling_mode_max_tokens'"},
      {{{"pooling_mode_mean_tokens", true}, {"pooling_mode_cls_token", true}}, "more than one"},
      {Json::object(), "no pooling mode"},
      {{{"pooling_mode_cls_token", true}, {"word_embedding_dimension", 3}}, "is 3"},
      {{{"pooling_mode_cls_token", true}, {"pooling_mode_magic", true}}, "pooling_mode_magic"},
      {Json::array(), "not an object"},
  };
  for (const auto& [json, message] : cases) {
    const auto read = internal::ReadSentencePooling(kModules, json.dump(), config);
    ASSERT_FALSE(read) << message;
    EXPECT_THAT(read.error().message(), HasSubstr(message));
  }
  EXPECT_THAT(internal::ReadSentencePooling(R"([{"type": "sentence_transformers.models.Dense"}])",
                                            "", config)
                  .error()
                  .message(),
              HasSubstr("Dense"));
  EXPECT_THAT(
      internal::ReadSentencePooling(R"([{"type": "x.Pooling", "path": "../up"}])", "", config)
          .error()
          .message(),
      HasSubstr("'../up'"));
}

}  // namespace
}  // namespace skerry::engine
