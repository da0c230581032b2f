#include "engine/cache/block_pool.h"

#include <algorithm>
#include <string>

namespace skerry::engine {

BlockPool::BlockPool(int32_t n_blocks) : blocks_(std::max(n_blocks, 0)) {
  free_.reserve(blocks_.size());
  for (int32_t block = this->n_blocks() - 1; block >= 0; --block) free_.push_back(block);
}

void BlockPool::PutIdle(BlockId block) {
  blocks_[block].before = newest_idle_;
  blocks_[block].after = kNone;
  (newest_idle_ == kNone ? longest_idle_ : blocks_[newest_idle_].after) = block;
  newest_idle_ = block;
  ++n_idle_;
}

void BlockPool::TakeIdle(BlockId block) {
  const BlockId before = blocks_[block].before;
  const BlockId after = blocks_[block].after;
  (before == kNone ? longest_idle_ : blocks_[before].after) = after;
  (after == kNone ? newest_idle_ : blocks_[after].before) = before;
  --n_idle_;
}

Result<std::vector<BlockId>> BlockPool::Allocate(int32_t n) {
  if (n < 0) return Error(ErrorCode::kInvalidArgument, "a negative number of cache blocks");
  if (!CanAllocate(n)) {
    return Error(ErrorCode::kExhausted, std::to_string(n) + " cache blocks wanted, " +
                                            std::to_string(n_free()) + " of " +
                                            std::to_string(n_blocks()) + " are free");
  }
  std::vector<BlockId> taken;
  taken.reserve(n);
  while (static_cast<int32_t>(taken.size()) < n) {
    BlockId block = longest_idle_;
    if (!free_.empty()) {
      block = free_.back();
      free_.pop_back();
    } else {
      TakeIdle(block);
      by_name_.erase(blocks_[block].name);
      blocks_[block].named = false;
    }
    blocks_[block].references = 1;
    taken.push_back(block);
  }
  return taken;
}

Result<void> BlockPool::Retain(BlockId block) {
  if (!Exists(block) || (blocks_[block].references == 0 && !blocks_[block].named)) {
    return Error(ErrorCode::kInvalidArgument,
                 "cache block " + std::to_string(block) + " has no owner to share it with");
  }
  if (blocks_[block].references == 0) TakeIdle(block);
  ++blocks_[block].references;
  return {};
}

Result<void> BlockPool::Free(std::span<const BlockId> blocks) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (References(blocks[i]) > 0) {
      --blocks_[blocks[i]].references;
      continue;
    }
    while (i > 0) ++blocks_[blocks[--i]].references;  // as it was
    return Error(ErrorCode::kInvalidArgument, "a cache block is freed that has no owner");
  }
  // In reverse: a sequence's first block is the next nameless one taken, and what stays of its
  // named ones is a beginning. The mark keeps a block that is listed twice from being freed twice.
  constexpr int32_t kFreed = -1;
  for (size_t i = blocks.size(); i-- > 0;) {
    Block& block = blocks_[blocks[i]];
    if (block.references != 0) continue;
    block.references = kFreed;
    if (block.named) {
      PutIdle(blocks[i]);
    } else {
      free_.push_back(blocks[i]);
    }
  }
  for (const BlockId block : blocks) {
    blocks_[block].references = std::max(blocks_[block].references, 0);
  }
  return {};
}

int32_t BlockPool::References(BlockId block) const {
  return Exists(block) ? blocks_[block].references : 0;
}

void BlockPool::Name(BlockId block, const BlockName& name) {
  if (References(block) == 0 || blocks_[block].named) return;
  if (!by_name_.try_emplace(name, block).second) return;
  blocks_[block].named = true;
  blocks_[block].name = name;
}

std::optional<BlockId> BlockPool::Find(const BlockName& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

}  // namespace skerry::engine
