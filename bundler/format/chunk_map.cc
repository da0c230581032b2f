#include "bundler/format/chunk_map.h"

#include <algorithm>

#include "bundler/format/layout.h"
#include "bundler/format/tree.h"

namespace skerry::format {

ChunkMap::ChunkMap(std::span<const FileEntry> files) {
  files_.reserve(files.size());
  for (const FileEntry& entry : files) {
    files_.push_back({count_, entry.size});
    count_ += std::max<uint64_t>(1, ChunkCount(entry.size));
    if (entry.size > 0) largest_bytes_ = std::max(largest_bytes_, ChunkSize(entry.size, 0));
  }
}

ChunkPlace ChunkMap::At(uint64_t chunk) const {
  const auto after =
      std::upper_bound(files_.begin(), files_.end(), chunk,
                       [](uint64_t idx, const Start& start) { return idx < start.first_chunk; });
  const Start& start = *std::prev(after);
  ChunkPlace place;
  place.file_idx = static_cast<size_t>(std::prev(after) - files_.begin());
  place.chunk_idx = chunk - start.first_chunk;
  place.offset = place.chunk_idx * kChunkBytes;
  if (start.file_bytes > 0) place.size = ChunkSize(start.file_bytes, place.chunk_idx);
  return place;
}

ChunkRange ChunkMap::Of(size_t file_idx) const {
  return {files_[file_idx].first_chunk,
          file_idx + 1 < files_.size() ? files_[file_idx + 1].first_chunk : count_};
}

}  // namespace skerry::format
