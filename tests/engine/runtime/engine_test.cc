#include "engine/runtime/engine.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "engine/grammar/json_schema.h"
#include "engine/grammar/regex_grammar.h"
#include "tests/engine/grammar/test_tokenizer.h"
#include "tests/engine/runtime/fake_model.h"
#include "tests/engine/runtime/recording_sink.h"

namespace skerry::engine {
namespace {

using testing::FakeModel;
using testing::Gate;
using testing::Outcome;
using testing::RecordingSink;

constexpr int32_t kVocab = 50;

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

// More tokens in flight than the cache holds: answers are the same, only later.
TEST(Engine, PreemptionIsInvisible) {
  EngineOptions options;
  options.max_num_seqs = 6;
  options.max_model_len = 128;
  options.kv_cache_bytes = 64 * 13;  // twelve blocks for six sequences of up to eight
  const auto engine = StartEngine(Hashing(), options);
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 12; ++i) {
    sinks.push_back(std::make_shared<RecordingSink>());
    ASSERT_TRUE(engine->Submit(Greedy({i, i}, 100), sinks.back()));
  }
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(sinks[i]->Wait().tokens, Expected({i, i}, 100)) << i;
  }
  engine->Stop();  // the last step is counted when it is over
  const EngineStats stats = engine->stats();
  EXPECT_GT(stats.preemptions, 0u);
  EXPECT_EQ(stats.generated_tokens, 1200u);
}

TEST(Engine, PrefixesAreFoundByTheSameTenantOnly) {
  const auto engine = StartEngine(Hashing());
  const auto cached = [&](const std::string& tenant, const std::string& salt) {
    GenerationRequest request = Greedy(std::vector<TokenId>(50, 3), 4);
    request.tenant = tenant;
    request.cache_salt = salt;
    const auto sink = std::make_shared<RecordingSink>();
    EXPECT_TRUE(engine->Submit(std::move(request), sink));
    const Outcome outcome = sink->Wait();
    EXPECT_EQ(outcome.tokens, Expected(std::vector<TokenId>(50, 3), 4));
    return outcome.result->cached_tokens;
  };
  EXPECT_EQ(cached("a", ""), 0);
  EXPECT_EQ(cached("a", ""), 48);
  EXPECT_EQ(cached("b", ""), 0);
  EXPECT_EQ(cached("a", "salt"), 0);
  EXPECT_EQ(cached("a", "salt"), 48);
}

TEST(Engine, PrefixCachingCanBeSwitchedOff) {
  EngineOptions options;
  options.prefix_caching = false;
  const auto engine = StartEngine(Hashing(), options);
  for (int i = 0; i < 2; ++i) {
    const auto sink = std::make_shared<RecordingSink>();
    ASSERT_TRUE(engine->Submit(Greedy(std::vector<TokenId>(50, 3), 4), sink));
    EXPECT_EQ(sink->Wait().result->cached_tokens, 0);
  }
}

TEST(Engine, ChoicesShareThePromptAndDrawForThemselves) {
  Gate gate;
  const auto engine = StartEngine(Hashing(&gate));
  GenerationRequest request = Greedy(std::vector<TokenId>(40, 3), 20);
  request.sampling.temperature = 5;
  request.sampling.seed = 11;
  const auto run = [&](size_t n) {
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    for (size_t i = 0; i < n; ++i) sinks.push_back(std::make_shared<RecordingSink>());
    EXPECT_TRUE(engine->Submit(request, {sinks.begin(), sinks.end()}));
    std::vector<Outcome> outcomes;
    for (const auto& sink : sinks) outcomes.push_back(sink->Wait());
    return outcomes;
  };
  const auto alone = run(1);
  request.tenant = "other";
  const auto three = run(3);
  EXPECT_EQ(three[0].tokens, alone[0].tokens);
  EXPECT_NE(three[1].tokens, three[0].tokens);
  EXPECT_NE(three[2].tokens, three[1].tokens);
  EXPECT_EQ(three[0].result->cached_tokens, 0);
  EXPECT_EQ(three[2].result->cached_tokens, 32);
  EXPECT_EQ(run(3)[2].tokens, three[2].tokens);
}

