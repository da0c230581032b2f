#include "engine/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <map>

namespace skerry::engine {
namespace {

constexpr int32_t kBlock = 16;

SchedulerOptions Options(int32_t max_running, int32_t step_tokens) {
  SchedulerOptions options;
  options.max_running = max_running;
  options.step_tokens = step_tokens;
  return options;
}

std::vector<TokenId> Prompt(size_t n, TokenId first = 0) {
  std::vector<TokenId> prompt(n);
  for (size_t i = 0; i < n; ++i) prompt[i] = first + static_cast<TokenId>(i);
  return prompt;
}

// Shares nothing with others.
SequenceSpec Spec(SequenceId id, size_t prompt, int32_t max_new) {
  return {.id = id, .prompt = Prompt(prompt), .max_new = max_new, .root = RootName(id)};
}

// Computes everything planned and appends `token` where one is sampled.
std::map<SequenceId, int32_t> Step(Scheduler& scheduler, TokenId token = 9) {
  std::map<SequenceId, int32_t> computed;
  const auto parts = scheduler.Plan();
  for (const auto& part : parts) {
    computed[part.id] = static_cast<int32_t>(part.chunk.tokens.size());
    scheduler.Computed(part);
  }
  for (const auto& part : parts) {
    if (part.samples) scheduler.Append(part.id, token);
  }
  return computed;
}

using Steps = std::map<SequenceId, int32_t>;

TEST(Scheduler, GenerationGoesFirstAndPromptsInChunks) {
  BlockPool pool(100);
  Scheduler scheduler(Options(4, 32), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 5, 10)));
  ASSERT_TRUE(scheduler.Add(Spec(2, 70, 10)));
  auto parts = scheduler.Plan();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].samples);
  EXPECT_EQ(parts[0].chunk.logits, SequenceChunk::Logits::kLast);
  EXPECT_EQ(parts[0].n_logits(), 1);
  EXPECT_EQ(parts[1].chunk.tokens.size(), 27u);
  EXPECT_FALSE(parts[1].samples);
  EXPECT_EQ(parts[1].chunk.logits, SequenceChunk::Logits::kNone);
  EXPECT_EQ(parts[1].n_logits(), 0);
  EXPECT_EQ(Step(scheduler), (Steps{{1, 5}, {2, 27}}));
  parts = scheduler.Plan();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].id, 1u);
  EXPECT_EQ(parts[0].chunk.tokens[0], 9);
  EXPECT_EQ(parts[0].chunk.position, 5);
  EXPECT_EQ(parts[1].chunk.tokens.size(), 31u);
  EXPECT_EQ(parts[1].chunk.position, 27);
  EXPECT_EQ(Step(scheduler), (Steps{{1, 1}, {2, 31}}));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 1}, {2, 12}}));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 1}, {2, 1}}));
}

TEST(Scheduler, AShortPromptIsNotHeldUpByALongOne) {
  BlockPool pool(200);
  Scheduler scheduler(Options(4, 100), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 1000, 1)));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 100}}));
  ASSERT_TRUE(scheduler.Add(Spec(2, 40, 1)));
  ASSERT_TRUE(scheduler.Add(Spec(3, 30, 1)));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 50}, {2, 25}, {3, 25}}));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 80}, {2, 15}, {3, 5}}));
}

TEST(Scheduler, StepTokensCanChange) {
  BlockPool pool(100);
  Scheduler scheduler(Options(4, 100), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 300, 1)));
  scheduler.SetStepTokens(20);
  EXPECT_EQ(Step(scheduler), (Steps{{1, 20}}));
  scheduler.SetStepTokens(1);  // each of those running may generate
  EXPECT_EQ(Step(scheduler), (Steps{{1, 4}}));
}

TEST(Scheduler, BlocksAreTakenAsASequenceGrows) {
  BlockPool pool(10);
  Scheduler scheduler(Options(4, 64), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 15, 100)));
  Step(scheduler);
  EXPECT_EQ(pool.n_free(), 9);
  Step(scheduler);  // the 16th token
  EXPECT_EQ(pool.n_free(), 9);
  Step(scheduler);
  EXPECT_EQ(pool.n_free(), 8);
  EXPECT_TRUE(scheduler.Remove(1));
  EXPECT_FALSE(scheduler.Remove(1));
  EXPECT_EQ(pool.n_free(), 10);
  EXPECT_TRUE(scheduler.idle());
}

