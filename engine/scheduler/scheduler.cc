#include "engine/scheduler/scheduler.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace skerry::engine {

Scheduler::Scheduler(const SchedulerOptions& options, BlockPool& pool, int32_t block_tokens)
    : options_(options), pool_(&pool), block_tokens_(block_tokens) {
  options_.step_tokens = std::max(options_.step_tokens, options_.max_running);
}

int32_t Scheduler::max_sequence_tokens() const {
  const int64_t tokens = static_cast<int64_t>(pool_->n_blocks()) * block_tokens_;
  return static_cast<int32_t>(std::min<int64_t>(tokens, std::numeric_limits<int32_t>::max()));
}

Result<void> Scheduler::Add(SequenceId id, std::vector<TokenId> prompt, int32_t max_new) {
  const int64_t full = static_cast<int64_t>(prompt.size()) + std::max(max_new, 0);
  if (prompt.empty()) return Error(ErrorCode::kInvalidArgument, "the prompt has no tokens");
  if (full > max_sequence_tokens()) {
    return Error(ErrorCode::kInvalidArgument, std::to_string(full) +
                                                  " tokens do not fit into the cache of " +
                                                  std::to_string(max_sequence_tokens()));
  }
  Sequence sequence;
  sequence.id = id;
  sequence.tokens = std::move(prompt);
  sequence.full_length = static_cast<int32_t>(full);
  sequence.tokens.reserve(full);
  waiting_.push_back(std::move(sequence));
  return {};
}

bool Scheduler::Remove(SequenceId id) {
  const auto same = [id](const Sequence& sequence) { return sequence.id == id; };
  const auto running = std::ranges::find_if(running_, same);
  if (running != running_.end()) {
    // Every block has exactly one owner here, so this cannot fail.
    (void)pool_->Free(running->blocks);
    running_.erase(running);
    return true;
  }
  return std::erase_if(waiting_, same) > 0;
}

void Scheduler::Admit() {
  while (!waiting_.empty() && static_cast<int32_t>(running_.size()) < options_.max_running) {
    Sequence& next = waiting_.front();
    const int32_t n_blocks = BlocksFor(next.full_length);
    // Strictly in order: a long request is not overtaken for ever by short ones.
    Result<std::vector<BlockId>> blocks = pool_->Allocate(n_blocks);
    if (!blocks) return;
    next.blocks = std::move(*blocks);
    running_.push_back(std::move(next));
    waiting_.pop_front();
  }
}

Scheduler::Part Scheduler::MakePart(const Sequence& sequence, int32_t n_tokens) const {
  Part part;
  part.id = sequence.id;
  part.samples = n_tokens == sequence.pending();
  part.chunk.tokens = std::span(sequence.tokens).subspan(sequence.computed, n_tokens);
  part.chunk.position = sequence.computed;
  part.chunk.blocks = sequence.blocks;
  part.chunk.logits = part.samples ? SequenceChunk::Logits::kLast : SequenceChunk::Logits::kNone;
  return part;
}

std::vector<Scheduler::Part> Scheduler::Plan() {
  Admit();
  std::vector<Part> parts;
  int32_t budget = options_.step_tokens;
  for (const Sequence& sequence : running_) {
    if (sequence.pending() != 1) continue;
    parts.push_back(MakePart(sequence, 1));
    --budget;
  }
  for (const Sequence& sequence : running_) {
    if (sequence.pending() <= 1 || budget == 0) continue;
    const int32_t n_tokens = std::min(sequence.pending(), budget);
    parts.push_back(MakePart(sequence, n_tokens));
    budget -= n_tokens;
  }
  return parts;
}

Scheduler::Sequence* Scheduler::FindRunning(SequenceId id) {
  const auto found =
      std::ranges::find_if(running_, [id](const Sequence& sequence) { return sequence.id == id; });
  return found == running_.end() ? nullptr : &*found;
}

void Scheduler::Computed(const Part& part) {
  Sequence* sequence = FindRunning(part.id);
  if (sequence != nullptr) sequence->computed += static_cast<int32_t>(part.chunk.tokens.size());
}

bool Scheduler::Append(SequenceId id, TokenId token) {
  Sequence* sequence = FindRunning(id);
  if (sequence == nullptr) return false;
  if (static_cast<int32_t>(sequence->tokens.size()) == sequence->full_length) return false;
  sequence->tokens.push_back(token);
  return static_cast<int32_t>(sequence->tokens.size()) < sequence->full_length;
}

}  // namespace skerry::engine