TEST(Engine, CancelEndsAllChoices) {
  Gate gate;
  const auto engine = StartEngine(Hashing(&gate));
  gate.Close();
  std::vector<std::shared_ptr<GenerationSink>> sinks;
  for (int i = 0; i < 3; ++i) sinks.push_back(std::make_shared<RecordingSink>());
  const auto id = engine->Submit(Greedy({1}, 200), sinks);
  ASSERT_TRUE(id);
  const auto other = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({2}, 5), other));
  gate.AwaitModel();
  engine->Cancel(*id);
  gate.Open();
  EXPECT_EQ(other->Wait().tokens, Expected({2}, 5));
  EXPECT_EQ(engine->n_live(), 0);
  for (const auto& sink : sinks) EXPECT_EQ(sink.use_count(), 1);
  EXPECT_EQ(engine->stats().cancelled, 3u);
}

TEST(Engine, LogprobsOfPromptAndAnswer) {
  const auto engine = StartEngine(Hashing());
  GenerationRequest request = Greedy({1, 2, 3}, 2);
  request.logprobs = 2;
  request.prompt_logprobs = 1;
  request.sampling.logit_bias = {{13, 50.F}};  // not in what is reported
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(std::move(request), sink));
  const Outcome outcome = sink->Wait();
  EXPECT_EQ(outcome.tokens, (std::vector<TokenId>{13, 13}));
  ASSERT_EQ(outcome.logprobs.size(), 2u);
  const TokenId likely = Expected({1, 2, 3}, 1)[0];
  ASSERT_NE(likely, 13);
  EXPECT_EQ(outcome.logprobs[0].chosen.id, 13);
  EXPECT_EQ(outcome.logprobs[0].top[0].id, likely);
  EXPECT_LT(outcome.logprobs[0].chosen.logprob, -5);
  ASSERT_EQ(outcome.prompt.size(), 2u);
  EXPECT_EQ(outcome.prompt[0].chosen.id, 2);
  EXPECT_EQ(outcome.prompt[1].chosen.id, 3);
  EXPECT_EQ(outcome.prompt[0].top[0].id, Expected({1}, 1)[0]);
  EXPECT_EQ(outcome.prompt[1].top[0].id, Expected({1, 2}, 1)[0]);
}

TEST(Engine, LogprobsOfALongPromptComeInPieces) {
  const auto engine = StartEngine(Hashing());
  std::vector<TokenId> prompt(150);
  for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<TokenId>(i % kVocab);
  GenerationRequest request = Greedy(prompt, 1);
  request.prompt_logprobs = 1;
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(std::move(request), sink));
  const Outcome outcome = sink->Wait();
  ASSERT_EQ(outcome.prompt.size(), prompt.size() - 1);
  for (size_t i = 0; i + 1 < prompt.size(); ++i) {
    EXPECT_EQ(outcome.prompt[i].chosen.id, prompt[i + 1]);
    const std::vector<TokenId> before(prompt.begin(),
                                      prompt.begin() + static_cast<std::ptrdiff_t>(i + 1));
    EXPECT_EQ(outcome.prompt[i].top[0].id, Expected(before, 1)[0]) << i;
  }
}

// Token 0 ends an answer, byte b is token b + 1. The model always wants '#', which no grammar here
// has.
constexpr int32_t kByteVocab = 257;

std::unique_ptr<FakeModel> Stubborn(Gate* gate = nullptr) {
  return std::make_unique<FakeModel>(kByteVocab, 256, FakeModel::Script(1, {'#' + 1}), gate);
}

GenerationRequest Guided(Result<Grammar> grammar, int32_t max_tokens, uint64_t seed = 1) {
  EXPECT_TRUE(grammar) << grammar.error().message();
  GenerationRequest request = Greedy({1}, max_tokens);
  request.sampling.temperature = 2;
  request.sampling.seed = seed;
  request.stop_tokens = {0};
  request.constraint = std::make_shared<Constraint>(*grammar, MakeByteVocabulary());
  return request;
}

std::string TextOf(const Outcome& outcome) {
  std::string text;
  for (const TokenId token : outcome.tokens) text += static_cast<char>(token - 1);
  return text;
}

Outcome Ask(Engine& engine, GenerationRequest request) {
  const auto sink = std::make_shared<RecordingSink>();
  EXPECT_TRUE(engine.Submit(std::move(request), sink));
  return sink->Wait();
}

constexpr const char* kPointSchema =
    R"({"type":"object","properties":{"x":{"type":"integer"},"on":{"type":"boolean"}},)"
    R"("required":["x","on"]})";

