#include "bundler/format/tree.h"

#include <algorithm>
#include <bit>

#include "bundler/format/layout.h"

namespace skerry::format {

uint64_t ChunkCount(uint64_t size) { return size / kChunkBytes + (size % kChunkBytes != 0); }

size_t ChunkSize(uint64_t size, uint64_t chunk_idx) {
  return static_cast<size_t>(std::min<uint64_t>(kChunkBytes, size - chunk_idx * kChunkBytes));
}

LeafHasher::LeafHasher() {
  constexpr uint8_t kLeaf = 0x00;
  hash_.Update(std::span(&kLeaf, 1));
}

Sha256Digest LeafHash(std::span<const uint8_t> data) {
  LeafHasher hasher;
  hasher.Update(data);
  return hasher.Finish();
}

Sha256Digest TreeRoot(std::span<const Sha256Digest> leaves) {
  if (leaves.empty()) return Sha256::Of(std::span<const uint8_t>());
  if (leaves.size() == 1) return leaves[0];
  // The left part has the largest power of two that leaves something for the right; depth is
  // log2(n).
  const size_t left_count = std::bit_floor(leaves.size() - 1);
  const Sha256Digest left = TreeRoot(leaves.first(left_count));
  const Sha256Digest right = TreeRoot(leaves.subspan(left_count));
  constexpr uint8_t kNode = 0x01;
  Sha256 hash;
  hash.Update(std::span(&kNode, 1));
  hash.Update(left.bytes);
  hash.Update(right.bytes);
  return hash.Finish();
}

}  // namespace skerry::format