TEST(Scheduler, TheNewestGivesWayAndComesBack) {
  BlockPool pool(4);
  Scheduler scheduler(Options(4, 64), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 16, 40)));
  ASSERT_TRUE(scheduler.Add(Spec(2, 16, 40)));
  for (int i = 0; i < 17; ++i) EXPECT_EQ(Step(scheduler).size(), 2u) << i;
  EXPECT_EQ(pool.n_free(), 0);
  // 33 tokens each: both want a third block.
  EXPECT_EQ(Step(scheduler), (Steps{{1, 1}}));
  EXPECT_EQ(scheduler.counts().preemptions, 1u);
  EXPECT_EQ(scheduler.n_waiting(), 1u);
  EXPECT_EQ(scheduler.Waiting(), std::vector<SequenceId>{2});
  ASSERT_TRUE(scheduler.Remove(1));
  // Of its two full blocks one went to the other; its beginning is still there.
  const auto parts = scheduler.Plan();
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].chunk.position, 16);
  EXPECT_EQ(scheduler.cached_tokens(2), 0);  // of its prompt nothing was found
}

TEST(Scheduler, ASequenceThatIsTheWorstPausesAndKeepsItsBlocks) {
  BlockPool pool(4);
  Scheduler scheduler(Options(4, 64), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 15, 10)));
  ASSERT_TRUE(scheduler.Add(Spec(2, 31, 10)));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 15}, {2, 31}}));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 1}, {2, 1}}));
  // Both grow by a block and one is left: the older has it.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Step(scheduler), (Steps{{1, 1}}));
  EXPECT_EQ(scheduler.n_running(), 2u);
  EXPECT_EQ(scheduler.counts().preemptions, 0u);
  ASSERT_TRUE(scheduler.Remove(1));
  EXPECT_EQ(Step(scheduler), (Steps{{2, 1}}));
}

TEST(Scheduler, PriorityDisplacesWhatRuns) {
  BlockPool pool(8);
  Scheduler scheduler(Options(2, 64), pool, kBlock);
  SequenceSpec low = Spec(1, 20, 20);
  low.priority = 5;
  ASSERT_TRUE(scheduler.Add(low));
  low.id = 2;
  low.root = RootName(2);
  ASSERT_TRUE(scheduler.Add(low));
  Step(scheduler);
  ASSERT_TRUE(scheduler.Add(Spec(3, 20, 20)));
  // No place free: the newest of the worse priority gives way.
  const Steps steps = Step(scheduler);
  EXPECT_TRUE(steps.contains(3));
  EXPECT_TRUE(steps.contains(1));
  EXPECT_FALSE(steps.contains(2));
  low.id = 4;
  ASSERT_TRUE(scheduler.Add(low));  // the same priority displaces nobody
  EXPECT_FALSE(Step(scheduler).contains(4));
  EXPECT_EQ(scheduler.Waiting(), (std::vector<SequenceId>{2, 4}));
}

TEST(Scheduler, ALargeOneMayBeOvertakenButNotForEver) {
  BlockPool pool(10);
  Scheduler scheduler(Options(8, 512), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 6 * 16, 16)));
  Step(scheduler);
  ASSERT_TRUE(scheduler.Add(Spec(2, 5 * 16, 1)));  // not free beside 1
  int overtakers = 0;
  for (SequenceId id = 10; id < 40; ++id) {
    ASSERT_TRUE(scheduler.Add(Spec(id, 3, 1)));
    if (Step(scheduler).contains(id)) ++overtakers;
    ASSERT_TRUE(scheduler.Remove(id));
  }
  EXPECT_GT(overtakers, 3);
  EXPECT_LT(overtakers, 12);
  ASSERT_TRUE(scheduler.Remove(1));
  EXPECT_TRUE(Step(scheduler).contains(2));
}