TEST(EngineGuided, AnswersFollowTheirGrammar) {
  const auto engine = StartEngine(Stubborn());
  EXPECT_EQ(TextOf(Ask(*engine, Greedy({1}, 3))), "###");
  const Grammar grammar = CompileJsonSchema(kPointSchema).value();
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Outcome outcome = Ask(*engine, Guided(grammar, 100, seed));
    ASSERT_TRUE(outcome.result) << outcome.error->message();
    EXPECT_TRUE(Matches(grammar, TextOf(outcome))) << TextOf(outcome);
    EXPECT_EQ(outcome.result->reason, FinishReason::kStop);
    // Nothing may follow, so no step is spent on a stop token.
    EXPECT_EQ(outcome.result->completion_tokens, static_cast<int32_t>(outcome.tokens.size()));
  }
  EXPECT_GT(engine->stats().mask_time.count(), 30u);
}

TEST(EngineGuided, ManyAtOnceGetTheSameAsAlone) {
  const Grammar grammar = CompileRegex("[a-z]{20,50}(-[0-9]{2}){3}").value();
  EngineOptions options;
  options.max_num_seqs = 6;
  // Room for some of them: others are preempted and computed again.
  options.kv_cache_bytes = 8 * 64;
  options.max_model_len = 96;
  Gate gate;
  const auto engine = StartEngine(Stubborn(&gate), options);
  gate.Close();  // until all of them are there
  const auto alone = StartEngine(Stubborn());
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  const auto shared = std::make_shared<Constraint>(grammar, MakeByteVocabulary());
  for (uint64_t seed = 0; seed < 12; ++seed) {
    GenerationRequest request = Guided(grammar, 80, seed);
    request.constraint = shared;
    sinks.push_back(std::make_shared<RecordingSink>());
    ASSERT_TRUE(engine->Submit(std::move(request), sinks.back()));
  }
  gate.Open();
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const Outcome outcome = sinks[seed]->Wait();
    EXPECT_TRUE(Matches(grammar, TextOf(outcome))) << TextOf(outcome);
    EXPECT_EQ(outcome.tokens, Ask(*alone, Guided(grammar, 80, seed)).tokens);
  }
  engine->Stop();
  EXPECT_GT(engine->stats().preemptions, 0u);
}

TEST(EngineGuided, EachChoiceHasItsOwnText) {
  const auto engine = StartEngine(Stubborn());
  const auto one = std::make_shared<RecordingSink>();
  const auto two = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Guided(CompileRegex("[a-z]{8}"), 20), {one, two}));
  const std::string text = TextOf(one->Wait());
  const std::string other = TextOf(two->Wait());
  EXPECT_EQ(text.size(), 8u);
  EXPECT_EQ(other.size(), 8u);
  EXPECT_NE(text, other);
}

TEST(EngineGuided, WhatIsCutIsSaidSo) {
  const auto engine = StartEngine(Stubborn());
  const Outcome outcome = Ask(*engine, Guided(CompileRegex("[a-z]{8}"), 5));
  EXPECT_EQ(outcome.result->reason, FinishReason::kLength);
  EXPECT_EQ(outcome.tokens.size(), 5u);
}

// A complete text ends, whatever is said about stop tokens; one that may go on does.
TEST(EngineGuided, OtherRulesDoNotHoldACompleteAnswerOpen) {
  const auto engine = StartEngine(Stubborn());
  GenerationRequest request = Guided(CompileRegex("abc"), 50);
  request.banned = {0};
  request.stop_tokens = {};
  request.sampling.min_tokens = 20;
  EXPECT_EQ(TextOf(Ask(*engine, std::move(request))), "abc");
  request = Guided(CompileRegex("[ab]*"), 50);
  request.sampling.min_tokens = 20;
  EXPECT_GE(Ask(*engine, std::move(request)).tokens.size(), 20u);
  request = Guided(CompileRegex("a[ab]*"), 50);
  request.banned = {0, 'a' + 1, 'b' + 1};
  request.forced = {};
  const Outcome stuck = Ask(*engine, std::move(request));
  ASSERT_TRUE(stuck.error);
  EXPECT_EQ(stuck.error->code(), ErrorCode::kInternal);
  request = Guided(CompileRegex("[cd]*"), 50);
  request.banned = {0, 'c' + 1, 'd' + 1};
  const Outcome empty = Ask(*engine, std::move(request));
  ASSERT_TRUE(empty.result);
  EXPECT_EQ(empty.result->completion_tokens, 0);
  EXPECT_EQ(empty.result->reason, FinishReason::kStop);
}

