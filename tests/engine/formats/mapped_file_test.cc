#include "engine/formats/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "appliance/base/testing/fixtures.h"

namespace skerry::engine {
namespace {

using ::skerry::testing::TemporaryDirectory;

TEST(MappedFileTest, MapsTheWholeFileAlsoAfterMoves) {
  TemporaryDirectory folder;
  const std::string path = folder.path() + "/a";
  std::ofstream(path) << "some bytes";
  Result<MappedFile> file = MappedFile::Open(path);
  ASSERT_TRUE(file) << file.error().message();
  MappedFile moved = std::move(*file);
  EXPECT_TRUE(file->bytes().empty());
  EXPECT_EQ(moved.text(), "some bytes");
  EXPECT_EQ(moved.path(), path);
  std::ofstream(folder.path() + "/b") << "others";
  Result<MappedFile> other = MappedFile::Open(folder.path() + "/b");
  ASSERT_TRUE(other);
  moved = std::move(*other);
  EXPECT_EQ(moved.text(), "others");
}

TEST(MappedFileTest, FollowsLinks) {
  TemporaryDirectory folder;
  std::ofstream(folder.path() + "/blob") << "x";
  ASSERT_EQ(::symlink("blob", (folder.path() + "/link").c_str()), 0);
  const Result<MappedFile> file = MappedFile::Open(folder.path() + "/link");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->text(), "x");
}

TEST(MappedFileTest, Refusals) {
  TemporaryDirectory folder;
  std::ofstream(folder.path() + "/empty").flush();
  EXPECT_EQ(MappedFile::Open(folder.path() + "/none").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(MappedFile::Open(folder.path()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(MappedFile::Open(folder.path() + "/empty").error().code(), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace skerry::engine
