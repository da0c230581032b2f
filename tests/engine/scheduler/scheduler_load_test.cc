// The scheduler under random load against a model of what it promises: what is read from the cache
// is what was written for the same tokens of the same tenant, no block is lost, everything ends,
// and tenants get their shares.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "engine/scheduler/scheduler.h"

namespace skerry::engine {
namespace {

constexpr int32_t kBlock = 16;

// What a place of the cache holds: the token's number behind everything before it.
using Content = uint64_t;

class Load {
 public:
  Load(uint32_t seed, int32_t n_blocks, SchedulerOptions options)
      : random_(seed), options_(options), pool_(n_blocks), scheduler_(options, pool_, kBlock) {
    cache_.assign(static_cast<size_t>(n_blocks) * kBlock, 0);
  }

  struct Known {
    std::string tenant;
    std::vector<TokenId> tokens;
    int32_t full_length = 0;
    int priority = 0;
  };

  void Arrive() {
    SequenceSpec spec;
    spec.id = next_id_++;
    spec.tenant = "t" + std::to_string(Below(3));
    spec.weight = 1 + Below(3);
    spec.priority = Below(8) == 0 ? -1 : 0;
    // Few different beginnings, so that many are shared.
    const int beginning = Below(3);
    spec.prompt.resize(1 + Below(120));
    for (size_t i = 0; i < spec.prompt.size(); ++i) {
      spec.prompt[i] = i < 70 ? beginning : Below(3);
    }
    spec.max_new = 1 + Below(90);
    spec.root = RootName(spec.tenant, "", "");
    if (Below(5) == 0 && !known_.empty()) spec.after = known_.rbegin()->first;
    known_[spec.id] = {spec.tenant, spec.prompt,
                       static_cast<int32_t>(spec.prompt.size()) + spec.max_new, spec.priority};
    ASSERT_TRUE(scheduler_.Add(spec));
  }

  void Cancel() {
    if (known_.empty()) return;
    const auto victim = std::next(known_.begin(), Below(static_cast<int>(known_.size())));
    EXPECT_TRUE(scheduler_.Remove(victim->first));
    known_.erase(victim);
  }

  void Step() {
    const auto parts = scheduler_.Plan();
    ASSERT_EQ(parts.empty(), known_.empty());
    ASSERT_LE(scheduler_.n_running(), static_cast<size_t>(options_.max_running));
    int32_t n_tokens = 0;
    std::set<SequenceId> ids;
    for (const auto& part : parts) {
      n_tokens += static_cast<int32_t>(part.chunk.tokens.size());
      ASSERT_TRUE(ids.insert(part.id).second);
      Compute(part);
    }
    ASSERT_LE(n_tokens, std::max(options_.step_tokens, options_.max_running));
    computed_ += n_tokens;
    for (const auto& part : parts) scheduler_.Computed(part);
    for (const auto& part : parts) {
      if (part.samples) Generate(part.id);
    }
  }