TEST(EngineGuided, TheGrammarBeginsBehindForcedTokens) {
  const auto engine = StartEngine(Stubborn());
  GenerationRequest request = Guided(CompileChoice(std::vector<std::string>{"yes"}), 20);
  request.forced = {'>' + 1, '>' + 1};
  EXPECT_EQ(TextOf(Ask(*engine, std::move(request))), ">>yes");
}

// Only the request whose grammar's letters the vocabulary lacks fails.
TEST(EngineGuided, AGrammarThatNoTokenFitsFailsItsRequestOnly) {
  const auto engine = StartEngine(Stubborn());
  GenerationRequest request = Guided(CompileRegex("xyz"), 20);
  request.constraint =
      std::make_shared<Constraint>(CompileRegex("xyz").value(), MakeVocabulary({"x", "y"}));
  const auto good = std::make_shared<RecordingSink>();
  const auto bad = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Guided(CompileRegex("[a-z]{30}"), 40), good));
  ASSERT_TRUE(engine->Submit(std::move(request), bad));
  const Outcome outcome = bad->Wait();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kInternal);
  EXPECT_EQ(good->Wait().tokens.size(), 30u);
  EXPECT_TRUE(engine->healthy());
}

TEST(EngineGuided, CancelledInTheMiddleOfAStep) {
  Gate gate;
  const auto engine = StartEngine(Stubborn(&gate));
  gate.Close();
  const auto first = std::make_shared<RecordingSink>();
  const auto id = engine->Submit(Guided(CompileRegex("[a-z]*"), 200), first);
  ASSERT_TRUE(id);
  gate.AwaitModel();
  engine->Cancel(*id);
  gate.Open();
  EXPECT_EQ(TextOf(Ask(*engine, Guided(CompileRegex("ok"), 20))), "ok");
  EXPECT_EQ(first.use_count(), 1);
}

TEST(Engine, OneTenantDoesNotFillTheWholeQueue) {
  Gate gate;
  EngineOptions options;
  options.max_num_seqs = 2;
  options.max_waiting = 14;
  const auto engine = StartEngine(Hashing(&gate), options);
  gate.Close();
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  const auto submit = [&](const std::string& tenant) {
    GenerationRequest request = Greedy({1}, 3);
    request.tenant = tenant;
    sinks.push_back(std::make_shared<RecordingSink>());
    return engine->Submit(std::move(request), sinks.back());
  };
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(submit("a"));
  EXPECT_EQ(submit("a").error().code(), ErrorCode::kExhausted);
  sinks.pop_back();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(submit("b"));
  EXPECT_EQ(submit("b").error().code(), ErrorCode::kUnavailable);
  sinks.pop_back();
  gate.Open();
  for (const auto& sink : sinks) EXPECT_EQ(sink->Wait().tokens, Expected({1}, 3));
  ASSERT_TRUE(submit("a"));
  sinks.back()->Wait();
  EXPECT_GE(engine->RetryAfterSeconds(), 1);
}

TEST(Engine, QueuePositions) {
  Gate gate;
  EngineOptions options;
  options.max_num_seqs = 1;
  const auto engine = StartEngine(Hashing(&gate), options);
  gate.Close();
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  std::vector<RequestId> ids;
  for (int i = 0; i < 3; ++i) {
    sinks.push_back(std::make_shared<RecordingSink>());
    const auto id = engine->Submit(Greedy({i}, 50), sinks.back());
    ASSERT_TRUE(id);
    ids.push_back(*id);
  }
  // Known from the second step on.
  gate.AwaitModel();
  gate.Open();
  sinks[0]->WaitForFirst();
  while (engine->stats().steps < 3 && engine->n_live() == 3) std::this_thread::yield();
  if (engine->n_live() == 3) {
    EXPECT_EQ(engine->QueuePosition(ids[0]), std::nullopt);
  }
  for (const auto& sink : sinks) sink->Wait();
  EXPECT_EQ(engine->QueuePosition(ids[2]), std::nullopt);
}

