#include "bundler/format/volume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/format/layout.h"
#include "bundler/format/tar.h"

namespace skerry::format {
namespace {

using ::testing::HasSubstr;

TEST(VolumeTest, CountsAndRangesFollowTheFormat) {
  const Volume first{1, 4}, last{3, 4};
  EXPECT_EQ(first.Count(10), 3U);
  EXPECT_EQ(first.Count(8), 2U);
  EXPECT_EQ(first.Range(10).first, 0U);
  EXPECT_EQ(first.Range(10).last, 4U);
  EXPECT_EQ(last.Range(10).first, 8U);
  EXPECT_EQ(last.Range(10).last, 10U);
}

TEST(VolumeTest, ImpossibleOnesAreRefused) {
  EXPECT_TRUE(CheckVolume({1, 1}, 2));
  EXPECT_TRUE(CheckVolume({1000, 1}, 1000));
  EXPECT_FALSE(CheckVolume({1, 1}, 1001)) << "1001 volumes";
  EXPECT_FALSE(CheckVolume({1, 2}, 2)) << "all chunks";
  EXPECT_FALSE(CheckVolume({1, 1}, 1)) << "nothing to cut";
  EXPECT_FALSE(CheckVolume({4, 4}, 10));
  EXPECT_FALSE(CheckVolume({0, 4}, 10));
  EXPECT_FALSE(CheckVolume({1, 0}, 10));
  EXPECT_FALSE(CheckVolume({~uint64_t{0} >> 11, ~uint64_t{0} >> 11}, 10));
}

TEST(VolumeTest, OneSpelling) {
  const Volume volume{12, 345};
  const std::string text = SerializeVolume(volume);
  EXPECT_EQ(text, "{\"chunks\":345,\"number\":12}");
  EXPECT_EQ(ParseVolume(text).value(), volume);
  for (const char* bad :
       {"", "{}", "[]", "{\"chunks\":345,\"number\":12}\n", "{\"chunks\": 345,\"number\":12}",
        "{\"number\":12,\"chunks\":345}", "{\"chunks\":345}", "{\"chunks\":0,\"number\":12}",
        "{\"chunks\":345,\"number\":-1}", "{\"chunks\":345,\"number\":12,\"of\":13}",
        "{\"chunks\":3.45e2,\"number\":12}", "{\"chunks\":345,\"number\":\"12\"}",
        "{\"chunks\":345,\"number\":012}", "{\"chunks\":345,\"chunks\":345,\"number\":12}"}) {
    const Result<Volume> parsed = ParseVolume(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kCorrupt) << bad;
    EXPECT_THAT(parsed.error().message(), HasSubstr("meta/volume")) << bad;
  }
}

// Files of 1, 0, 3 and 2 chunks.
ChunkMap Example() {
  const std::vector<FileEntry> files = {{"a", 10, {}, {}},
                                        {"b", 0, {}, {}},
                                        {"c", 2 * kChunkBytes + 7, {}, {}},
                                        {"d", 2 * kChunkBytes, {}, {}}};
  return ChunkMap(files);
}

TEST(DataLayoutTest, AWholeBundleHasEachFileAsOneMember) {
  const DataLayout layout(Example(), std::nullopt);
  ASSERT_EQ(layout.members().size(), 4U);
  EXPECT_EQ(layout.members()[2].name, "data/000002");
  EXPECT_EQ(layout.members()[2].size, 2 * kChunkBytes + 7);
  EXPECT_EQ(layout.members()[2].offset, TarMemberBytes(10) + TarMemberBytes(0));
  EXPECT_EQ(layout.OffsetOf(3), layout.members()[2].offset + 512 + kChunkBytes);
  EXPECT_EQ(layout.data_bytes(), 10 + 4 * kChunkBytes + 7);
  EXPECT_EQ(layout.bytes(), TarMemberBytes(10) + TarMemberBytes(0) +
                                TarMemberBytes(2 * kChunkBytes + 7) +
                                TarMemberBytes(2 * kChunkBytes));
}

TEST(DataLayoutTest, AVolumeNamesMembersByTheirFirstChunk) {
  const DataLayout first(Example(), Volume{1, 4}), second(Example(), Volume{2, 4});
  ASSERT_EQ(first.members().size(), 3U);
  EXPECT_EQ(first.members()[1].name, "data/000001/0000000");
  EXPECT_EQ(first.members()[1].size, 0U);
  EXPECT_EQ(first.members()[2].name, "data/000002/0000000");
  EXPECT_EQ(first.members()[2].size, 2 * kChunkBytes);
  ASSERT_EQ(second.members().size(), 2U);
  EXPECT_EQ(second.members()[0].name, "data/000002/0000002");
  EXPECT_EQ(second.members()[0].size, 7U);
  EXPECT_EQ(second.members()[1].name, "data/000003/0000000");
  EXPECT_EQ(second.OffsetOf(4), 512U);
  EXPECT_EQ(second.OffsetOf(6), 1024U + 512 + kChunkBytes);
  EXPECT_EQ(&second.MemberOf(6), &second.members()[1]);
  EXPECT_EQ(first.data_bytes() + second.data_bytes(), 10 + 4 * kChunkBytes + 7);
}

}  // namespace
}  // namespace skerry::format
