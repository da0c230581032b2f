// Which of the waiting sequences runs next, and the blocks it begins with.
#include <algorithm>
#include <unordered_set>

#include "engine/scheduler/internal/sequence.h"

namespace skerry::engine {
namespace {

// So many others may pass a sequence whose blocks are not free; then it is next.
constexpr int32_t kMaxOvertaken = 8;

}  // namespace

// A choice whose first sibling still computes the prompt both share.
bool Scheduler::HeldBack(const Sequence& sequence) const {
  const Sequence* first = sequence.spec.after == 0 ? nullptr : Find(sequence.spec.after);
  return first != nullptr && first->n_tokens() == first->prompt_length &&
         first->computed < first->prompt_length;
}

// Of the best priority, the tenant that is behind; of that, the first to arrive.
Scheduler::Sequence* Scheduler::NextCandidate(std::span<Sequence* const> passed_over) const {
  Sequence* best = nullptr;
  for (Sequence* sequence : waiting_) {
    if (best != nullptr && sequence->spec.priority != best->spec.priority) break;
    if (best != nullptr && !sequence->GoesBefore(*best)) continue;
    if (std::ranges::find(passed_over, sequence) != passed_over.end()) continue;
    if (!HeldBack(*sequence)) best = sequence;
  }
  return best;
}

void Scheduler::Admit() {
  std::vector<Sequence*> passed_over;
  while (Sequence* next = NextCandidate(passed_over)) {
    if (TryAdmit(*next)) {
      for (Sequence* sequence : passed_over) ++sequence->n_overtaken;
      continue;
    }
    // Thrown out or passed often enough: nobody goes before it any more.
    const bool patient = next->n_preemptions == 0 && next->n_overtaken < kMaxOvertaken;
    if (!patient || static_cast<int32_t>(running_.size()) >= options_.max_running) return;
    passed_over.push_back(next);
    if (static_cast<int32_t>(passed_over.size()) > kMaxOvertaken) return;
  }
}

// Whether it would run if all of a worse priority gave way.
bool Scheduler::CanMakeRoom(const Sequence& sequence) const {
  int32_t n_places = options_.max_running - static_cast<int32_t>(running_.size());
  int32_t n_blocks = pool_->n_free();
  for (const Sequence* other : running_) {
    if (other->spec.priority <= sequence.spec.priority) continue;
    ++n_places;
    // Blocks that others share stay taken.
    for (const BlockId block : other->blocks) n_blocks += pool_->References(block) == 1 ? 1 : 0;
  }
  return n_places > 0 && n_blocks >= BlocksFor(sequence.n_tokens());
}

bool Scheduler::TryAdmit(Sequence& sequence) {
  const auto full = [&] { return static_cast<int32_t>(running_.size()) >= options_.max_running; };
  if (!full() && TakeBlocks(sequence)) return true;
  if (!CanMakeRoom(sequence)) return false;
  while (full() || !TakeBlocks(sequence)) {
    const auto worst = std::ranges::max_element(
        running_, [](const Sequence* a, const Sequence* b) { return a->Outranks(*b); });
    if (worst == running_.end() || (*worst)->spec.priority <= sequence.spec.priority) return false;
    Preempt(**worst);
  }
  return true;
}

// Finds the sequence's beginning in the cache and takes the rest of its blocks; then it runs.
bool Scheduler::TakeBlocks(Sequence& sequence) {
  // One token is computed in any case: its logits are wanted.
  const int32_t n_findable =
      sequence.spec.all_logits ? 0 : (sequence.n_tokens() - 1) / block_tokens_;
  std::vector<BlockId> blocks;
  for (int32_t i = 0; i < n_findable; ++i) {
    NameBlocks(sequence, i + 1);
    const std::optional<BlockId> found = pool_->Find(sequence.names[i]);
    if (!found) break;
    (void)pool_->Retain(*found);  // a block that was found can be shared
    blocks.push_back(*found);
  }
  const auto n_found = static_cast<int32_t>(blocks.size());
  const int32_t n_missing = BlocksFor(sequence.n_tokens()) - n_found;
  // Those that run can each grow by one block before the next admission is considered.
  const auto headroom = static_cast<int32_t>(running_.size());
  if (!pool_->CanAllocate(n_missing + headroom)) {
    (void)pool_->Free(blocks);
    return false;
  }
  const std::vector<BlockId> fresh = pool_->Allocate(n_missing).value();
  blocks.insert(blocks.end(), fresh.begin(), fresh.end());
  sequence.blocks = std::move(blocks);
  sequence.tenant->n_blocks += static_cast<int64_t>(sequence.blocks.size());
  sequence.computed = n_found * block_tokens_;
  if (!sequence.was_admitted) {
    sequence.was_admitted = true;
    sequence.cached_tokens = sequence.computed;
    counts_.prefix_queries += sequence.prompt_length;
    counts_.prefix_hits += sequence.computed;
    sequence.tenant->Serve(kPromptTokenService * (sequence.prompt_length - sequence.computed));
  }
  std::erase(waiting_, &sequence);
  sequence.running = true;
  running_.push_back(&sequence);
  return true;
}

}  // namespace skerry::engine
