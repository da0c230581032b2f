// Which cache blocks are free, and how many owners each of the others has. A block is shared when
// two sequences begin alike; it is free again when the last owner gave it up.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "appliance/base/result.h"
#include "engine/device/ids.h"

namespace skerry::engine {

// One thread.
class BlockPool {
 public:
  explicit BlockPool(int32_t n_blocks);  // ids 0 .. n_blocks-1, all free; a negative number is 0

  int32_t n_blocks() const { return static_cast<int32_t>(references_.size()); }
  int32_t n_free() const { return static_cast<int32_t>(free_.size()); }

  // Whether Allocate(n) would succeed; changes nothing.
  bool CanAllocate(int32_t n) const { return n <= n_free(); }
  // `n` blocks with one owner each; kExhausted when there are not that many (then none is taken),
  // kInvalidArgument when n is negative.
  Result<std::vector<BlockId>> Allocate(int32_t n);

  // One more owner. kInvalidArgument for a block that is free or does not exist.
  Result<void> Retain(BlockId block);
  // One owner less for each block; those without an owner are free again. kInvalidArgument,
  // changing nothing, when a block is freed more often than it is owned.
  Result<void> Free(std::span<const BlockId> blocks);
  int32_t References(BlockId block) const;  // 0: free, or no such block

  // Blocks that hold `n_tokens` tokens.
  static int32_t BlocksFor(int64_t n_tokens) {
    return static_cast<int32_t>((n_tokens + kBlockTokens - 1) / kBlockTokens);
  }

 private:
  bool Exists(BlockId block) const { return block >= 0 && block < n_blocks(); }

  std::vector<int32_t> references_;  // by block
  std::vector<BlockId> free_;        // the last one is taken first
};

}  // namespace skerry::engine
