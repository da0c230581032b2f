#include "engine/cache/block_pool.h"

#include <algorithm>
#include <string>

namespace skerry::engine {

BlockPool::BlockPool(int32_t n_blocks) : references_(std::max(n_blocks, 0), 0) {
  free_.reserve(references_.size());
  for (int32_t block = this->n_blocks() - 1; block >= 0; --block) free_.push_back(block);
}

Result<std::vector<BlockId>> BlockPool::Allocate(int32_t n) {
  if (n < 0) return Error(ErrorCode::kInvalidArgument, "a negative number of cache blocks");
  if (!CanAllocate(n)) {
    return Error(ErrorCode::kExhausted, std::to_string(n) + " cache blocks wanted, " +
                                            std::to_string(n_free()) + " of " +
                                            std::to_string(n_blocks()) + " are free");
  }
  std::vector<BlockId> blocks(free_.rbegin(), free_.rbegin() + n);
  free_.resize(free_.size() - n);
  for (const BlockId block : blocks) references_[block] = 1;
  return blocks;
}

Result<void> BlockPool::Retain(BlockId block) {
  if (References(block) == 0) {
    return Error(ErrorCode::kInvalidArgument,
                 "cache block " + std::to_string(block) + " has no owner to share it with");
  }
  ++references_[block];
  return {};
}

Result<void> BlockPool::Free(std::span<const BlockId> blocks) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (References(blocks[i]) > 0) {
      --references_[blocks[i]];
      continue;
    }
    while (i > 0) ++references_[blocks[--i]];  // as it was
    return Error(ErrorCode::kInvalidArgument, "a cache block is freed that has no owner");
  }
  // In reverse, so that a sequence's first block is the next one taken. The mark keeps a block that
  // is listed twice from being freed twice.
  constexpr int32_t kFreed = -1;
  for (size_t i = blocks.size(); i-- > 0;) {
    if (references_[blocks[i]] != 0) continue;
    references_[blocks[i]] = kFreed;
    free_.push_back(blocks[i]);
  }
  for (const BlockId block : blocks) references_[block] = std::max(references_[block], 0);
  return {};
}

int32_t BlockPool::References(BlockId block) const {
  return Exists(block) ? references_[block] : 0;
}

}  // namespace skerry::engine
