// Decides what the model computes next: which requests are admitted, which tokens of which sequence
// make up a step, where their keys and values lie. Plain data, no threads, no model: tested as
// such.
//
// A sequence is admitted when blocks for its whole possible length are free, and keeps them to its
// end: nothing that runs ever has to be thrown out, and memory cannot run short in the middle.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "appliance/base/result.h"
#include "engine/cache/block_pool.h"
#include "engine/model/language_model.h"

namespace skerry::engine {

using SequenceId = uint64_t;

struct SchedulerOptions {
  int32_t max_running = 8;    // sequences in one step
  int32_t step_tokens = 512;  // tokens in one step; at least max_running
};

// One thread.
class Scheduler {
 public:
  // `pool` must outlive the scheduler; block_tokens as ModelInfo.
  Scheduler(const SchedulerOptions& options, BlockPool& pool, int32_t block_tokens);

  // Queues a sequence of `prompt` (not empty) that may grow by `max_new` tokens. kInvalidArgument
  // when it is empty or could not be admitted even alone.
  Result<void> Add(SequenceId id, std::vector<TokenId> prompt, int32_t max_new);
  // Forgets the sequence, queued or running, and frees its blocks. False when there is none.
  bool Remove(SequenceId id);

  // One sequence's part of a step.
  struct Part {
    SequenceId id = 0;
    SequenceChunk chunk;  // spans into the scheduler: valid until its next change
    bool samples =
        false;  // the chunk reaches the sequence's end: its last logits give the next token
  };
  // Admits what fits, in order of arrival, and chooses the next step: first the sequences that
  // generate, one token each, then prompts, in pieces that fit the rest of the budget. Empty when
  // nothing is to do.
  std::vector<Part> Plan();

  // After the step: the part is computed.
  void Computed(const Part& part);
  // Appends a generated token to a sequence whose part had `samples`. False when it has its full
  // length: the sequence must be removed.
  bool Append(SequenceId id, TokenId token);

  bool idle() const { return running_.empty() && waiting_.empty(); }
  size_t n_waiting() const { return waiting_.size(); }
  size_t n_running() const { return running_.size(); }
  // Tokens that Add accepts at most: prompt plus growth of one sequence.
  int32_t max_sequence_tokens() const;

 private:
  struct Sequence {
    SequenceId id = 0;
    std::vector<TokenId> tokens;
    int32_t full_length = 0;
    int32_t computed = 0;
    std::vector<BlockId> blocks;

    int32_t pending() const { return static_cast<int32_t>(tokens.size()) - computed; }
  };

  int32_t BlocksFor(int32_t tokens) const { return (tokens + block_tokens_ - 1) / block_tokens_; }
  void Admit();
  Sequence* FindRunning(SequenceId id);
  Part MakePart(const Sequence& sequence, int32_t n_tokens) const;

  SchedulerOptions options_;
  BlockPool* pool_;
  int32_t block_tokens_;
  std::deque<Sequence> waiting_;
  std::vector<Sequence> running_;  // in order of admission
};

}  // namespace skerry::engine
