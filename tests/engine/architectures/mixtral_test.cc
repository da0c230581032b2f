#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/architectures/published.h"

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;
using testing::Read;
using testing::ReadWith;
using testing::Refusal;

// Mixtral 8x7B Instruct's configuration as published.
const Json kPublished = Json::parse(R"({
  "architectures": ["MixtralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1,
  "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
  "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mixtral",
  "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32,
  "num_key_value_heads": 8, "num_local_experts": 8, "output_router_logits": false,
  "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.02,
  "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
  "transformers_version": "4.36.0.dev0", "use_cache": true, "vocab_size": 32000})");

TEST(MixtralTest, ReadsAPublishedConfiguration) {
  const auto config = Read(kPublished);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->architecture->name, "mixtral");
  EXPECT_EQ(config->n_experts, 8);
  EXPECT_EQ(config->experts_per_token, 2);
  EXPECT_EQ(config->expert_size, 14336);
  EXPECT_TRUE(config->normalise_experts);
  EXPECT_TRUE(config->layers[31].experts);
  EXPECT_EQ(config->layers[31].window, 0);
}

TEST(MixtralTest, RefusesByName) {
  EXPECT_THAT(Refusal(kPublished, "num_local_experts", 0), HasSubstr("number of experts"));
  EXPECT_THAT(Refusal(kPublished, "num_local_experts", 100'000), HasSubstr("number of experts"));
  Json many = kPublished;
  many["num_hidden_layers"] = 64;
  EXPECT_THAT(Refusal(many, "num_local_experts", 4096), HasSubstr("too many"));
  EXPECT_THAT(Refusal(kPublished, "num_experts_per_tok", 9), HasSubstr("a token's experts"));
  EXPECT_THAT(Refusal(kPublished, "num_experts_per_tok", nullptr),
              HasSubstr("num_experts_per_tok"));
  EXPECT_THAT(Refusal(kPublished, "num_shared_experts", 1), HasSubstr("'num_shared_experts'"));
}

TEST(MixtralTest, WindowIsOptional) {
  EXPECT_EQ(ReadWith(kPublished, "sliding_window", 4096)->layers[3].window, 4096);
}

}  // namespace
}  // namespace skerry::engine
