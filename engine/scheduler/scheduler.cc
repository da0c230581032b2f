#include "engine/scheduler/scheduler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/scheduler/internal/sequence.h"

namespace skerry::engine {

Scheduler::Scheduler(const SchedulerOptions& options, BlockPool& pool, int32_t block_tokens)
    : options_(options), pool_(&pool), block_tokens_(block_tokens) {
  SetStepTokens(options_.step_tokens);
}

Scheduler::~Scheduler() = default;

void Scheduler::SetStepTokens(int32_t step_tokens) {
  options_.step_tokens = std::max(step_tokens, options_.max_running);
}

int32_t Scheduler::max_sequence_tokens() const {
  const int64_t tokens = static_cast<int64_t>(pool_->n_blocks()) * block_tokens_;
  return static_cast<int32_t>(std::min<int64_t>(tokens, std::numeric_limits<int32_t>::max()));
}

Scheduler::Sequence* Scheduler::Find(SequenceId id) const {
  const auto found = sequences_.find(id);
  return found == sequences_.end() ? nullptr : found->second.get();
}

Result<void> Scheduler::Add(SequenceSpec spec) {
  const int64_t full = static_cast<int64_t>(spec.prompt.size()) + std::max(spec.max_new, 0);
  if (spec.prompt.empty()) return Error(ErrorCode::kInvalidArgument, "the prompt has no tokens");
  if (sequences_.contains(spec.id)) {
    return Error(ErrorCode::kInvalidArgument,
                 "sequence " + std::to_string(spec.id) + " exists already");
  }
  if (full > max_sequence_tokens()) {
    return Error(ErrorCode::kInvalidArgument, std::to_string(full) +
                                                  " tokens do not fit into the cache of " +
                                                  std::to_string(max_sequence_tokens()));
  }
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = std::move(spec.prompt);
  sequence->prompt_length = sequence->n_tokens();
  sequence->full_length = static_cast<int32_t>(full);
  sequence->spec = std::move(spec);
  sequence->tenant = &tenants_.Enter(sequence->spec.tenant, sequence->spec.weight);
  sequence->arrival = next_arrival_++;
  Enqueue(*sequence);
  sequences_[sequence->spec.id] = std::move(sequence);
  return {};
}

void Scheduler::Enqueue(Sequence& sequence) {
  const auto place =
      std::ranges::upper_bound(waiting_, &sequence, [](const Sequence* a, const Sequence* b) {
        if (a->spec.priority != b->spec.priority) return a->spec.priority < b->spec.priority;
        return a->arrival < b->arrival;
      });
  waiting_.insert(place, &sequence);
}

// Blocks are freed and the sequence is in neither list.
void Scheduler::Release(Sequence& sequence) {
  // Its blocks have this owner, so this cannot fail.
  (void)pool_->Free(sequence.blocks);
  sequence.tenant->n_blocks -= static_cast<int64_t>(sequence.blocks.size());
  sequence.blocks.clear();
  sequence.computed = 0;
  std::erase(sequence.running ? running_ : waiting_, &sequence);
  sequence.running = false;
}

bool Scheduler::Remove(SequenceId id) {
  Sequence* sequence = Find(id);
  if (sequence == nullptr) return false;
  Release(*sequence);
  tenants_.Leave(*sequence->tenant);
  sequences_.erase(id);
  return true;
}

void Scheduler::Preempt(Sequence& sequence) {
  Release(sequence);
  ++sequence.n_preemptions;
  ++counts_.preemptions;
  Enqueue(sequence);
}

// Half of what is left beside the generating sequences goes to the first prompt, the other half
// evenly to the rest, so that a long prompt does not keep short ones waiting; what somebody does
// not need goes to the first ones.
void Scheduler::ShareBudget() {
  int32_t budget = options_.step_tokens;
  std::vector<Sequence*> prompts;
  int32_t logit_rows = kMaxPromptLogitRows;
  for (Sequence* sequence : running_) {
    sequence->planned = sequence->generates() ? 1 : 0;
    budget -= sequence->planned;
    if (!sequence->generates()) prompts.push_back(sequence);
  }
  std::ranges::sort(prompts,
                    [](const Sequence* a, const Sequence* b) { return a->GoesBefore(*b); });
  const auto give = [&](Sequence& sequence, int32_t n_tokens) {
    n_tokens = std::min({n_tokens, sequence.pending() - sequence.planned, budget});
    if (sequence.spec.all_logits && sequence.computed < sequence.prompt_length) {
      n_tokens = std::min(n_tokens, logit_rows);
      logit_rows -= n_tokens;
    }
    sequence.planned += n_tokens;
    budget -= n_tokens;
  };
  if (prompts.size() > 1) {
    const auto n_others = static_cast<int32_t>(prompts.size()) - 1;
    const int32_t each = std::max(budget / 2 / n_others, 1);
    int32_t others = budget / 2;
    for (size_t i = 1; i < prompts.size() && others > 0; ++i) {
      give(*prompts[i], std::min(each, others));
      others -= prompts[i]->planned;
    }
  }
  for (Sequence* sequence : prompts) give(*sequence, budget);
}

// The only place where a running sequence takes a block: the others it has since its admission.
void Scheduler::FindBlocksForGrowth() {
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    const int32_t needed = BlocksFor(sequence.computed + sequence.planned);
    while (static_cast<int32_t>(sequence.blocks.size()) < needed) {
      if (pool_->CanAllocate(1)) {
        const std::vector<BlockId> block = pool_->Allocate(1).value();
        sequence.blocks.push_back(block[0]);
        ++sequence.tenant->n_blocks;
      } else if (i + 1 < running_.size()) {
        Preempt(*running_.back());
      } else {
        sequence.planned = 0;  // pauses until others have ended
        break;
      }
    }
  }
}

