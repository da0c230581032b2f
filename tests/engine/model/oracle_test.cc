// Every checkpoint of tests/engine/oracle, in each of its layouts, against the golden that a
// float64 forward pass made of the same files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/cache/block_pool.h"
#include "engine/model/embed_command.h"
#include "engine/model/load.h"
#include "tests/engine/model/golden.h"

namespace skerry::engine {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// Standard deviations of the logits; F32 activations.
constexpr double kTolerance = 1e-4;
// Where quantised weights meet activations of 8 bits: what golden_test.cc allows, and the deviation
// that llama.cpp's own such path shows.
constexpr double kQuantisedKl = 2.2e-3;
constexpr double kQuantisedTolerance = 0.2;

// A checkpoint's path: hf/, native/, model.gguf or the folder of its parts.
std::vector<std::string> Layouts(const fs::path& folder) {
  std::vector<std::string> paths;
  for (const char* name : {"hf", "native", "model.gguf"}) {
    if (fs::exists(folder / name)) paths.push_back(folder / name);
  }
  if (paths.empty()) paths.push_back(folder);
  return paths;
}

bool IsQuantised(const Checkpoint& checkpoint, const std::string& name) {
  return name == "gptoss" ||
         (checkpoint.gguf() != nullptr && name.starts_with("gguf-") && name != "gguf-split");
}

std::vector<float> Flat(const json& rows) {
  std::vector<float> out;
  for (const json& row : rows) {
    for (const json& value : row) out.push_back(value.get<float>());
  }
  return out;
}

void CheckDecoder(const std::string& path, const std::string& name, const json& golden) {
  const auto checkpoint = Checkpoint::Open(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  const auto loaded = LoadModel(*checkpoint, {.threads = 2});
  ASSERT_TRUE(loaded) << loaded.error().message();
  LanguageModel& model = **loaded;
  const auto tokens = golden["tokens"].get<std::vector<TokenId>>();
  const auto greedy = golden["greedy"].get<std::vector<TokenId>>();
  const std::vector<float> expected = Flat(golden["logits"]);
  const int32_t n_blocks =
      BlockPool::BlocksFor(static_cast<int64_t>(tokens.size() + greedy.size()));
  ASSERT_TRUE(model.AllocateCache(n_blocks));
  const std::vector<BlockId> blocks = testing::AllBlocks(n_blocks);
  std::vector<float> logits;
  SequenceChunk chunk = {tokens, 0, blocks, SequenceChunk::Logits::kAll};
  const auto done = model.Forward(std::span(&chunk, 1), logits);
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_GE(logits.size(), expected.size());
  const size_t vocab = model.info().vocab_size;
  const std::span<const float> last = std::span(logits).last(expected.size());
  const double difference = testing::RelativeDifference(last, expected);
  const double kl = testing::MeanKl(last, expected, vocab);
  const bool quantised = IsQuantised(*checkpoint, name);
  std::printf("%s: %.2e standard deviations, mean KL %.2e\n", path.c_str(), difference, kl);
  EXPECT_LE(difference, quantised ? kQuantisedTolerance : kTolerance);
  EXPECT_LE(kl, quantised ? kQuantisedKl : 1e-6);
  if (quantised) return;
  // Each of these is ahead of the next by far more than the tolerance.
  for (size_t i = 0; i < greedy.size(); ++i) {
    const std::span<const float> row = std::span(logits).last(vocab);
    ASSERT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), greedy[i]) << "greedy " << i;
    chunk = {std::span(greedy).subspan(i, 1), static_cast<int32_t>(tokens.size() + i), blocks,
             SequenceChunk::Logits::kLast};
    ASSERT_TRUE(model.Forward(std::span(&chunk, 1), logits));
  }
}

void CheckEncoder(const std::string& path, const json& golden) {
  std::string tokens;
  for (const json& id : golden["tokens"]) tokens += id.dump() + " ";
  const auto text = RunEmbed({path, tokens, "", 2});
  ASSERT_TRUE(text) << text.error().message();
  const auto got = json::parse(*text)["embedding"].get<std::vector<float>>();
  // A GGUF does not say that vectors are to be normalised.
  const bool normalised = golden.contains("normalised") && !path.ends_with(".gguf");
  const auto expected = golden[normalised ? "normalised" : "embedding"].get<std::vector<float>>();
  const double difference = testing::RelativeDifference(got, expected);
  std::printf("%s: %.2e standard deviations\n", path.c_str(), difference);
  EXPECT_LE(difference, kTolerance);
}

// All logits of the prompt, computed in steps of `step` tokens beside another sequence.
std::vector<float> InSteps(const std::string& path, int threads, size_t step,
                           std::span<const TokenId> tokens) {
  std::vector<float> all;
  const auto checkpoint = Checkpoint::Open(path);
  EXPECT_TRUE(checkpoint);
  const auto model = LoadModel(*checkpoint, {.threads = threads});
  EXPECT_TRUE(model) << model.error().message();
  const int32_t n_blocks = BlockPool::BlocksFor(static_cast<int64_t>(tokens.size()));
  EXPECT_TRUE((*model)->AllocateCache(2 * n_blocks));
  const std::vector<BlockId> ids = testing::AllBlocks(2 * n_blocks);
  const std::span<const BlockId> blocks(ids);
  for (size_t begin = 0; begin < tokens.size(); begin += step) {
    const auto part = tokens.subspan(begin, std::min(step, tokens.size() - begin));
    const SequenceChunk chunks[] = {
        {tokens.first(begin + 1), 0, blocks.last(n_blocks), SequenceChunk::Logits::kNone},
        {part, static_cast<int32_t>(begin), blocks.first(n_blocks), SequenceChunk::Logits::kAll}};
    std::vector<float> logits;
    EXPECT_TRUE((*model)->Forward(chunks, logits));
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

TEST(OracleTest, BatchesAndThreadsChangeNothing) {
  const std::string models = std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/models/";
  for (const char* name :
       {"mixtral/hf", "qwen3moe-step/hf", "gemma3/hf", "gptoss/hf", "gguf-experts/model.gguf",
        "qwen2-window/hf", "llama-bias/hf", "ministral3/native"}) {
    SCOPED_TRACE(name);
    const std::string path = models + name;
    const json golden = testing::ReadJsonFile(fs::path(path).parent_path() / "golden.json");
    const auto tokens = golden["tokens"].get<std::vector<TokenId>>();
    const std::vector<float> whole = InSteps(path, 1, tokens.size(), tokens);
    for (const float value : whole) ASSERT_TRUE(std::isfinite(value));
    EXPECT_EQ(InSteps(path, 3, 1, tokens), whole);
    EXPECT_EQ(InSteps(path, 2, 7, tokens), whole);
  }
}

TEST(OracleTest, EveryCase) {
  const fs::path models = fs::path(SKERRY_SOURCE_DIR) / "tests/engine/oracle/models";
  int n_cases = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(models)) {
    const std::string name = entry.path().filename();
    const json golden = testing::ReadJsonFile(entry.path() / "golden.json");
    ASSERT_TRUE(golden.is_object()) << name;
    for (const std::string& path : Layouts(entry.path())) {
      SCOPED_TRACE(path);
      if (golden.contains("embedding")) {
        CheckEncoder(path, golden);
      } else {
        CheckDecoder(path, name, golden);
      }
      ++n_cases;
    }
  }
  EXPECT_GE(n_cases, 45);
}

}  // namespace
}  // namespace skerry::engine
