// The numbers of a bundle's chunks: those of all files through, in the order of the manifest. An
// empty file counts as one chunk of no bytes, so that every file belongs to some range of chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bundler/format/manifest.h"

namespace skerry::format {

// Where one chunk belongs.
struct ChunkPlace {
  size_t file_idx = 0;
  uint64_t chunk_idx = 0;  // in the file
  uint64_t offset = 0;     // in the file, bytes
  size_t size = 0;         // bytes; 0 for the one chunk of an empty file
};

// Chunks from `first` up to, without, `last`.
struct ChunkRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t count() const { return last - first; }
  bool Contains(uint64_t chunk) const { return chunk >= first && chunk < last; }
};

class ChunkMap {
 public:
  ChunkMap() = default;
  explicit ChunkMap(std::span<const FileEntry> files);

  uint64_t count() const { return count_; }
  // `chunk` < count().
  ChunkPlace At(uint64_t chunk) const;
  // All chunks of a file; at least one.
  ChunkRange Of(size_t file_idx) const;
  size_t LargestBytes() const { return largest_bytes_; }

 private:
  struct Start {
    uint64_t first_chunk = 0;
    uint64_t file_bytes = 0;
  };
  std::vector<Start> files_;
  uint64_t count_ = 0;
  size_t largest_bytes_ = 0;
};

}  // namespace skerry::format
