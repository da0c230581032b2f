#include "engine/runtime/engine.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "tests/engine/runtime/fake_model.h"

namespace skerry::engine {
namespace {

using testing::FakeModel;
using testing::Gate;

constexpr int32_t kVocab = 50;

struct Outcome {
  std::vector<TokenId> tokens;
  std::optional<GenerationResult> result;
  std::optional<Error> error;
};

class RecordingSink : public GenerationSink {
 public:
  explicit RecordingSink(size_t stop_after = SIZE_MAX) : stop_after_(stop_after) {}
  bool OnToken(TokenId token) override {
    outcome_.tokens.push_back(token);
    if (outcome_.tokens.size() == 1) first_.set_value();
    return outcome_.tokens.size() < stop_after_;
  }
  void OnFinished(const GenerationResult& result) override {
    outcome_.result = result;
    done_.set_value(outcome_);
  }
  void OnFailed(const Error& error) override {
    outcome_.error = error;
    done_.set_value(outcome_);
  }
  Outcome Wait() { return done_.get_future().get(); }
  void WaitForFirst() { first_.get_future().get(); }

 private:
  size_t stop_after_;
  Outcome outcome_;
  std::promise<Outcome> done_;
  std::promise<void> first_;
};

GenerationRequest Greedy(std::vector<TokenId> prompt, int32_t max_tokens) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

std::unique_ptr<Engine> StartEngine(std::unique_ptr<LanguageModel> model,
                                    EngineOptions options = {}) {
  auto engine = Engine::Start(std::move(model), options);
  EXPECT_TRUE(engine) << engine.error().message();
  return std::move(*engine);
}

std::unique_ptr<FakeModel> Hashing(Gate* gate = nullptr) {
  return std::make_unique<FakeModel>(kVocab, 256, FakeModel::Hash(kVocab), gate);
}

std::vector<TokenId> Expected(std::vector<TokenId> sequence, size_t n) {
  const auto next = FakeModel::Hash(kVocab);
  const size_t prompt = sequence.size();
  while (sequence.size() < prompt + n) sequence.push_back(next(sequence));
  return {sequence.begin() + static_cast<std::ptrdiff_t>(prompt), sequence.end()};
}

TEST(Engine, GeneratesWhatTheModelSays) {
  const auto engine = StartEngine(Hashing());
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({1, 2, 3}, 20), sink));
  const Outcome outcome = sink->Wait();
  EXPECT_EQ(outcome.tokens, Expected({1, 2, 3}, 20));
  EXPECT_EQ(outcome.result->reason, FinishReason::kLength);
  EXPECT_EQ(outcome.result->completion_tokens, 20);
}

TEST(Engine, ManyAtOnceGetTheSameAsAlone) {
  EngineOptions options;
  options.max_num_seqs = 5;
  options.max_batched_tokens = 24;
  const auto engine = StartEngine(Hashing(), options);
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  std::vector<std::vector<TokenId>> prompts;
  for (int i = 0; i < 30; ++i) {
    prompts.emplace_back(static_cast<size_t>(i * 5 % 67 + 1), i);
    sinks.push_back(std::make_shared<RecordingSink>());
    ASSERT_TRUE(engine->Submit(Greedy(prompts.back(), 10 + i), sinks.back()));
  }
  for (size_t i = 0; i < sinks.size(); ++i) {
    EXPECT_EQ(sinks[i]->Wait().tokens, Expected(prompts[i], 10 + i)) << i;
  }
}

TEST(Engine, SampledAnswersDependOnTheSeedAlone) {
  const auto run = [](int others) {
    const auto engine = StartEngine(Hashing());
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    for (int i = 0; i <= others; ++i) {
      GenerationRequest request = Greedy({7, i == others ? 0 : i}, 40);
      request.sampling.temperature = 5;
      request.sampling.seed = i == others ? 77 : static_cast<uint64_t>(i);
      sinks.push_back(std::make_shared<RecordingSink>());
      EXPECT_TRUE(engine->Submit(std::move(request), sinks.back()));
    }
    return sinks.back()->Wait().tokens;
  };
  EXPECT_EQ(run(0), run(5));
}

TEST(Engine, StopTokensEndAnswersAndAreNotShown) {
  const auto engine =
      StartEngine(std::make_unique<FakeModel>(kVocab, 256, FakeModel::Script(2, {5, 6, 2, 9})));
  const auto sink = std::make_shared<RecordingSink>();
  GenerationRequest request = Greedy({1, 1}, 20);
  request.stop_tokens = {2};
  ASSERT_TRUE(engine->Submit(std::move(request), sink));
  const Outcome outcome = sink->Wait();
  EXPECT_EQ(outcome.tokens, (std::vector<TokenId>{5, 6}));
  EXPECT_EQ(outcome.result->reason, FinishReason::kStop);
  EXPECT_EQ(outcome.result->completion_tokens, 3);
}

