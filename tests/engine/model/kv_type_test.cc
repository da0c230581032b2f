// What a narrow key-value cache costs: each type against F32, on models with random weights and on
// a small one that was trained. Chunks of several lengths and single tokens must give the same.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "appliance/base/testing/fixtures.h"
#include "engine/cache/block_pool.h"
#include "engine/model/load.h"
#include "tests/engine/model/golden.h"

namespace skerry::engine {
namespace {

std::vector<float> Logits(const Checkpoint& checkpoint, KvType type,
                          const std::vector<TokenId>& tokens, size_t chunk_tokens) {
  const auto model = LoadModel(checkpoint, {.threads = 2, .kv_type = type});
  EXPECT_TRUE(model) << model.error().message();
  const int32_t n_blocks = BlockPool::BlocksFor(static_cast<int64_t>(tokens.size()));
  EXPECT_TRUE((*model)->AllocateCache(n_blocks));
  const std::vector<BlockId> blocks = testing::AllBlocks(n_blocks);
  std::vector<float> all;
  for (size_t begin = 0; begin < tokens.size(); begin += chunk_tokens) {
    SequenceChunk chunk;
    chunk.tokens = std::span(tokens).subspan(begin, std::min(chunk_tokens, tokens.size() - begin));
    chunk.position = static_cast<int32_t>(begin);
    chunk.blocks = blocks;
    chunk.logits = SequenceChunk::Logits::kAll;
    std::vector<float> logits;
    EXPECT_TRUE((*model)->Forward(std::span(&chunk, 1), logits));
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

double AllowedKl(KvType type) {
  switch (type) {
    case KvType::kF32:
      return 0;
    case KvType::kF16:
      return 2e-6;
    case KvType::kBf16:
      return 1e-4;
    case KvType::kInt8:
      return 2e-3;
    case KvType::kF8E4M3:
      return 2e-2;
  }
  return 0;
}

void Compare(const std::string& path, const std::vector<TokenId>& tokens) {
  const auto checkpoint = Checkpoint::Open(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  const std::vector<float> exact = Logits(*checkpoint, KvType::kF32, tokens, 64);
  const auto vocab = static_cast<size_t>(checkpoint->config().vocab_size);
  for (const KvType type : kKvTypes) {
    const std::vector<float> logits = Logits(*checkpoint, type, tokens, 64);
    const double kl = testing::MeanKl(logits, exact, vocab);
    std::printf("%-40s %-8s largest difference %.1e, mean KL %.1e\n",
                std::filesystem::path(path).lexically_relative(SKERRY_SOURCE_DIR).c_str(),
                std::string(KvTypeName(type)).c_str(), testing::RelativeDifference(logits, exact),
                kl);
    EXPECT_LE(std::abs(kl), AllowedKl(type) + 1e-12) << KvTypeName(type);
    EXPECT_EQ(Logits(*checkpoint, type, tokens, 7), logits) << KvTypeName(type);
  }
}

TEST(KvTypes, RandomWeights) {
  std::mt19937 random(2);
  for (const char* name : {"llama", "qwen3", "mistral-window"}) {
    const std::string path =
        std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/models/" + name + "/hf";
    const auto checkpoint = Checkpoint::Open(path);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    std::vector<TokenId> tokens(90);
    for (TokenId& token : tokens) {
      token =
          static_cast<TokenId>(random() % static_cast<uint32_t>(checkpoint->config().vocab_size));
    }
    Compare(path, tokens);
  }
}

TEST(KvTypes, ATrainedModelTellingAStory) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto folder = std::filesystem::path(fixtures) / "stories260k";
  const auto golden = testing::ReadJsonFile(folder / "golden.json");
  auto tokens = golden["tokens"].get<std::vector<TokenId>>();
  const auto greedy = golden["greedy"].get<std::vector<TokenId>>();
  tokens.insert(tokens.end(), greedy.begin(), greedy.end());
  Compare(folder / "hf", tokens);
}

}  // namespace
}  // namespace skerry::engine
