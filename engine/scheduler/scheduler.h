// Decides what the model computes next: which requests are admitted, which tokens of which sequence
// make up a step, where their keys and values lie, who gives way when blocks run out. Plain data,
// no threads, no model: tested as such. docs/engine/runtime.md has the rules and their reasons.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "appliance/base/result.h"
#include "engine/cache/block_name.h"
#include "engine/cache/block_pool.h"
#include "engine/model/language_model.h"
#include "engine/scheduler/tenants.h"

namespace skerry::engine {

using SequenceId = uint64_t;

struct SchedulerOptions {
  int32_t max_running = 8;    // sequences in one step
  int32_t step_tokens = 512;  // tokens in one step; at least max_running
};

struct SequenceSpec {
  SequenceId id = 0;
  std::vector<TokenId> prompt = {};  // not empty
  int32_t max_new = 1;               // tokens it may grow by
  int32_t priority = 0;              // lower goes first
  std::string tenant = {};
  double weight = 1;        // of the tenant
  BlockName root = {};      // its blocks are named from here
  bool all_logits = false;  // those of every position of the prompt; nothing is found then
  SequenceId after = 0;     // waits until that one has computed its prompt
};

struct SchedulerCounts {
  uint64_t preemptions = 0;
  uint64_t prefix_queries = 0;  // tokens of admitted prompts
  uint64_t prefix_hits = 0;     // of those, found in the cache
};

// Rows of logits that one step gives for a prompt whose positions are all wanted: bounds the memory
// they take (a row has a number for each token of the vocabulary).
inline constexpr int32_t kMaxPromptLogitRows = 64;

// One thread.
class Scheduler {
 public:
  // `pool` must outlive the scheduler; block_tokens as ModelInfo.
  Scheduler(const SchedulerOptions& options, BlockPool& pool, int32_t block_tokens);
  ~Scheduler();

  // Queues a sequence. kInvalidArgument when it is empty, its id is taken, or it could not run even
  // alone.
  Result<void> Add(SequenceSpec spec);
  // Forgets the sequence, queued or running, and frees its blocks. False when there is none.
  bool Remove(SequenceId id);

  // One sequence's part of a step.
  struct Part {
    SequenceId id = 0;
    SequenceChunk chunk;   // spans into the scheduler: valid until its next change
    bool samples = false;  // the chunk reaches the sequence's end: its last logits give the next
                           // token
    // Rows of logits the model gives for it.
    int32_t n_logits() const;
  };
  // Admits what fits and chooses the next step. Empty when nothing is to do.
  std::vector<Part> Plan();

  // After the step: the part is computed.
  void Computed(const Part& part);
  // Appends a generated token to a sequence whose part had `samples`. False when it has its full
  // length: the sequence must be removed.
  bool Append(SequenceId id, TokenId token);

  // From the next Plan on, at most so many tokens in one step (at least max_running).
  void SetStepTokens(int32_t step_tokens);

  bool idle() const { return sequences_.empty(); }
  size_t n_waiting() const { return waiting_.size(); }
  size_t n_running() const { return running_.size(); }
  // Tokens that Add accepts at most: prompt plus growth of one sequence.
  int32_t max_sequence_tokens() const;
  // Tokens of the prompt that were found in the cache when the sequence was first admitted.
  int32_t cached_tokens(SequenceId id) const;
  // Those that wait, in the order they go unless tenants' clocks decide otherwise.
  std::vector<SequenceId> Waiting() const;
  const SchedulerCounts& counts() const { return counts_; }

 private:
  struct Sequence;

  int32_t BlocksFor(int32_t tokens) const { return (tokens + block_tokens_ - 1) / block_tokens_; }
  Sequence* Find(SequenceId id) const;
  void Enqueue(Sequence& sequence);
  bool HeldBack(const Sequence& sequence) const;
  Sequence* NextCandidate(std::span<Sequence* const> passed_over) const;
  void Admit();
  bool TryAdmit(Sequence& sequence);
  bool TakeBlocks(Sequence& sequence);
  bool CanMakeRoom(const Sequence& sequence) const;
  void Release(Sequence& sequence);
  void Preempt(Sequence& sequence);
  void NameBlocks(Sequence& sequence, int32_t n_blocks);
  void ShareBudget();
  void FindBlocksForGrowth();
  Part MakePart(const Sequence& sequence) const;

  SchedulerOptions options_;
  BlockPool* pool_;
  int32_t block_tokens_;
  Tenants tenants_;
  std::unordered_map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::vector<Sequence*> waiting_;  // by priority, then arrival
  std::vector<Sequence*> running_;  // the last is the first to give way
  uint64_t next_arrival_ = 0;
  SchedulerCounts counts_;
};

}  // namespace skerry::engine