TEST(Engine, DrainRefusesNewOnesAndLetsTheRestEnd) {
  Gate gate;
  const auto engine = StartEngine(Hashing(&gate));
  gate.Close();
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({1}, 20), sink));
  engine->Drain();
  EXPECT_EQ(engine->Submit(Greedy({1}, 5), sink).error().code(), ErrorCode::kUnavailable);
  gate.Open();
  EXPECT_EQ(sink->Wait().tokens, Expected({1}, 20));
}

TEST(Engine, ProbesAreProvedByACanary) {
  Gate gate;
  auto model = Hashing(&gate);
  FakeModel* raw = model.get();
  EngineOptions options;
  options.canary_interval_ms = 3'600'000;
  std::atomic<int> fed = 0;
  options.on_step = [&](const EngineStats& stats) { fed = static_cast<int>(stats.canaries); };
  const auto engine = StartEngine(std::move(model), options);
  const auto probe = [&] {
    std::promise<bool> alive;
    engine->Probe([&](const Result<void>& result) { alive.set_value(result.has_value()); });
    return alive.get_future().get();
  };
  EXPECT_TRUE(probe());
  EXPECT_EQ(engine->stats().canaries, 1u);
  EXPECT_EQ(fed, 1);
  raw->FailNext();
  EXPECT_FALSE(probe());
  EXPECT_FALSE(engine->healthy());
  EXPECT_TRUE(probe());
  EXPECT_TRUE(engine->healthy());
  // With a step under way the answer does not wait for it.
  gate.Close();
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({1}, 3), sink));
  gate.AwaitModel();
  EXPECT_TRUE(probe());
  gate.Open();
  sink->Wait();
}

TEST(Engine, AStepThatDoesNotEndIsAHang) {
  Gate gate;
  EngineOptions options;
  options.hang_ms = 1;
  const auto engine = StartEngine(Hashing(&gate), options);
  gate.Close();
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy({1}, 3), sink));
  gate.AwaitModel();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::optional<bool> alive;
  engine->Probe([&](const Result<void>& result) { alive = result.has_value(); });
  EXPECT_EQ(alive, false);
  gate.Open();
  sink->Wait();
}

TEST(Engine, CanariesComeByThemselvesWhenIdle) {
  EngineOptions options;
  options.canary_interval_ms = 5;
  const auto engine = StartEngine(Hashing(), options);
  while (engine->stats().canaries < 3) std::this_thread::yield();
}

TEST(Engine, StatsTellWhatHappened) {
  const auto engine = StartEngine(Hashing());
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_TRUE(engine->Submit(Greedy(std::vector<TokenId>(20, 1), 7), sink));
  sink->Wait();
  while (engine->stats().finished_length == 0) std::this_thread::yield();
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.prompt_tokens, 20u);
  EXPECT_EQ(stats.generated_tokens, 7u);
  EXPECT_EQ(stats.steps, 7u);
  EXPECT_EQ(stats.first_token.count(), 1u);
  EXPECT_EQ(stats.inter_token.count(), 6u);
  EXPECT_EQ(stats.request_time.count(), 1u);
  EXPECT_EQ(stats.queue_time.count(), 1u);
  EXPECT_DOUBLE_EQ(stats.request_prompt_tokens.sum(), 20);
  EXPECT_DOUBLE_EQ(stats.request_generated_tokens.sum(), 7);
  EXPECT_EQ(stats.n_running, 0);
  EXPECT_EQ(stats.n_blocks_used, 0);
  EXPECT_EQ(stats.n_blocks, 8 * 16);
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
  options.kv_cache_bytes = 64 * 5;  // the canary's and four of the sixteen one sequence needs
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
  // Without a size of its own the cache gets what the machine has left.
  options.kv_cache_bytes = 0;
  auto model = Hashing();
  model->SetAvailableBytes(2000);  // half of it, without 64 + 8 + 64 + 256 of a step: 9 blocks
  options.memory_utilization = 0.5;
  options.max_batched_tokens = 64;
  const auto rest = Engine::Start(std::move(model), options);
  ASSERT_TRUE(rest) << rest.error().message();
  EXPECT_EQ((*rest)->max_model_len(), 8 * 16);
  EXPECT_NE((*rest)->memory().find("2000 bytes are available"), std::string::npos);
}

}  // namespace
}  // namespace skerry::engine
