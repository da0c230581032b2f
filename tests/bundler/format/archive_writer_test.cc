#include "bundler/format/archive_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"
#include "bundler/format/layout.h"
#include "bundler/format/tar.h"

namespace skerry::format {
namespace {

using skerry::testing::MemoryFiles;

std::string Member(const std::string& name, const std::string& content) {
  return TarHeader(name, content.size()) + content +
         std::string(TarPaddingBytes(content.size()), '\0');
}

std::string Write(const std::optional<Volume>& volume) {
  const std::vector<FileEntry> entries = {{"a", 2, {}, {}}, {"b", 0, {}, {}}, {"c", 3, {}, {}}};
  const std::vector<std::string> contents = {"aa", "", "ccc"};
  const ChunkMap map(entries);
  MemoryFiles files;
  auto file = files.Create("x.skb", 0600).value();
  ArchiveWriter writer(*file, map, volume);
  ArchiveHead head;
  head.manifest_text = "MANIFEST";
  head.signatures_text = "{\"signatures\":[]}";
  head.roots = {{1, "ROOT1\n"}, {2, "ROOT2\n"}};
  head.revocations_text = "LIST\n";
  EXPECT_TRUE(writer.Head(head));
  const std::vector<Sha256Digest> leaf(1);
  EXPECT_TRUE(writer.Tree(leaf));
  EXPECT_TRUE(writer.Tree({}));
  EXPECT_TRUE(writer.Tree(leaf));
  EXPECT_TRUE(writer.Document(AsBytes("DOCUMENT")));
  for (uint64_t i = writer.layout().chunks().first; i < writer.layout().chunks().last; ++i) {
    EXPECT_TRUE(writer.Chunk(i, AsBytes(contents[i])));
  }
  const uint64_t written = writer.Finish().value();
  std::string text = ReadAll(files, "x.skb").value();
  EXPECT_EQ(written, text.size());
  return text;
}

std::string Head(const std::string& volume_member) {
  const std::string leaf(32, '\0');
  return Member("FORMAT", "skerry-bundle 1\n") + Member("meta/manifest", "MANIFEST") +
         Member("meta/signatures", "{\"signatures\":[]}" + std::string(16384 - 17, '\n')) +
         Member("meta/roots/1", "ROOT1\n") + Member("meta/roots/2", "ROOT2\n") +
         Member("meta/revocations", "LIST\n") + volume_member + Member("meta/tree/000000", leaf) +
         Member("meta/tree/000001", "") + Member("meta/tree/000002", leaf) +
         Member("meta/doc/000000", "DOCUMENT");
}

TEST(ArchiveWriterTest, WholeBundleByteForByte) {
  EXPECT_TRUE(Write(std::nullopt) == Head("") + Member("data/000000", "aa") +
                                         Member("data/000001", "") + Member("data/000002", "ccc") +
                                         std::string(1024, '\0'));
}

TEST(ArchiveWriterTest, VolumesByteForByte) {
  EXPECT_TRUE(Write(Volume{1, 2}) == Head(Member("meta/volume", "{\"chunks\":2,\"number\":1}")) +
                                         Member("data/000000/0000000", "aa") +
                                         Member("data/000001/0000000", "") +
                                         std::string(1024, '\0'));
  EXPECT_TRUE(Write(Volume{2, 2}) == Head(Member("meta/volume", "{\"chunks\":2,\"number\":2}")) +
                                         Member("data/000002/0000000", "ccc") +
                                         std::string(1024, '\0'));
}

TEST(SignaturesMemberTest, PaddingIsAddedAndTakenAway) {
  const std::string padded = PadSignatures("{}");
  EXPECT_EQ(padded.size(), kSignaturesBytes);
  EXPECT_EQ(PadSignatures(padded), padded);
  EXPECT_EQ(UnpadSignatures(padded).value(), "{}");
  EXPECT_FALSE(UnpadSignatures("{}"));
  EXPECT_FALSE(UnpadSignatures(std::string(kSignaturesBytes, '\n')));
  EXPECT_FALSE(UnpadSignatures(padded + "\n"));
}

}  // namespace
}  // namespace skerry::format
