// Logits and greedy texts against other implementations: llama.cpp and a float64 forward pass.
#include <gtest/gtest.h>

#include <filesystem>

#include "appliance/base/testing/fixtures.h"
#include "engine/cache/block_pool.h"
#include "engine/model/load.h"
#include "tests/engine/model/golden.h"

namespace skerry::engine {
namespace {

using nlohmann::json;

constexpr double kF32Tolerance = 1e-4;  // standard deviations of the logits
// llama.cpp reads GELU from a table of half precision: an exact one differs by up to 2e-3.
constexpr double kGeluTolerance = 3e-3;
// MXFP4 experts and activations of 8 bits.
constexpr double kMxfp4Tolerance = 0.2;
// What activations of 8 bits may lose where weights are quantised: the least that llama.cpp's own
// lose, which is a mean KL of 0.0022 (Q8_0, Q4_0) to 0.0057 (Q5_K).
constexpr double kMaxQuantisedKl = 2.2e-3;

struct Loaded {
  std::unique_ptr<LanguageModel> model;
  std::vector<BlockId> blocks;
};

Loaded Load(const std::string& path, int64_t n_tokens) {
  Loaded loaded;
  const auto checkpoint = Checkpoint::Open(path);
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
  if (!checkpoint) return loaded;
  auto model = LoadModel(*checkpoint, {});
  EXPECT_TRUE(model) << model.error().message();
  if (!model) return loaded;
  loaded.model = *std::move(model);
  const int32_t n_blocks = BlockPool::BlocksFor(n_tokens);
  EXPECT_TRUE(loaded.model->AllocateCache(n_blocks));
  loaded.blocks = testing::AllBlocks(n_blocks);
  return loaded;
}

std::vector<float> Logits(const Loaded& loaded, std::span<const TokenId> ids, int32_t position,
                          SequenceChunk::Logits wanted) {
  std::vector<float> logits;
  const SequenceChunk chunk = {ids, position, loaded.blocks, wanted};
  const auto done = loaded.model->Forward(std::span(&chunk, 1), logits);
  EXPECT_TRUE(done) << done.error().message();
  return logits;
}

// Follows the golden's ids; each must be the most likely one unless two are as good as equal.
void ExpectGreedy(const Loaded& loaded, int32_t n_prompt, std::vector<float> last,
                  const std::vector<TokenId>& golden, double tolerance) {
  int n_decided = 0;
  for (size_t i = 0; i < golden.size(); ++i) {
    std::vector<float> sorted = last;
    std::partial_sort(sorted.begin(), sorted.begin() + 2, sorted.end(), std::greater<>());
    const double gap = sorted[0] - sorted[1];
    if (gap > 2 * tolerance * testing::StandardDeviation(last)) {
      const auto best = std::max_element(last.begin(), last.end()) - last.begin();
      ASSERT_EQ(best, golden[i]) << "greedy id " << i << ", gap " << gap;
      ++n_decided;
    }
    last = Logits(loaded, std::span(golden).subspan(i, 1), n_prompt + static_cast<int32_t>(i),
                  SequenceChunk::Logits::kLast);
  }
  EXPECT_GE(n_decided, static_cast<int>(golden.size()) / 3);
}

TEST(GoldenTest, TinyModels) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  struct Case {
    const char* model;
    const char* golden;
    double tolerance;
  };
  const Case cases[] = {
      {"llama/hf", "llama/golden.json", kF32Tolerance},
      {"llama/llama-f32.gguf", "llama/golden.json", kF32Tolerance},
      {"llama3/hf", "llama3/golden.json", kF32Tolerance},
      {"llama3/llama3-f32.gguf", "llama3/golden.json", kF32Tolerance},
      {"nemo/hf", "nemo/golden.json", kF32Tolerance},
      {"nemo/nemo-f32.gguf", "nemo/golden.json", kF32Tolerance},
      {"nemo/native", "nemo/golden.json", kF32Tolerance},
      {"mixtral/hf", "mixtral/golden.json", kF32Tolerance},
      {"mixtral/mixtral-f32.gguf", "mixtral/golden.json", kF32Tolerance},
      {"qwen2/hf", "qwen2/golden.json", kF32Tolerance},
      {"qwen2/qwen2-f32.gguf", "qwen2/golden.json", kF32Tolerance},
      {"qwen3/hf", "qwen3/golden.json", kF32Tolerance},
      {"qwen3/qwen3-f32.gguf", "qwen3/golden.json", kF32Tolerance},
      {"qwen3moe/hf", "qwen3moe/golden.json", kF32Tolerance},
      {"qwen3moe/qwen3moe-f32.gguf", "qwen3moe/golden.json", kF32Tolerance},
      {"gemma3/hf", "gemma3/golden.json", kGeluTolerance},
      {"gemma3/gemma3-f32.gguf", "gemma3/golden.json", kGeluTolerance},
      {"gptoss/hf", "gptoss/golden.json", kMxfp4Tolerance},
      {"gptoss/gptoss-f32.gguf", "gptoss/golden.json", kF32Tolerance},
      // The values are the same whichever type stores them ...
      {"llama/llama-F16.gguf", "llama/golden.json", kF32Tolerance},
      {"llama/llama-BF16.gguf", "llama/golden.json", kF32Tolerance},
      // ... but these goldens also rounded the activations to the weights' type.
      {"llama/llama-F16.gguf", "llama/golden-F16.json", 1e-2},
      {"llama/llama-BF16.gguf", "llama/golden-BF16.json", 1e-1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.model);
    const json golden = testing::ReadJsonFile(fixtures + "/tiny/" + c.golden);
    const auto ids = golden["tokens"].get<std::vector<TokenId>>();
    const auto greedy = golden["greedy"].get<std::vector<TokenId>>();
    std::vector<float> expected;
    for (const json& row : golden["logits"]) {
      for (const json& value : row) expected.push_back(value.get<float>());
    }
    const Loaded loaded =
        Load(fixtures + "/tiny/" + c.model, static_cast<int64_t>(ids.size() + greedy.size()));
    ASSERT_NE(loaded.model, nullptr);
    const std::vector<float> logits = Logits(loaded, ids, 0, SequenceChunk::Logits::kAll);
    const double difference = testing::RelativeDifference(logits, expected);
    const size_t vocab = loaded.model->info().vocab_size;
    const double kl = testing::MeanKl(logits, expected, vocab);
    std::printf("%s: largest difference %.2e standard deviations, mean KL %.2e\n", c.model,
                difference, kl);
    EXPECT_LE(difference, c.tolerance);
    EXPECT_LE(kl, c.tolerance == kMxfp4Tolerance ? kMaxQuantisedKl : 1e-3);
    ExpectGreedy(loaded, static_cast<int32_t>(ids.size()),
                 {logits.end() - static_cast<ptrdiff_t>(vocab), logits.end()}, greedy, c.tolerance);
  }
}

// Against the logits that the stored weights would give without any rounding of the activations.
TEST(GoldenTest, QuantisedModels) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  constexpr double kMaxDifference = 0.6;  // of a logit, as llama.cpp's
  for (const char* type : {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"}) {
    SCOPED_TRACE(type);
    const std::string stem = fixtures + "/tiny/llama/";
    const json golden = testing::ReadJsonFile(stem + "golden-" + type + ".json");
    const auto ids = golden["tokens"].get<std::vector<TokenId>>();
    std::vector<float> expected;
    for (const json& row : golden["logits"]) {
      for (const json& value : row) expected.push_back(value.get<float>());
    }
    const Loaded loaded = Load(stem + "llama-" + type + ".gguf", static_cast<int64_t>(ids.size()));
    ASSERT_NE(loaded.model, nullptr);
    const std::vector<float> logits = Logits(loaded, ids, 0, SequenceChunk::Logits::kAll);
    ASSERT_EQ(logits.size(), expected.size());
    double difference = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      difference = std::max(difference, std::abs(static_cast<double>(logits[i]) - expected[i]));
    }
    const double kl = testing::MeanKl(logits, expected, loaded.model->info().vocab_size);
    std::printf("%s: largest difference %.2e, mean KL %.2e\n", type, difference, kl);
    EXPECT_LE(difference, kMaxDifference);
    EXPECT_LE(kl, kMaxQuantisedKl);
  }
}

