// Fuzz target: the hash tree. Leaves (32 bytes each) have the root of RFC 6962's definition, and a
// leaf hashed in pieces is the leaf.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "bundler/format/layout.h"
#include "bundler/format/tree.h"

namespace {

using skerry::Sha256;
using skerry::Sha256Digest;

Sha256Digest ByDefinition(std::span<const Sha256Digest> leaves) {
  if (leaves.empty()) return Sha256::Of(std::string_view());
  if (leaves.size() == 1) return leaves[0];
  size_t left = 1;
  while (left * 2 < leaves.size()) left *= 2;
  Sha256 node;
  const uint8_t prefix = 1;
  node.Update({&prefix, 1});
  node.Update(ByDefinition(leaves.first(left)).bytes);
  node.Update(ByDefinition(leaves.subspan(left)).bytes);
  return node.Finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::format;
  std::vector<Sha256Digest> leaves(size / sizeof(Sha256Digest::bytes));
  for (size_t i = 0; i < leaves.size(); ++i) {
    std::memcpy(leaves[i].bytes.data(), data + i * leaves[i].bytes.size(), leaves[i].bytes.size());
  }
  if (TreeRoot(leaves) != ByDefinition(leaves)) abort();

  const std::span<const uint8_t> content(data, size);
  LeafHasher pieces;
  const size_t step = size == 0 ? 1 : 1 + data[0];
  for (size_t at = 0; at < size; at += step) {
    pieces.Update(content.subspan(at, std::min(step, size - at)));
  }
  if (pieces.Finish() != LeafHash(content)) abort();

  uint64_t file_bytes = 0;
  for (size_t i = 0; i < 8 && i < size; ++i) file_bytes = file_bytes << 8 | data[i];
  file_bytes %= kMaxDataBytes;
  const uint64_t count = ChunkCount(file_bytes);
  if (count > 0 && (count - 1) * kChunkBytes + ChunkSize(file_bytes, count - 1) != file_bytes) {
    abort();
  }
  return 0;
}
