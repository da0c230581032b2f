// Which cache blocks are free, how many owners each of the others has, and which full blocks can be
// found again by name. A block is shared when sequences begin alike. One that has lost its last
// owner but has a name is idle: it counts as free, and is given away when no nameless one is left,
// the one that has been idle for longest first.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "appliance/base/result.h"
#include "engine/cache/block_name.h"
#include "engine/device/ids.h"

namespace skerry::engine {

// One thread.
class BlockPool {
 public:
  explicit BlockPool(int32_t n_blocks);  // ids 0 .. n_blocks-1, all free; a negative number is 0

  int32_t n_blocks() const { return static_cast<int32_t>(blocks_.size()); }
  // Those that Allocate may give, idle ones included.
  int32_t n_free() const { return static_cast<int32_t>(free_.size()) + n_idle_; }
  int32_t n_idle() const { return n_idle_; }

  // Whether Allocate(n) would succeed; changes nothing.
  bool CanAllocate(int32_t n) const { return n <= n_free(); }
  // `n` blocks with one owner each; kExhausted when there are not that many (then none is taken),
  // kInvalidArgument when n is negative.
  Result<std::vector<BlockId>> Allocate(int32_t n);

  // One more owner; an idle block has one again. kInvalidArgument for a nameless block without an
  // owner or one that does not exist.
  Result<void> Retain(BlockId block);
  // One owner less for each block; those without an owner are free or idle, the last of the list
  // first in line to be given away. kInvalidArgument, changing nothing, when a block is freed more
  // often than it is owned.
  Result<void> Free(std::span<const BlockId> blocks);
  int32_t References(BlockId block) const;  // 0: free, idle, or no such block

  // Gives an owned block a name, for what it holds is complete and stays. Nothing happens when it
  // has one already or another block has this one.
  void Name(BlockId block, const BlockName& name);
  // The block of that name; Retain makes it the caller's.
  std::optional<BlockId> Find(const BlockName& name) const;

  // Blocks that hold `n_tokens` tokens.
  static int32_t BlocksFor(int64_t n_tokens) {
    return static_cast<int32_t>((n_tokens + kBlockTokens - 1) / kBlockTokens);
  }

 private:
  static constexpr BlockId kNone = -1;

  struct Block {
    int32_t references = 0;
    bool named = false;
    BlockName name;
    // Neighbours among the idle ones.
    BlockId before = kNone;
    BlockId after = kNone;
  };
  // A digest's bytes are as good as random.
  struct NameHash {
    size_t operator()(const BlockName& name) const {
      size_t value = 0;
      std::memcpy(&value, name.bytes.data(), sizeof value);
      return value;
    }
  };

  bool Exists(BlockId block) const { return block >= 0 && block < n_blocks(); }
  void PutIdle(BlockId block);
  void TakeIdle(BlockId block);

  std::vector<Block> blocks_;
  std::vector<BlockId> free_;  // without a name; the last one is taken first
  int32_t n_idle_ = 0;
  BlockId longest_idle_ = kNone;
  BlockId newest_idle_ = kNone;
  std::unordered_map<BlockName, BlockId, NameHash> by_name_;
};

}  // namespace skerry::engine
