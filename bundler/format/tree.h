// The hash tree over a file (RFC 6962 section 2.1, SHA-256, leaves of 4 MiB): a chunk is checked as
// soon as it is read, and its place is bound by the tree.
#pragma once

#include <cstdint>
#include <span>

#include "appliance/base/sha256.h"

namespace skerry::format {

// Number of leaves of a file of `size` bytes; none for an empty one.
uint64_t ChunkCount(uint64_t size);
// Bytes in leaf `chunk_idx`.
size_t ChunkSize(uint64_t size, uint64_t chunk_idx);

// SHA-256(0x00 | data).
Sha256Digest LeafHash(std::span<const uint8_t> data);

// The same of data that comes in pieces. One thread.
class LeafHasher {
 public:
  LeafHasher();
  void Update(std::span<const uint8_t> piece) { hash_.Update(piece); }
  Sha256Digest Finish() { return hash_.Finish(); }

 private:
  Sha256 hash_;
};

// SHA-256(0x01 | left | right) up to the root; the root of no leaves is SHA-256 of nothing.
Sha256Digest TreeRoot(std::span<const Sha256Digest> leaves);

}  // namespace skerry::format
