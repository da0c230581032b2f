#include "engine/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace skerry::engine {
namespace {

constexpr int32_t kBlock = 16;

SchedulerOptions Options(int32_t max_running, int32_t step_tokens) {
  SchedulerOptions options;
  options.max_running = max_running;
  options.step_tokens = step_tokens;
  return options;
}

std::vector<TokenId> Prompt(size_t n) {
  std::vector<TokenId> prompt(n);
  for (size_t i = 0; i < n; ++i) prompt[i] = static_cast<TokenId>(i);
  return prompt;
}

TEST(Scheduler, PromptsGoInChunksAndGenerationGoesFirst) {
  BlockPool pool(100);
  Scheduler scheduler(Options(4, 32), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(1, Prompt(5), 10));
  ASSERT_TRUE(scheduler.Add(2, Prompt(70), 10));
  auto parts = scheduler.Plan();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].samples);
  EXPECT_EQ(parts[0].chunk.logits, SequenceChunk::Logits::kLast);
  EXPECT_EQ(parts[1].chunk.tokens.size(), 27u);
  EXPECT_FALSE(parts[1].samples);
  EXPECT_EQ(parts[1].chunk.logits, SequenceChunk::Logits::kNone);
  for (const auto& part : parts) scheduler.Computed(part);
  EXPECT_TRUE(scheduler.Append(1, 9));
  parts = scheduler.Plan();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].id, 1u);
  EXPECT_EQ(parts[0].chunk.tokens.size(), 1u);
  EXPECT_EQ(parts[0].chunk.tokens[0], 9);
  EXPECT_EQ(parts[0].chunk.position, 5);
  EXPECT_EQ(parts[1].chunk.tokens.size(), 31u);
  EXPECT_EQ(parts[1].chunk.position, 27);
  for (const auto& part : parts) scheduler.Computed(part);
  scheduler.Append(1, 9);
  parts = scheduler.Plan();
  EXPECT_EQ(parts[1].chunk.tokens.size(), 12u);
  EXPECT_TRUE(parts[1].samples);
}

TEST(Scheduler, AdmitsInOrderOnlyWhatFitsWhole) {
  BlockPool pool(10);
  Scheduler scheduler(Options(4, 64), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(1, Prompt(10), 86));  // 6 blocks
  ASSERT_TRUE(scheduler.Add(2, Prompt(10), 70));  // 5 blocks: waits
  ASSERT_TRUE(scheduler.Add(3, Prompt(1), 1));    // 1 block: does not overtake
  EXPECT_EQ(scheduler.Plan().size(), 1u);
  EXPECT_EQ(scheduler.n_waiting(), 2u);
  EXPECT_TRUE(scheduler.Remove(1));
  EXPECT_EQ(scheduler.Plan().size(), 2u);
  EXPECT_EQ(pool.n_free(), 4);
  EXPECT_FALSE(scheduler.Remove(1));
  EXPECT_TRUE(scheduler.Remove(2));
  EXPECT_TRUE(scheduler.Remove(3));
  EXPECT_EQ(pool.n_free(), 10);
  EXPECT_TRUE(scheduler.idle());
}

TEST(Scheduler, RefusesWhatNeverFits) {
  BlockPool pool(2);
  Scheduler scheduler(Options(4, 64), pool, kBlock);
  EXPECT_EQ(scheduler.max_sequence_tokens(), 32);
  EXPECT_EQ(scheduler.Add(1, Prompt(20), 13).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(scheduler.Add(1, {}, 3).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(scheduler.Add(1, Prompt(20), 12));
}

TEST(Scheduler, StopsAtTheFullLength) {
  BlockPool pool(4);
  Scheduler scheduler(Options(1, 64), pool, kBlock);
  ASSERT_TRUE(scheduler.Add(1, Prompt(3), 2));
  scheduler.Computed(scheduler.Plan()[0]);
  EXPECT_TRUE(scheduler.Append(1, 7));
  scheduler.Computed(scheduler.Plan()[0]);
  EXPECT_FALSE(scheduler.Append(1, 7));
  EXPECT_FALSE(scheduler.Append(1, 7));
  EXPECT_FALSE(scheduler.Append(99, 7));
}

// Random arrivals, steps and cancellations: the invariants hold at every step.
TEST(Scheduler, RandomLoadKeepsItsPromises) {
  std::mt19937 random(5);
  BlockPool pool(40);
  const SchedulerOptions options = Options(6, 48);
  Scheduler scheduler(options, pool, kBlock);
  std::map<SequenceId, int32_t> computed;
  SequenceId next = 1;
  int finished = 0;
  for (int step = 0; step < 4000; ++step) {
    if (random() % 3 == 0 && scheduler.n_waiting() < 20) {
      ASSERT_TRUE(scheduler.Add(next, Prompt(random() % 120 + 1), random() % 60 + 1));
      computed[next++] = 0;
    }
    if (random() % 17 == 0 && !computed.empty()) {
      const SequenceId victim = computed.begin()->first;
      EXPECT_TRUE(scheduler.Remove(victim));
      computed.erase(victim);
    }
    const auto parts = scheduler.Plan();
    EXPECT_EQ(parts.empty(), scheduler.idle());
    size_t tokens = 0;
    std::set<BlockId> used;
    std::vector<SequenceId> ends;
    for (const auto& part : parts) {
      tokens += part.chunk.tokens.size();
      EXPECT_EQ(part.chunk.position, computed[part.id]);
      EXPECT_GE(part.chunk.blocks.size() * kBlock, part.chunk.position + part.chunk.tokens.size());
      for (const BlockId block : part.chunk.blocks) EXPECT_TRUE(used.insert(block).second);
    }
    EXPECT_LE(tokens, static_cast<size_t>(options.step_tokens));
    EXPECT_LE(scheduler.n_running(), static_cast<size_t>(options.max_running));
    for (const auto& part : parts) {
      computed[part.id] += static_cast<int32_t>(part.chunk.tokens.size());
      scheduler.Computed(part);
      if (part.samples && (!scheduler.Append(part.id, 1) || random() % 40 == 0)) {
        ends.push_back(part.id);
      }
    }
    for (const SequenceId id : ends) {
      EXPECT_TRUE(scheduler.Remove(id));
      computed.erase(id);
      ++finished;
    }
  }
  EXPECT_GT(finished, 100);
  while (!computed.empty()) {
    scheduler.Remove(computed.begin()->first);
    computed.erase(computed.begin());
  }
  EXPECT_EQ(pool.n_free(), 40);
}

}  // namespace
}  // namespace skerry::engine
