#include "bundler/import/model_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;

format::Manifest Manifest() {
  format::Manifest manifest;
  for (const auto& [name, size] :
       {std::pair<const char*, uint64_t>{"a/b/deep.txt", 100}, {"empty", 0}, {"large", 70'000}}) {
    format::FileEntry entry;
    entry.name = name;
    entry.size = size;
    manifest.files.push_back(entry);
  }
  return manifest;
}

TEST(ModelFolderTest, FilesAreMadeOnceWithTheirSizeAndTheirNamesAreDurable) {
  MemoryFiles files;
  const format::Manifest manifest = Manifest();
  ASSERT_TRUE(MakeDirectories(files, "staging"));
  ASSERT_TRUE(files.SyncDirectory("."));
  {
    ModelFolder folder(files, "staging/x/model", manifest);
    EXPECT_FALSE(folder.HasFile(0).value());
    EXPECT_EQ(folder.MissingBytes().value(), 4096U + 73'728U);
    ASSERT_TRUE(folder.MakeFiles());
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(folder.HasFile(i).value()) << i;
    ASSERT_TRUE(folder.OpenWrite(2).value()->WriteAt(5, AsBytes("kept")));
  }
  EXPECT_TRUE(files.AfterPowerCut()->Exists("staging/x/model/files/a/b/deep.txt"));
  // Again, as another try does: what is there stays, what has lost its size is made anew.
  ASSERT_TRUE(files.OpenWrite("staging/x/model/files/a/b/deep.txt").value()->Truncate(3));
  ModelFolder folder(files, "staging/x/model", manifest);
  EXPECT_FALSE(folder.HasFile(0).value());
  ASSERT_TRUE(folder.MakeFiles());
  EXPECT_TRUE(folder.HasFile(0).value());
  EXPECT_EQ(ReadAll(files, "staging/x/model/files/large").value().substr(5, 4), "kept");
}

TEST(ModelFolderTest, ProofIsReplaced) {
  MemoryFiles files;
  const format::Manifest manifest = Manifest();
  ASSERT_TRUE(MakeDirectories(files, "staging"));
  ASSERT_TRUE(files.SyncDirectory("."));
  ModelFolder folder(files, "staging/x/model", manifest);
  ASSERT_TRUE(folder.MakeFiles());
  ASSERT_TRUE(folder.Put("bundle/roots/1", "old"));
  ASSERT_TRUE(folder.Put("bundle/roots/1", "new"));
  EXPECT_EQ(ReadAll(files, "staging/x/model/bundle/roots/1").value(), "new");
  EXPECT_FALSE(files.AfterPowerCut()->Exists("staging/x/model/bundle"));
  ASSERT_TRUE(folder.Finish());
  EXPECT_EQ(ReadAll(*files.AfterPowerCut(), "staging/x/model/bundle/roots/1").value(), "new");
}

TEST(ModelFolderTest, SpaceIsReservedAndFinishedFilesAreReadOnly) {
  const skerry::testing::TemporaryDirectory directory;
  const auto files = OpenFiles(directory.path()).value();
  const format::Manifest manifest = Manifest();
  ModelFolder folder(*files, "x/model", manifest);
  EXPECT_GE(folder.MissingBytes().value(), 70'100U);
  ASSERT_TRUE(folder.MakeFiles());
  EXPECT_EQ(folder.MissingBytes().value(), 0U);
  ASSERT_TRUE(folder.Finish());
  struct stat info {};
  ASSERT_EQ(::stat((directory.path() + "/x/model/files/a/b/deep.txt").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0444U);
}

}  // namespace
}  // namespace skerry::import
