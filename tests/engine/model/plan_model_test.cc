// What scheduler and runtime rely on: batches, chunks and threads change nothing, bit for bit, and
// wrong calls are refused. On random weights, so no fixtures are needed.
#include "engine/model/plan_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <random>

#include "appliance/base/testing/fixtures.h"
#include "engine/model/load.h"
#include "tests/engine/formats/gguf_writer.h"
#include "tests/engine/model/golden.h"

namespace skerry::engine {
namespace {

using ::skerry::testing::TemporaryDirectory;
using testing::GgufWriter;
using ::testing::HasSubstr;
using Wanted = SequenceChunk::Logits;

constexpr int kVocab = 61;  // odd sizes, so that tails of every kernel run
constexpr int kHidden = 44;
constexpr int kHeads = 4;
constexpr int kKvHeads = 2;
constexpr int kHeadDim = 10;
constexpr int kMlp = 70;
constexpr int kLayers = 2;
constexpr int kContext = 200;
constexpr uint32_t kF16 = 1;
constexpr uint32_t kBf16 = 30;

// `type`: 0 F32, 1 F16, 30 BF16.
std::string RandomElements(uint64_t n, uint32_t type, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, 0.3F);
  std::string out;
  for (uint64_t i = 0; i < n; ++i) {
    const float value = normal(random);
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    if (type == 0) {
      out.append(reinterpret_cast<const char*>(&bits), 4);
      continue;
    }
    // For F16: sign, and an exponent that keeps the value below 1.
    const uint32_t half = type == kBf16 ? bits >> 16 : (bits >> 16 & 0x8000) | (bits >> 9 & 0x37ff);
    out.append(reinterpret_cast<const char*>(&half), 2);
  }
  return out;
}

using Change = std::function<void(std::string& name, std::vector<uint64_t>& dims)>;

GgufWriter RandomModel(uint32_t type, uint32_t window, const Change& change) {
  GgufWriter writer;
  writer.String("general.architecture", "llama");
  writer.U32("llama.context_length", kContext);
  writer.U32("llama.embedding_length", kHidden);
  writer.U32("llama.block_count", kLayers);
  writer.U32("llama.feed_forward_length", kMlp);
  writer.U32("llama.attention.head_count", kHeads);
  writer.U32("llama.attention.head_count_kv", kKvHeads);
  writer.U32("llama.attention.key_length", kHeadDim);
  writer.U32("llama.attention.value_length", kHeadDim);
  writer.F32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  if (window > 0) writer.U32("llama.attention.sliding_window", window);
  uint32_t seed = 1;
  auto add = [&](std::string name, std::vector<uint64_t> dims) {
    if (change) change(name, dims);
    if (name.empty()) return;
    uint64_t n = 1;
    for (const uint64_t dim : dims) n *= dim;
    const uint32_t mine = dims.size() == 1 ? 0 : type;
    writer.Tensor(name, dims, mine, RandomElements(n, mine, seed++));
  };
  add("token_embd.weight", {kHidden, kVocab});
  add("output.weight", {kHidden, kVocab});
  add("output_norm.weight", {kHidden});
  for (int layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    add(prefix + "attn_norm.weight", {kHidden});
    add(prefix + "attn_q.weight", {kHidden, kHeads * kHeadDim});
    add(prefix + "attn_k.weight", {kHidden, kKvHeads * kHeadDim});
    add(prefix + "attn_v.weight", {kHidden, kKvHeads * kHeadDim});
    add(prefix + "attn_output.weight", {kHeads * kHeadDim, kHidden});
    add(prefix + "ffn_norm.weight", {kHidden});
    add(prefix + "ffn_gate.weight", {kHidden, kMlp});
    add(prefix + "ffn_up.weight", {kHidden, kMlp});
    add(prefix + "ffn_down.weight", {kMlp, kHidden});
  }
  return writer;
}

class PlanModelTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<LanguageModel>> TryLoad(uint32_t type, int threads, uint32_t window = 0,
                                                 const Change& change = {}) {
    const std::string path = folder_.path() + "/model.gguf";
    std::ofstream(path, std::ios::binary) << RandomModel(type, window, change).Finish();
    const auto checkpoint = Checkpoint::Open(path);
    if (!checkpoint) return checkpoint.error();
    return LoadModel(*checkpoint, {threads});  // the checkpoint ends here, the model goes on
  }

  std::unique_ptr<LanguageModel> Load(uint32_t type, int threads, uint32_t window = 0) {
    auto model = TryLoad(type, threads, window);
    EXPECT_TRUE(model) << model.error().message();
    EXPECT_TRUE((*model)->AllocateCache(16));
    return *std::move(model);
  }

 private:
  TemporaryDirectory folder_;
};