  void Drain() {
    for (int step = 0; !known_.empty(); ++step) {
      ASSERT_LT(step, 200'000) << known_.size() << " never end";
      Step();
    }
    EXPECT_TRUE(scheduler_.idle());
    EXPECT_EQ(pool_.n_free(), pool_.n_blocks());
  }

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  const Scheduler& scheduler() const { return scheduler_; }
  int64_t computed() const { return computed_; }
  int64_t needed() const { return needed_; }
  int finished() const { return finished_; }

 private:
  static Content Follow(Content before, TokenId token) {
    return (before ^ static_cast<Content>(token + 1)) * 1099511628211u + 7;
  }
  static Content Root(const std::string& tenant) { return std::hash<std::string>()(tenant) | 1; }

  // Everything before the chunk must be in its blocks, then the chunk is written there.
  void Compute(const Scheduler::Part& part) {
    const Known& known = known_.at(part.id);
    const SequenceChunk& chunk = part.chunk;
    const size_t end = chunk.position + chunk.tokens.size();
    ASSERT_LE(end, known.tokens.size());
    ASSERT_EQ(part.samples, end == known.tokens.size());
    ASSERT_GE(chunk.blocks.size() * kBlock, end);
    Content content = Root(known.tenant);
    for (size_t i = 0; i < end; ++i) {
      content = Follow(content, known.tokens[i]);
      Content& place =
          cache_.at(static_cast<size_t>(chunk.blocks[i / kBlock]) * kBlock + i % kBlock);
      if (i < static_cast<size_t>(chunk.position)) {
        ASSERT_EQ(place, content) << "sequence " << part.id << " at " << i;
      } else {
        ASSERT_EQ(chunk.tokens[i - chunk.position], known.tokens[i]);
        place = content;
      }
    }
  }

  void Generate(SequenceId id) {
    Known& known = known_.at(id);
    const TokenId token = Below(3);
    known.tokens.push_back(token);
    const bool more = scheduler_.Append(id, token);
    ASSERT_EQ(more, static_cast<int32_t>(known.tokens.size()) < known.full_length);
    if (more && Below(60) != 0) return;
    needed_ += static_cast<int64_t>(known.tokens.size()) - 1;
    ++finished_;
    ASSERT_TRUE(scheduler_.Remove(id));
    known_.erase(id);
  }

  std::mt19937 random_;
  SchedulerOptions options_;
  BlockPool pool_;
  Scheduler scheduler_;
  std::vector<Content> cache_;
  std::map<SequenceId, Known> known_;
  SequenceId next_id_ = 1;
  int64_t computed_ = 0;
  int64_t needed_ = 0;
  int finished_ = 0;
};

TEST(SchedulerLoad, RandomArrivalsAndCancelsKeepEveryPromise) {
  uint64_t preemptions = 0;
  uint64_t hits = 0;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    // The tighter the pool, the more give way; 14 blocks hold little more than the longest.
    Load load(seed, 14 + 4 * static_cast<int32_t>(seed),
              {.max_running = 2 + static_cast<int32_t>(seed % 5), .step_tokens = 24});
    for (int step = 0; step < 1500 && !HasFatalFailure(); ++step) {
      if (load.Below(5) == 0 && load.scheduler().n_waiting() < 20) load.Arrive();
      if (load.Below(60) == 0) load.Cancel();
      load.Step();
    }
    load.Drain();
    EXPECT_GT(load.finished(), 20);
    preemptions += load.scheduler().counts().preemptions;
    hits += load.scheduler().counts().prefix_hits;
  }
  EXPECT_GT(preemptions, 50u);
  EXPECT_GT(hits, 1000u);
}

TEST(SchedulerLoad, WithRoomForAllNothingIsComputedTwice) {
  BlockPool pool(1000);
  Scheduler scheduler({.max_running = 4, .step_tokens = 32}, pool, kBlock);
  int64_t needed = 0;
  for (SequenceId id = 1; id <= 20; ++id) {
    SequenceSpec spec{.id = id, .prompt = std::vector<TokenId>(id * 7, 1), .max_new = 9};
    spec.root = RootName(id);
    needed += static_cast<int64_t>(id) * 7 + 8;
    ASSERT_TRUE(scheduler.Add(spec));
  }
  int64_t computed = 0;
  while (!scheduler.idle()) {
    std::vector<SequenceId> ends;
    const auto parts = scheduler.Plan();
    for (const auto& part : parts) {
      computed += static_cast<int64_t>(part.chunk.tokens.size());
      scheduler.Computed(part);
    }
    for (const auto& part : parts) {
      if (part.samples && !scheduler.Append(part.id, 1)) scheduler.Remove(part.id);
    }
  }
  EXPECT_EQ(computed, needed);
  EXPECT_EQ(scheduler.counts().preemptions, 0u);
}

// Two tenants that always want more: each gets service by its weight, whatever its requests look
// like, and the difference does not grow.
TEST(SchedulerLoad, TenantsGetServiceByWeight) {
  BlockPool pool(400);
  Scheduler scheduler({.max_running = 4, .step_tokens = 64}, pool, kBlock);
  std::map<std::string, double> service;
  std::map<std::string, double> weight = {{"short", 1}, {"long", 3}};
  std::map<SequenceId, std::string> owner;
  std::map<std::string, int> queued;
  SequenceId next = 1;
  double worst = 0;
  double largest = 0;
  for (int step = 0; step < 20'000; ++step) {
    for (const auto& [tenant, its_weight] : weight) {
      while (queued[tenant] < 6) {
        SequenceSpec spec{.id = next, .max_new = tenant == "short" ? 5 : 60};
        spec.prompt.assign(tenant == "short" ? 20 : 150, 1);
        spec.tenant = tenant;
        spec.weight = its_weight;
        spec.root = RootName(next);
        owner[next++] = tenant;
        ++queued[tenant];
        ASSERT_TRUE(scheduler.Add(spec));
      }
    }
    const auto parts = scheduler.Plan();
    for (const auto& part : parts) {
      const bool prompt = part.chunk.position + part.chunk.tokens.size() <=
                          (owner[part.id] == "short" ? 20u : 150u);
      service[owner[part.id]] +=
          prompt ? static_cast<double>(part.chunk.tokens.size()) * kPromptTokenService : 0;
      if (part.samples) service[owner[part.id]] += kGeneratedTokenService;
      scheduler.Computed(part);
    }
    for (const auto& part : parts) {
      if (!part.samples || scheduler.Append(part.id, 1)) continue;
      scheduler.Remove(part.id);
      --queued[owner[part.id]];
    }
    const double difference = std::abs(service["short"] / 1 - service["long"] / 3);
    if (step < 2000) worst = std::max(worst, difference);
    largest = std::max(largest, difference);
  }
  EXPECT_NEAR(service["long"] / service["short"], 3, 0.1);
  // Four running sequences of 150 + 2 * 60 at most stand between the clocks.
  EXPECT_LE(largest, 4 * 270);
  EXPECT_LE(largest, 2 * worst);
}

}  // namespace
}  // namespace skerry::engine
