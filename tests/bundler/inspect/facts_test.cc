#include "bundler/inspect/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bundler/small_model.h"
#include "tests/bundler/string_file.h"

namespace skerry::inspect {
namespace {

using skerry::testing::GgufParts;
using skerry::testing::GgufText;
using skerry::testing::LittleEndian;
using skerry::testing::SmallModel;
using skerry::testing::StringFile;
using ::testing::ElementsAre;
using ::testing::Pair;

using Model = std::map<std::string, std::string>;

ModelFacts FactsOf(const Model& model, ModelFormat format) {
  ModelFiles files;
  for (const auto& [name, text] : model) files.names.push_back(name);
  files.open = [&](const std::string& name) -> Result<std::unique_ptr<File>> {
    return std::unique_ptr<File>(new StringFile(model.at(name)));
  };
  return ReadFacts(files, format).value();
}

TEST(FactsTest, HuggingFaceFolder) {
  Model model = SmallModel();
  model["config.json"] =
      R"({"head_dim":128,"hidden_size":4096,"max_position_embeddings":32768,"model_type":"mistral",)"
      R"("num_attention_heads":32,"num_hidden_layers":40,"num_key_value_heads":8})";
  const ModelFacts facts = FactsOf(model, ModelFormat::kHuggingFace);
  EXPECT_EQ(facts.architecture, "mistral");
  EXPECT_EQ(facts.tokenizer, "tokenizer.model");
  EXPECT_THAT(facts.elements, ElementsAre(Pair("BF16", 4), Pair("F32", 6)));
  EXPECT_EQ(facts.TotalElements(), 10U);
  EXPECT_EQ(facts.weight_bytes, model["model.safetensors"].size());
  EXPECT_EQ(facts.context_tokens, 32768U);
  EXPECT_EQ(facts.KvBytesPerToken(4), 2U * 4 * 40 * 8 * 128);
}

TEST(FactsTest, SizesThatFollowFromOthers) {
  Model model = SmallModel();
  model["config.json"] =
      R"({"model_type":"x","text_config":{"hidden_size":64,"num_attention_heads":4,)"
      R"("num_hidden_layers":2}})";
  const ModelFacts facts = FactsOf(model, ModelFormat::kHuggingFace);
  EXPECT_EQ(facts.kv_heads, 4U);
  EXPECT_EQ(facts.head_dim, 16U);
  model["config.json"] = R"({"model_type":"x","num_hidden_layers":-2,"num_attention_heads":"4"})";
  EXPECT_EQ(FactsOf(model, ModelFormat::kHuggingFace).KvBytesPerToken(4), 0U);
}

TEST(FactsTest, MistralsOwnForm) {
  const Model model = {
      {"consolidated.safetensors", skerry::testing::SmallSafetensors()},
      {"params.json", R"({"dim":64,"head_dim":16,"n_heads":8,"n_kv_heads":2,"n_layers":3})"},
      {"tekken.json", "{}"}};
  const ModelFacts facts = FactsOf(model, ModelFormat::kMistral);
  EXPECT_EQ(facts.tokenizer, "tekken.json");
  EXPECT_EQ(facts.KvBytesPerToken(2), 2U * 2 * 3 * 2 * 16);
}

TEST(FactsTest, GgufMetadata) {
  GgufParts parts;
  auto number = [](uint64_t value) { return LittleEndian(4, 4) + LittleEndian(value, 4); };
  auto text = [](const std::string& value) { return LittleEndian(8, 4) + GgufText(value); };
  parts.keys.emplace_back("general.name", text("Tiny\xff"));
  parts.keys.emplace_back("general.license", text("apache-2.0"));
  parts.keys.emplace_back("general.organization", text(std::string(5000, 'x')));
  parts.keys.emplace_back("tokenizer.ggml.model", text("llama"));
  parts.keys.emplace_back("llama.embedding_length", number(64));
  parts.keys.emplace_back("llama.attention.head_count", number(8));
  parts.keys.emplace_back("llama.attention.head_count_kv", number(2));
  parts.keys.emplace_back("llama.context_length", number(2048));
  const ModelFacts facts = FactsOf({{"x.gguf", parts.Build()}}, ModelFormat::kGguf);
  EXPECT_EQ(facts.architecture, "llama");
  EXPECT_EQ(facts.name, "Tiny?");
  EXPECT_EQ(facts.license, "apache-2.0");
  EXPECT_EQ(facts.tokenizer, "llama");
  EXPECT_THAT(facts.elements, ElementsAre(Pair("F32", 8), Pair("Q4_0", 32)));
  EXPECT_EQ(facts.KvBytesPerToken(4), 2U * 4 * 1 * 2 * 8);
  EXPECT_EQ(facts.context_tokens, 2048U);
  EXPECT_FALSE(facts.split_gguf);
}

TEST(FactsTest, AbsurdNumbersAreUnknown) {
  GgufParts parts;
  parts.keys.emplace_back("llama.attention.head_count",
                          LittleEndian(10, 4) + std::string(8, '\xff'));
  parts.keys.emplace_back("split.count", LittleEndian(2, 4) + LittleEndian(2, 2));
  const ModelFacts facts = FactsOf({{"x.gguf", parts.Build()}}, ModelFormat::kGguf);
  EXPECT_EQ(facts.KvBytesPerToken(4), 0U);
  EXPECT_TRUE(facts.split_gguf);
}

}  // namespace
}  // namespace skerry::inspect