std::vector<TokenId> Tokens(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> ids(n);
  for (TokenId& id : ids) id = static_cast<TokenId>(random() % kVocab);
  return ids;
}

std::vector<float> Forward(LanguageModel& model, const std::vector<SequenceChunk>& chunks) {
  std::vector<float> logits;
  const auto done = model.Forward(chunks, logits);
  EXPECT_TRUE(done) << done.error().message();
  return logits;
}

std::vector<float> Row(const std::vector<float>& logits, size_t row) {
  return {logits.begin() + static_cast<ptrdiff_t>(row * kVocab),
          logits.begin() + static_cast<ptrdiff_t>((row + 1) * kVocab)};
}

TEST_F(PlanModelTest, Info) {
  const auto model = Load(kBf16, 1);
  EXPECT_EQ(model->info().vocab_size, kVocab);
  EXPECT_EQ(model->info().max_position, kContext);
  EXPECT_EQ(model->info().n_layers, kLayers);
  EXPECT_EQ(model->info().kv_bytes_per_block, 2U * kLayers * kKvHeads * kHeadDim * 16 * 4);
  const uint64_t layer = kHidden * (2 * kHeads * kHeadDim + 2 * kKvHeads * kHeadDim + 3 * kMlp);
  EXPECT_EQ(model->info().weight_bytes,
            2 * (kLayers * layer + 2 * kVocab * kHidden) + 4 * kHidden * (2 * kLayers + 1));
}

// The whole prompt at once, in chunks of every size, and token by token.
TEST_F(PlanModelTest, ChunksChangeNothing) {
  const std::vector<TokenId> ids = Tokens(50, 1);
  const std::vector<BlockId> blocks = {3, 9, 0, 7};
  for (const uint32_t type : {0U, kF16, kBf16}) {
    for (const uint32_t window : {0U, 11U}) {
      const auto model = Load(type, 2, window);
      const std::vector<float> whole = Forward(*model, {{ids, 0, blocks, Wanted::kAll}});
      ASSERT_EQ(whole.size(), ids.size() * kVocab);
      for (const float value : whole) ASSERT_TRUE(std::isfinite(value));
      for (const size_t step : {1, 2, 7, 16, 33}) {
        std::vector<float> parts;
        for (size_t at = 0; at < ids.size(); at += step) {
          const auto part = std::span(ids).subspan(at, std::min(step, ids.size() - at));
          const auto logits =
              Forward(*model, {{part, static_cast<int32_t>(at), blocks, Wanted::kAll}});
          parts.insert(parts.end(), logits.begin(), logits.end());
        }
        ASSERT_EQ(parts, whole) << "type " << type << " window " << window << " step " << step;
      }
    }
  }
}

// A decode step and prompts of two other sequences in one batch: each gets what it gets alone.
TEST_F(PlanModelTest, BatchChangesNothing) {
  const auto model = Load(kBf16, 2);
  const std::vector<TokenId> a = Tokens(20, 2);
  const std::vector<TokenId> b = Tokens(35, 3);
  const std::vector<TokenId> c = Tokens(5, 4);
  const std::vector<BlockId> a_blocks = {1, 4};
  const std::vector<BlockId> b_blocks = {2, 0, 8};
  const std::vector<BlockId> c_blocks = {5};
  const std::vector<float> a_alone = Forward(*model, {{a, 0, a_blocks, Wanted::kAll}});
  const std::vector<float> b_alone = Forward(*model, {{b, 0, b_blocks, Wanted::kAll}});
  const std::vector<float> c_alone = Forward(*model, {{c, 0, c_blocks, Wanted::kLast}});
  Forward(*model, {{std::span(a).first(19), 0, a_blocks, Wanted::kNone}});
  const std::vector<float> together =
      Forward(*model, {{std::span(a).last(1), 19, a_blocks, Wanted::kLast},
                       {b, 0, b_blocks, Wanted::kAll},
                       {c, 0, c_blocks, Wanted::kLast}});
  ASSERT_EQ(together.size(), (1 + b.size() + 1) * kVocab);
  EXPECT_EQ(Row(together, 0), Row(a_alone, 19));
  for (size_t i = 0; i < b.size(); ++i) EXPECT_EQ(Row(together, 1 + i), Row(b_alone, i));
  EXPECT_EQ(Row(together, 1 + b.size()), c_alone);
}

TEST_F(PlanModelTest, ThreadsChangeNothing) {
  const std::vector<TokenId> ids = Tokens(40, 5);
  const std::vector<BlockId> blocks = {0, 1, 2};
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3, 7}) {
    const auto model = Load(kF16, threads);
    results.push_back(Forward(*model, {{ids, 0, blocks, Wanted::kAll}}));
    EXPECT_EQ(results.back(), results.front()) << threads;
  }
}

