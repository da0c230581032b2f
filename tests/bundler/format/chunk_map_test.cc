#include "bundler/format/chunk_map.h"

#include <gtest/gtest.h>

#include "bundler/format/layout.h"

namespace skerry::format {
namespace {

ChunkMap MapOf(const std::vector<uint64_t>& sizes) {
  std::vector<FileEntry> files;
  for (const uint64_t size : sizes) files.push_back({"f", size, {}, {}});
  return ChunkMap(files);
}

TEST(ChunkMapTest, NumbersThroughAllFilesWithOneForAnEmptyFile) {
  const ChunkMap map = MapOf({0, 1, kChunkBytes, kChunkBytes + 1, 0, 3 * kChunkBytes});
  EXPECT_EQ(map.count(), 1U + 1 + 1 + 2 + 1 + 3);
  EXPECT_EQ(map.LargestBytes(), kChunkBytes);
  struct Row {
    uint64_t chunk;
    size_t file_idx;
    uint64_t chunk_idx;
    size_t size;
  };
  const Row rows[] = {{0, 0, 0, 0}, {1, 1, 0, 1}, {2, 2, 0, kChunkBytes}, {3, 3, 0, kChunkBytes},
                      {4, 3, 1, 1}, {5, 4, 0, 0}, {6, 5, 0, kChunkBytes}, {8, 5, 2, kChunkBytes}};
  for (const Row& row : rows) {
    const ChunkPlace place = map.At(row.chunk);
    EXPECT_EQ(place.file_idx, row.file_idx) << row.chunk;
    EXPECT_EQ(place.chunk_idx, row.chunk_idx) << row.chunk;
    EXPECT_EQ(place.offset, row.chunk_idx * kChunkBytes) << row.chunk;
    EXPECT_EQ(place.size, row.size) << row.chunk;
    EXPECT_TRUE(map.Of(row.file_idx).Contains(row.chunk)) << row.chunk;
  }
  EXPECT_EQ(map.Of(3).first, 3U);
  EXPECT_EQ(map.Of(3).last, 5U);
  EXPECT_EQ(map.Of(5).last, map.count());
}

TEST(ChunkMapTest, SmallFilesNeedSmallBuffers) {
  EXPECT_EQ(MapOf({5, 0, 17}).LargestBytes(), 17U);
  EXPECT_EQ(MapOf({0}).LargestBytes(), 0U);
  EXPECT_EQ(MapOf({0}).count(), 1U);
}

}  // namespace
}  // namespace skerry::format
