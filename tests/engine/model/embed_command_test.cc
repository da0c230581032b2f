#include "engine/model/embed_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/testing/fixtures.h"
#include "engine/model/load.h"
#include "engine/model/logits_command.h"
#include "tests/engine/model/golden.h"

namespace skerry::engine {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string Model(const std::string& name) {
  return std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/models/" + name;
}

std::vector<float> Embedding(const EmbedCommand& command) {
  const auto text = RunEmbed(command);
  EXPECT_TRUE(text) << text.error().message();
  return text ? json::parse(*text)["embedding"].get<std::vector<float>>() : std::vector<float>();
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  double dot = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

TEST(EmbedCommandTest, MatchesTheFixture) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const json golden = testing::ReadJsonFile(fixtures + "/tiny/bert/golden.json");
  const auto expected = golden["embedding"].get<std::vector<float>>();
  std::string tokens;
  for (const json& id : golden["tokens"]) tokens += id.dump() + " ";
  for (const char* path : {"/tiny/bert/hf", "/tiny/bert/bert-f32.gguf"}) {
    const std::vector<float> got = Embedding({fixtures + path, tokens, "", 2});
    ASSERT_EQ(got.size(), expected.size());
    EXPECT_GT(Cosine(got, expected), 0.9999) << path;
    // llama.cpp reads GELU from a table of half precision.
    EXPECT_LE(testing::RelativeDifference(got, expected), 3e-3) << path;
  }
}

TEST(EmbedCommandTest, PoolingCanBeAskedFor) {
  const std::string model = Model("bert-cls/hf");
  const std::vector<float> own = Embedding({model, "2 5 9", "", 1});
  EXPECT_EQ(own, Embedding({model, "2 5 9", "cls", 1}));
  EXPECT_NE(own, Embedding({model, "2 5 9", "mean", 1}));
  EXPECT_NE(own, Embedding({model, "2 5 9", "last", 1}));
  // Of a model that generates text only when asked for.
  EXPECT_EQ(Embedding({Model("llama/hf"), "1 5 9", "last", 1}).size(), 48U);
  const auto refused = RunEmbed({Model("llama/hf"), "1 5 9", "", 1});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("names no pooling; --pooling"));
}

TEST(EmbedCommandTest, RefusesBadArguments) {
  const std::string model = Model("bert-cls/hf");
  std::string too_many;
  for (int i = 0; i < 65; ++i) too_many += "5 ";
  const std::pair<EmbedCommand, const char*> cases[] = {
      {{model, "", "", 1}, "no token ids"},
      {{model, "5 x", "", 1}, "token 2 of the list"},
      {{model, "97", "", 1}, "outside the vocabulary"},
      {{model, too_many, "", 1}, "context of 64"},
      {{model, "5", "max", 1}, "'max' is not cls, mean or last"},
      {{model + "/none", "5", "", 1}, "cannot open model"},
  };
  for (const auto& [command, message] : cases) {
    const auto text = RunEmbed(command);
    ASSERT_FALSE(text) << message;
    EXPECT_THAT(text.error().message(), HasSubstr(message));
  }
}

TEST(EmbedCommandTest, EncodersGiveNoLogits) {
  const auto logits = RunLogits({Model("bert-cls/hf"), "5", 0, 1});
  ASSERT_FALSE(logits);
  EXPECT_THAT(logits.error().message(), HasSubstr("skerry-engine embed"));
  const auto checkpoint = Checkpoint::Open(Model("bert-cls/hf"));
  ASSERT_TRUE(checkpoint);
  const auto model = LoadModel(*checkpoint, {1});
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_FALSE((*model)->info().generates);
  ASSERT_TRUE((*model)->AllocateCache(2));
  const std::vector<TokenId> ids = {5, 6};
  const std::vector<BlockId> blocks = {0, 1};
  SequenceChunk chunk = {ids, 0, blocks, SequenceChunk::Logits::kLast};
  std::vector<float> out;
  EXPECT_FALSE((*model)->Forward(std::span(&chunk, 1), out));
  EXPECT_TRUE((*model)->Encode(std::span(&chunk, 1), out));
  chunk.position = 1;
  EXPECT_THAT((*model)->Encode(std::span(&chunk, 1), out).error().message(),
              HasSubstr("must be one chunk"));
}

}  // namespace
}  // namespace skerry::engine