TEST_F(PlanModelTest, WindowForgetsWhatLiesBeforeIt) {
  constexpr uint32_t kWindow = 4;
  const std::vector<BlockId> blocks = {0, 1, 2};
  std::vector<TokenId> ids = Tokens(40, 6);
  const auto model = Load(0, 1, kWindow);
  const std::vector<float> before = Forward(*model, {{ids, 0, blocks, Wanted::kAll}});
  ids[10] = (ids[10] + 1) % kVocab;
  const std::vector<float> after = Forward(*model, {{ids, 0, blocks, Wanted::kAll}});
  // Each of the two layers looks three tokens back.
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool reached = i >= 10 && i <= 10 + kLayers * (kWindow - 1);
    EXPECT_EQ(Row(before, i) != Row(after, i), reached) << i;
  }
}

TEST_F(PlanModelTest, WantedRowsOnly) {
  const auto model = Load(0, 1);
  const std::vector<TokenId> ids = Tokens(6, 7);
  const std::vector<BlockId> blocks = {0};
  const std::vector<float> all = Forward(*model, {{ids, 0, blocks, Wanted::kAll}});
  EXPECT_EQ(Forward(*model, {{ids, 0, blocks, Wanted::kLast}}), Row(all, 5));
  EXPECT_TRUE(Forward(*model, {{ids, 0, blocks, Wanted::kNone}}).empty());
  EXPECT_TRUE(Forward(*model, {}).empty());
}

TEST_F(PlanModelTest, RefusesWrongCalls) {
  const auto model = Load(0, 1);
  const std::vector<TokenId> ids = Tokens(17, 8);
  const std::vector<TokenId> negative = {-1};
  const std::vector<TokenId> beyond = {kVocab};
  const std::vector<BlockId> good = {0, 1};
  const std::vector<BlockId> absent = {0, 16};
  const std::vector<BlockId> below = {-1, 0};
  const std::pair<SequenceChunk, const char*> cases[] = {
      {{{}, 0, good, Wanted::kLast}, "without tokens"},
      {{ids, -1, good, Wanted::kLast}, "outside the context"},
      {{ids, kContext - 16, good, Wanted::kLast}, "outside the context"},
      {{ids, 0, std::span(good).first(1), Wanted::kLast}, "2 are needed"},
      {{ids, 16, good, Wanted::kLast}, "3 are needed"},
      {{ids, 0, absent, Wanted::kLast}, "block 16 does not exist"},
      {{ids, 0, below, Wanted::kLast}, "block -1 does not exist"},
      {{negative, 0, good, Wanted::kLast}, "token -1 is outside"},
      {{beyond, 0, good, Wanted::kLast}, "token 61 is outside"},
  };
  for (const auto& [chunk, message] : cases) {
    std::vector<float> logits;
    const auto done = model->Forward(std::span(&chunk, 1), logits);
    ASSERT_FALSE(done) << message;
    EXPECT_EQ(done.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(done.error().message(), HasSubstr(message));
  }
  EXPECT_EQ(model->AllocateCache(0).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(PlanModelTest, CacheBeyondMemoryIsRefused) {
  auto model = TryLoad(0, 1);
  ASSERT_TRUE(model);
  EXPECT_EQ((*model)->AllocateCache(2147483647).error().code(), ErrorCode::kExhausted);
  const std::vector<TokenId> ids = {1};
  const std::vector<BlockId> blocks = {0};
  const SequenceChunk chunk = {ids, 0, blocks, Wanted::kLast};
  std::vector<float> logits;
  EXPECT_FALSE((*model)->Forward(std::span(&chunk, 1), logits)) << "there is no cache";
  ASSERT_TRUE((*model)->AllocateCache(1));
  EXPECT_TRUE((*model)->Forward(std::span(&chunk, 1), logits));
}

TEST_F(PlanModelTest, NamesWhatIsMissingOrMisshapen) {
  const auto missing = TryLoad(0, 1, 0, [](std::string& name, std::vector<uint64_t>&) {
    if (name == "blk.1.ffn_up.weight") name = "";
  });
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message(),
              HasSubstr("no tensor 'blk.1.ffn_up.weight', expected with shape [70, 44]"));
  const auto misshapen = TryLoad(0, 1, 0, [](std::string& name, std::vector<uint64_t>& dims) {
    if (name == "blk.0.attn_k.weight") dims[1] = 40;
  });
  ASSERT_FALSE(misshapen);
  EXPECT_THAT(misshapen.error().message(),
              HasSubstr("'blk.0.attn_k.weight' has shape [40, 44], expected [20, 44]"));
}

TEST_F(PlanModelTest, RefusesThreadCounts) {
  EXPECT_EQ(TryLoad(0, -1).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry::engine