TEST(GoldenTest, Stories) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const json golden = testing::ReadJsonFile(fixtures + "/stories260k/golden.json");
  const auto ids = golden["tokens"].get<std::vector<TokenId>>();
  const auto greedy = golden["greedy"].get<std::vector<TokenId>>();
  const auto expected = golden["last_logits"].get<std::vector<float>>();
  for (const char* model : {"hf", "stories260k-f32.gguf"}) {
    SCOPED_TRACE(model);
    const Loaded loaded = Load(fixtures + "/stories260k/" + model, 256);
    ASSERT_NE(loaded.model, nullptr);
    const std::vector<float> last = Logits(loaded, ids, 0, SequenceChunk::Logits::kLast);
    const double difference = testing::RelativeDifference(last, expected);
    std::printf("%s: largest difference %.2e standard deviations\n", model, difference);
    EXPECT_LE(difference, kF32Tolerance);
    ExpectGreedy(loaded, static_cast<int32_t>(ids.size()), last, greedy, kF32Tolerance);
  }
}

TEST(GoldenTest, DemoModel) {
  const std::string folder = std::string(SKERRY_SOURCE_DIR) + "/installer/demo-model";
  if (!std::filesystem::exists(folder + "/golden.json")) GTEST_SKIP() << "no demo model";
  const json golden = testing::ReadJsonFile(folder + "/golden.json");
  const Loaded loaded = Load(folder + "/model", 2048);
  ASSERT_NE(loaded.model, nullptr);
  for (const json& c : golden["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    const auto ids = c["tokens"].get<std::vector<TokenId>>();
    const auto expected = c["last_logits"].get<std::vector<float>>();
    const auto greedy = c["greedy"].get<std::vector<TokenId>>();
    const std::vector<float> last = Logits(loaded, ids, 0, SequenceChunk::Logits::kLast);
    EXPECT_LE(testing::RelativeDifference(last, expected), kF32Tolerance);
    ExpectGreedy(loaded, static_cast<int32_t>(ids.size()), last, greedy, kF32Tolerance);
  }
}

}  // namespace
}  // namespace skerry::engine