TEST(Engine, ForcedAndBannedTokens) {
  const auto engine =
      StartEngine(std::make_unique<FakeModel>(kVocab, 256, FakeModel::Script(2, {5, 5, 5, 5})));
  const auto sink = std::make_shared<RecordingSink>();
  GenerationRequest request = Greedy({1, 1}, 4);
  request.forced = {30, 31};
  request.banned = {5};
  ASSERT_TRUE(engine->Submit(std::move(request), sink));
  // Without 5 the fake's next best are those with id % 7 == 6.
  EXPECT_EQ(sink->Wait().tokens, (std::vector<TokenId>{30, 31, 6, 6}));
}

TEST(Engine, TheSinkCanEndAnAnswer) {
  const auto engine = StartEngine(Hashing());
  const auto sink = std::make_shared<RecordingSink>(3);
  ASSERT_TRUE(engine->Submit(Greedy({1}, 50), sink));
  const Outcome outcome = sink->Wait();
  EXPECT_EQ(outcome.tokens.size(), 3u);
  EXPECT_EQ(outcome.result->reason, FinishReason::kStop);
}

TEST(Engine, CancelFreesTheSlotBeforeTheNextStep) {
  Gate gate;
  EngineOptions options;
  options.max_num_seqs = 1;
  options.max_waiting = 1;
  const auto engine = StartEngine(Hashing(&gate), options);
  gate.Close();
  const auto first = std::make_shared<RecordingSink>();
  const auto id = engine->Submit(Greedy({1}, 200), first);
  ASSERT_TRUE(id);
  gate.AwaitModel();
  const auto second = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({2}, 3), second));
  EXPECT_EQ(engine->Submit(Greedy({3}, 3), second).error().code(), ErrorCode::kUnavailable);
  engine->Cancel(*id);
  gate.Open();
  EXPECT_EQ(second->Wait().tokens, Expected({2}, 3));
  EXPECT_EQ(first.use_count(), 1);  // the engine let go of it
  EXPECT_EQ(engine->n_live(), 0);
}

TEST(Engine, AFailedStepFailsItsRequestsAndTheNextWorks) {
  Gate gate;
  auto model = Hashing(&gate);
  FakeModel* raw = model.get();
  const auto engine = StartEngine(std::move(model));
  gate.Close();
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({1}, 5), sink));
  gate.AwaitModel();
  raw->FailNext();
  gate.Open();
  const Outcome outcome = sink->Wait();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kInternal);
  const auto again = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({1}, 5), again));
  EXPECT_EQ(again->Wait().tokens, Expected({1}, 5));
  EXPECT_TRUE(engine->healthy());
}

TEST(Engine, StopFailsWhatRuns) {
  Gate gate;
  const auto engine = StartEngine(Hashing(&gate));
  gate.Close();
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({1}, 200), sink));
  gate.AwaitModel();
  std::thread stopper([&] { engine->Stop(); });
  // The step under way may end in either order; 200 tokens take many more steps.
  gate.Open();
  stopper.join();
  const Outcome outcome = sink->Wait();
  EXPECT_TRUE(outcome.error || outcome.result);
  if (outcome.error) {
    EXPECT_EQ(outcome.error->code(), ErrorCode::kUnavailable);
  }
  EXPECT_EQ(engine->Submit(Greedy({1}, 5), sink).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(engine->n_live(), 0);
}

TEST(Engine, RefusesWhatItCannotRun) {
  const auto engine = StartEngine(Hashing());
  const auto sink = std::make_shared<RecordingSink>();
  EXPECT_FALSE(engine->Submit(Greedy({}, 5), sink));
  EXPECT_FALSE(engine->Submit(Greedy({1}, 0), sink));
  EXPECT_FALSE(engine->Submit(Greedy({1}, 256), sink));
  EXPECT_FALSE(engine->Submit(Greedy({kVocab}, 5), sink));
  EXPECT_FALSE(engine->Submit(Greedy({-1}, 5), sink));
  EXPECT_TRUE(engine->Submit(Greedy({1}, 255), sink));
  sink->Wait();
}

TEST(Engine, StartChecksItsOptions) {
  auto encoder = std::make_unique<testing::FakeModel>(16, 256, testing::FakeModel::Hash(16));
  encoder->BecomeEncoder();
  const auto refused = Engine::Start(std::move(encoder), {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("embedding model"), std::string::npos);
  EngineOptions options;
  options.max_model_len = 300;
  EXPECT_EQ(Engine::Start(Hashing(), options).error().code(), ErrorCode::kInvalidArgument);
  options.max_model_len = 256;
  options.kv_cache_bytes = 64 * 4;  // four blocks of the sixteen that one sequence needs
  const auto small = Engine::Start(Hashing(), options);
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code(), ErrorCode::kExhausted);
  EXPECT_NE(small.error().message().find("64 tokens"), std::string::npos)
      << small.error().message();
  options.max_model_len = 64;
  EXPECT_TRUE(Engine::Start(Hashing(), options));
  options.max_model_len = 0;
  const auto fitted = Engine::Start(Hashing(), options);
  ASSERT_TRUE(fitted);
  EXPECT_EQ((*fitted)->max_model_len(), 64);
  options.kv_cache_bytes = 0;
  EXPECT_EQ(Engine::Start(Hashing(), options).error().code(), ErrorCode::kExhausted);
}

}  // namespace
}  // namespace skerry::engine
