// Real models under random load: every answer is, token for token, what the same request gets
// alone.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "engine/architectures/checkpoint.h"
#include "engine/model/load.h"
#include "engine/runtime/engine.h"
#include "tests/engine/runtime/recording_sink.h"

namespace skerry::engine {
namespace {

using testing::Outcome;
using testing::RecordingSink;

std::unique_ptr<Engine> StartEngine(const std::string& name, EngineOptions options) {
  const std::string path = std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/models/" + name;
  const auto checkpoint = Checkpoint::Open(path);
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
  auto model = LoadModel(*checkpoint, {.threads = 2});
  EXPECT_TRUE(model) << model.error().message();
  auto engine = Engine::Start(std::move(*model), options);
  EXPECT_TRUE(engine) << engine.error().message();
  return std::move(*engine);
}

std::vector<GenerationRequest> RandomRequests(uint32_t seed, int n, int32_t vocab_size) {
  std::mt19937 random(seed);
  std::vector<GenerationRequest> requests;
  for (int i = 0; i < n; ++i) {
    GenerationRequest request;
    // Half of them begin alike.
    request.prompt.assign(random() % 2 == 0 ? 34 : 1, 3);
    for (size_t more = random() % 40; more > 0; --more) {
      request.prompt.push_back(static_cast<TokenId>(random() % static_cast<uint32_t>(vocab_size)));
    }
    request.max_tokens = static_cast<int32_t>(1 + random() % 30);
    request.tenant = "t" + std::to_string(random() % 3);
    request.priority = random() % 6 == 0 ? -1 : 0;
    SamplingParams& sampling = request.sampling;
    sampling.temperature = random() % 3 == 0 ? 0.9 : 0;
    sampling.seed = random();
    if (random() % 4 == 0) sampling.repetition_penalty = 1.3;
    if (random() % 4 == 0) sampling.min_p = 0.02;
    if (random() % 4 == 0) request.logprobs = 2;
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<TokenId> Alone(Engine& engine, GenerationRequest request) {
  const auto sink = std::make_shared<RecordingSink>();
  request.cache_salt = "alone";
  EXPECT_TRUE(engine.Submit(std::move(request), sink));
  return sink->Wait().tokens;
}

void Compare(const std::string& name) {
  EngineOptions options;
  options.max_num_seqs = 1;
  options.max_model_len = 128;
  options.prefix_caching = false;
  const auto alone = StartEngine(name, options);
  const ModelInfo& info = alone->model_info();
  const auto requests = RandomRequests(7, 24, info.vocab_size);
  std::vector<std::vector<TokenId>> expected;
  expected.reserve(requests.size());
  for (const GenerationRequest& request : requests) expected.push_back(Alone(*alone, request));

  options.max_num_seqs = 7;
  options.prefix_caching = true;
  options.max_batched_tokens = 29;
  options.kv_cache_bytes = 13 * info.kv_bytes_per_block;  // less than seven of them need
  const auto together = StartEngine(name, options);
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  std::mt19937 random(1);
  for (const GenerationRequest& request : requests) {
    sinks.push_back(std::make_shared<RecordingSink>());
    const auto id = together->Submit(request, sinks.back());
    ASSERT_TRUE(id) << id.error().message();
    // Some that go away in between.
    if (random() % 4 != 0) continue;
    const auto passing = together->Submit(request, std::make_shared<RecordingSink>());
    ASSERT_TRUE(passing);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    together->Cancel(*passing);
  }
  for (size_t i = 0; i < sinks.size(); ++i) {
    const Outcome outcome = sinks[i]->Wait();
    ASSERT_FALSE(outcome.error) << outcome.error->message();
    EXPECT_EQ(outcome.tokens, expected[i]) << name << " " << i;
  }
  while (together->n_live() > 0) std::this_thread::yield();
  const EngineStats stats = together->stats();
  EXPECT_GT(stats.preemptions, 0u);
  EXPECT_GT(stats.prefix_hits, 0u);
}

TEST(EngineLoad, LlamaGivesTheSameAsAlone) { Compare("llama/hf"); }
TEST(EngineLoad, QuantisedExpertsGiveTheSameAsAlone) { Compare("gptoss/hf"); }
TEST(EngineLoad, AWindowGivesTheSameAsAlone) { Compare("gemma3/hf"); }

}  // namespace
}  // namespace skerry::engine