TEST(Scheduler, FindsBeginningsOfTheSameRootOnly) {
  BlockPool pool(40);
  Scheduler scheduler(Options(8, 512), pool, kBlock);
  SequenceSpec spec = Spec(1, 50, 5);
  spec.root = RootName("a", "", "");
  ASSERT_TRUE(scheduler.Add(spec));
  Step(scheduler);
  scheduler.Remove(1);
  spec.id = 2;
  ASSERT_TRUE(scheduler.Add(spec));
  EXPECT_EQ(Step(scheduler), (Steps{{2, 2}}));  // 48 of 50 were found
  EXPECT_EQ(scheduler.cached_tokens(2), 48);
  spec.id = 3;
  spec.prompt.resize(48);  // all of it is there; one block is computed for the logits
  ASSERT_TRUE(scheduler.Add(spec));
  EXPECT_EQ(Step(scheduler)[3], 16);
  spec.id = 4;
  spec.root = RootName("b", "", "");
  ASSERT_TRUE(scheduler.Add(spec));
  EXPECT_EQ(Step(scheduler)[4], 48);
  spec.id = 5;
  spec.root = RootName("a", "", "");
  spec.all_logits = true;
  ASSERT_TRUE(scheduler.Add(spec));
  const auto parts = scheduler.Plan();
  EXPECT_EQ(parts.back().id, 5u);
  EXPECT_EQ(parts.back().n_logits(), 48);
  EXPECT_EQ(scheduler.counts().prefix_queries, 50u + 50 + 48 + 48 + 48);
  EXPECT_EQ(scheduler.counts().prefix_hits, 48u + 32);
}

TEST(Scheduler, GeneratedTokensAreFoundByTheNextTurn) {
  BlockPool pool(40);
  Scheduler scheduler(Options(8, 512), pool, kBlock);
  SequenceSpec spec = Spec(1, 10, 30);
  spec.root = RootName("a", "", "");
  ASSERT_TRUE(scheduler.Add(spec));
  for (int i = 0; i < 30; ++i) Step(scheduler, 77);
  scheduler.Remove(1);
  spec.id = 2;
  spec.prompt.resize(40, 77);
  ASSERT_TRUE(scheduler.Add(spec));
  Step(scheduler);
  EXPECT_EQ(scheduler.cached_tokens(2), 32);
}

TEST(Scheduler, ChoicesShareThePrompt) {
  BlockPool pool(40);
  Scheduler scheduler(Options(8, 32), pool, kBlock);
  SequenceSpec spec = Spec(1, 70, 5);
  ASSERT_TRUE(scheduler.Add(spec));
  for (SequenceId id : {2, 3}) {
    spec.id = id;
    spec.after = 1;
    ASSERT_TRUE(scheduler.Add(spec));
  }
  EXPECT_EQ(Step(scheduler), (Steps{{1, 32}}));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 32}}));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 6}}));
  EXPECT_EQ(Step(scheduler), (Steps{{1, 1}, {2, 6}, {3, 6}}));
  EXPECT_EQ(pool.n_free(), 40 - 4 - 3);
  // Without the first one the others go on.
  spec.id = 4;
  spec.after = 99;
  ASSERT_TRUE(scheduler.Add(spec));
  EXPECT_TRUE(Step(scheduler).contains(4));
}

TEST(Scheduler, LogitsOfAPromptComeInBoundedPieces) {
  BlockPool pool(40);
  Scheduler scheduler(Options(8, 512), pool, kBlock);
  SequenceSpec spec = Spec(1, 100, 5);
  spec.all_logits = true;
  ASSERT_TRUE(scheduler.Add(spec));
  spec.id = 2;
  ASSERT_TRUE(scheduler.Add(spec));
  int32_t rows = 0;
  for (const auto& part : scheduler.Plan()) rows += part.n_logits();
  EXPECT_EQ(rows, kMaxPromptLogitRows);
  while (scheduler.cached_tokens(1) == 0 && !Step(scheduler).contains(2)) {
  }
  EXPECT_GT(Step(scheduler).size(), 0u);
}

TEST(Scheduler, RefusesWhatNeverFits) {
  BlockPool pool(2);
  Scheduler scheduler(Options(4, 64), pool, kBlock);
  EXPECT_EQ(scheduler.max_sequence_tokens(), 32);
  EXPECT_EQ(scheduler.Add(Spec(1, 20, 13)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(scheduler.Add(Spec(1, 0, 3)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(scheduler.Add(Spec(1, 20, 12)));
  EXPECT_EQ(scheduler.Add(Spec(1, 20, 12)).error().code(), ErrorCode::kInvalidArgument);
}

TEST(Scheduler, StopsAtTheFullLength) {
  BlockPool pool(4);
  Scheduler scheduler(Options(1, 64), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(Spec(1, 3, 2)));
  scheduler.Computed(scheduler.Plan()[0]);
  EXPECT_TRUE(scheduler.Append(1, 7));
  scheduler.Computed(scheduler.Plan()[0]);
  EXPECT_FALSE(scheduler.Append(1, 7));
  EXPECT_FALSE(scheduler.Append(1, 7));
  EXPECT_FALSE(scheduler.Append(99, 7));
}

}  // namespace
}  // namespace skerry::engine