int32_t Scheduler::Part::n_logits() const {
  if (chunk.logits == SequenceChunk::Logits::kAll) return static_cast<int32_t>(chunk.tokens.size());
  return chunk.logits == SequenceChunk::Logits::kLast ? 1 : 0;
}

Scheduler::Part Scheduler::MakePart(const Sequence& sequence) const {
  Part part;
  part.id = sequence.spec.id;
  part.samples = sequence.planned == sequence.pending();
  part.chunk.tokens = std::span(sequence.tokens).subspan(sequence.computed, sequence.planned);
  part.chunk.position = sequence.computed;
  part.chunk.blocks = sequence.blocks;
  part.chunk.logits = part.samples ? SequenceChunk::Logits::kLast : SequenceChunk::Logits::kNone;
  if (sequence.spec.all_logits && sequence.computed < sequence.prompt_length) {
    part.chunk.logits = SequenceChunk::Logits::kAll;
  }
  return part;
}

std::vector<Scheduler::Part> Scheduler::Plan() {
  Admit();
  std::ranges::sort(running_, [](const Sequence* a, const Sequence* b) { return a->Outranks(*b); });
  ShareBudget();
  FindBlocksForGrowth();
  std::vector<Part> parts;
  for (const bool generating : {true, false}) {
    for (const Sequence* sequence : running_) {
      if (sequence->planned > 0 && sequence->generates() == generating) {
        parts.push_back(MakePart(*sequence));
      }
    }
  }
  return parts;
}

// Names of the sequence's first `n_blocks` full blocks.
void Scheduler::NameBlocks(Sequence& sequence, int32_t n_blocks) {
  while (static_cast<int32_t>(sequence.names.size()) < n_blocks) {
    const BlockName& parent = sequence.names.empty() ? sequence.spec.root : sequence.names.back();
    sequence.names.push_back(NextName(
        parent,
        std::span(sequence.tokens).subspan(sequence.names.size() * block_tokens_, block_tokens_)));
  }
}

void Scheduler::Computed(const Part& part) {
  Sequence* sequence = Find(part.id);
  if (sequence == nullptr || !sequence->running) return;
  const int32_t full_before = sequence->computed / block_tokens_;
  sequence->computed += static_cast<int32_t>(part.chunk.tokens.size());
  const int32_t full_now = sequence->computed / block_tokens_;
  NameBlocks(*sequence, full_now);
  for (int32_t i = full_before; i < full_now; ++i) {
    pool_->Name(sequence->blocks[i], sequence->names[i]);
  }
}

bool Scheduler::Append(SequenceId id, TokenId token) {
  Sequence* sequence = Find(id);
  if (sequence == nullptr || sequence->n_tokens() == sequence->full_length) return false;
  sequence->tokens.push_back(token);
  sequence->tenant->Serve(kGeneratedTokenService);
  return sequence->n_tokens() < sequence->full_length;
}

int32_t Scheduler::cached_tokens(SequenceId id) const {
  const Sequence* sequence = Find(id);
  return sequence == nullptr ? 0 : sequence->cached_tokens;
}

std::vector<SequenceId> Scheduler::Waiting() const {
  std::vector<SequenceId> ids;
  ids.reserve(waiting_.size());
  for (const Sequence* sequence : waiting_) ids.push_back(sequence->spec.id);
  return ids;
}

}  // namespace skerry::engine
