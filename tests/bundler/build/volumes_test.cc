#include "bundler/build/volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/format/layout.h"

namespace skerry::build {
namespace {

using ::testing::HasSubstr;

format::Manifest ManifestOf(const std::vector<uint64_t>& sizes) {
  format::Manifest manifest;
  for (const uint64_t size : sizes) {
    manifest.files.push_back({"f" + std::to_string(manifest.files.size()), size, {}, {}});
  }
  return manifest;
}

TEST(VolumeSizeTest, NamesUnitsAndRefusals) {
  EXPECT_EQ(ParseVolumeSize("fat32").value(), 4294967295U);
  EXPECT_EQ(ParseVolumeSize("dvd").value(), 4690000000U);
  EXPECT_EQ(ParseVolumeSize("bd25").value(), 25000000000U);
  EXPECT_EQ(ParseVolumeSize("4GB").value(), 4000000000U);
  EXPECT_EQ(ParseVolumeSize("700MB").value(), 700000000U);
  EXPECT_EQ(ParseVolumeSize("12345").value(), 12345U);
  for (const char* bad :
       {"", "GB", "4 GB", "-1", "4gb", "4GiB", "floppy", "9999999TB", "99999999999999999999"}) {
    EXPECT_EQ(ParseVolumeSize(bad).error().code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(VolumeNameTest, DigitsFollowTheCount) {
  EXPECT_EQ(VolumeName("x.skb", 3, 12), "x.03-of-12.skb");
  EXPECT_EQ(VolumeName("a/x.skb", 1, 2), "a/x.01-of-02.skb");
  EXPECT_EQ(VolumeName("x", 7, 100), "x.007-of-100.skb");
}

TEST(ChooseChunksTest, AsManyAsFitAndNoneLonger) {
  const format::Manifest manifest =
      ManifestOf({10 * format::kChunkBytes + 1, 0, 5, 3 * format::kChunkBytes, 100});
  const format::ChunkMap map(manifest.files);
  const uint64_t whole = ArchiveBytes(manifest, 1000, map, std::nullopt);
  EXPECT_EQ(ChooseChunks(manifest, 1000, map, whole).value(), 0U);
  auto longest = [&](uint64_t chunks) {
    uint64_t most = 0;
    for (uint64_t k = 1; k <= format::Volume{1, chunks}.Count(map.count()); ++k) {
      most = std::max(most, ArchiveBytes(manifest, 1000, map, format::Volume{k, chunks}));
    }
    return most;
  };
  for (uint64_t size = longest(1); size < whole; size += 1'000'000) {
    const uint64_t chunks = ChooseChunks(manifest, 1000, map, size).value();
    ASSERT_GE(chunks, 1U);
    ASSERT_LT(chunks, map.count());
    EXPECT_LE(longest(chunks), size);
    if (chunks + 1 < map.count()) {
      EXPECT_GT(longest(chunks + 1), size);
    }
  }
  const Result<uint64_t> small = ChooseChunks(manifest, 1000, map, longest(1) - 1);
  ASSERT_FALSE(small);
  EXPECT_THAT(small.error().message(),
              HasSubstr("smallest possible size is " + std::to_string(longest(1)) + " bytes"));
}

TEST(ChooseChunksTest, OneChunkCannotBeCut) {
  const format::Manifest manifest = ManifestOf({100});
  const format::ChunkMap map(manifest.files);
  EXPECT_THAT(ChooseChunks(manifest, 1000, map, 10'000).error().message(),
              HasSubstr("cannot be cut"));
}

TEST(ChooseChunksTest, AtMostAThousandVolumes) {
  const format::Manifest manifest = ManifestOf({3000 * format::kChunkBytes});
  const format::ChunkMap map(manifest.files);
  EXPECT_FALSE(ChooseChunks(manifest, 1000, map, 2 * format::kChunkBytes));
  const uint64_t chunks = ChooseChunks(manifest, 1000, map, 4 * format::kChunkBytes).value();
  EXPECT_EQ(chunks, 3U);
}

}  // namespace
}  // namespace skerry::build
