#include "appliance/base/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry {
namespace {

using testing::MemoryFiles;
using testing::TemporaryDirectory;

// The real and the in-memory tree must answer alike.
class FilesTest : public ::testing::TestWithParam<bool> {
 protected:
  FilesTest() {
    if (GetParam()) {
      files_ = std::move(OpenFiles(directory_.path())).value();
    } else {
      files_ = std::make_unique<MemoryFiles>();
    }
  }
  TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
};

INSTANTIATE_TEST_SUITE_P(RealAndMemory, FilesTest, ::testing::Bool());

void Write(FileSystem& files, const std::string& path, std::string_view text) {
  auto file = files.OpenAppend(path);
  ASSERT_TRUE(file.has_value()) << file.error().message();
  ASSERT_TRUE((*file)->Append(AsBytes(text)).has_value());
  ASSERT_TRUE((*file)->Sync().has_value());
}

TEST_P(FilesTest, AppendReadTruncate) {
  Write(*files_, "a", "hello");
  Write(*files_, "a", " world");
  EXPECT_EQ(ReadAll(*files_, "a").value(), "hello world");
  auto file = files_->OpenAppend("a").value()->Truncate(5);
  EXPECT_TRUE(file.has_value());
  EXPECT_EQ(ReadAll(*files_, "a").value(), "hello");
  EXPECT_EQ(ReadAll(*files_, "a", 4).error().code(), ErrorCode::kExhausted);
}

TEST_P(FilesTest, ReadsWholeFilesAroundTheStepSize) {
  for (const size_t size : {size_t{0}, size_t{65535}, size_t{65536}, size_t{65537}}) {
    const std::string path = "s" + std::to_string(size);
    Write(*files_, path, std::string(size, 'x'));
    EXPECT_EQ(ReadAll(*files_, path).value().size(), size);
  }
}

TEST_P(FilesTest, CreateRefusesExisting) {
  Write(*files_, "a", "x");
  EXPECT_EQ(files_->Create("a").error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(files_->OpenRead("missing").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(files_->Create("no/such").error().code(), ErrorCode::kNotFound);
}

TEST_P(FilesTest, RenameNoReplace) {
  Write(*files_, "a", "new");
  Write(*files_, "b", "old");
  EXPECT_EQ(files_->RenameNoReplace("a", "b").error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(ReadAll(*files_, "b").value(), "old");
  EXPECT_TRUE(files_->Rename("a", "b").has_value());
  EXPECT_EQ(ReadAll(*files_, "b").value(), "new");
  EXPECT_FALSE(files_->Exists("a"));
}

TEST_P(FilesTest, TreesAreMadeListedAndRemoved) {
  ASSERT_TRUE(MakeDirectories(*files_, "x/y/z").has_value());
  ASSERT_TRUE(MakeDirectories(*files_, "x/y/z").has_value());
  Write(*files_, "x/b", "1");
  Write(*files_, "x/a", "2");
  const auto entries = files_->List("x").value();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[2].name, "y");
  EXPECT_EQ(entries[2].kind, FileKind::kDirectory);
  EXPECT_EQ(files_->Remove("x").error().code(), ErrorCode::kAlreadyExists);  // not empty
  EXPECT_TRUE(RemoveTree(*files_, "x").has_value());
  EXPECT_FALSE(files_->Exists("x"));
  EXPECT_TRUE(RemoveTree(*files_, "x").has_value());
}

TEST(AbsolutePath, NormalisesAgainstTheWorkingDirectory) {
  EXPECT_EQ(AbsolutePath("/a/./b/../c/").value(), "/a/c");
  EXPECT_EQ(AbsolutePath("/").value(), "/");
  EXPECT_EQ(AbsolutePath("x").value(), std::filesystem::current_path().string() + "/x");
  EXPECT_FALSE(AbsolutePath("").has_value());
}

TEST_P(FilesTest, ErrorsNameThePath) {
  EXPECT_NE(files_->OpenRead("gone").error().message().find("'gone'"), std::string::npos);
}

TEST(OsFiles, SymlinksAreNotFollowedByWritesOrRemoval) {
  TemporaryDirectory directory;
  auto files = OpenFiles(directory.path()).value();
  Write(*files, "target", "safe");
  ASSERT_EQ(::symlink("target", (directory.path() + "/link").c_str()), 0);
  EXPECT_FALSE(files->OpenAppend("link").has_value());
  EXPECT_EQ(files->Stat("link").value(), FileKind::kOther);
  EXPECT_TRUE(RemoveTree(*files, "link").has_value());
  EXPECT_EQ(ReadAll(*files, "target").value(), "safe");
}

// For every call at which power may fail there is the old or the new content.
TEST(WriteAtomically, SurvivesAPowerCutAtEveryCall) {
  for (int fail_at = 1;; ++fail_at) {
    MemoryFiles files;
    ASSERT_TRUE(WriteAtomically(files, "config", "old").has_value());
    files.FailAtCall(fail_at);
    const bool done = WriteAtomically(files, "config", "new").has_value();
    const auto after = files.AfterPowerCut();
    const std::string content = ReadAll(*after, "config").value();
    if (done) {
      EXPECT_EQ(content, "new");
      EXPECT_GE(fail_at, 5);
      break;
    }
    EXPECT_TRUE(content == "old" || content == "new") << fail_at << ": " << content;
    files.FailAtCall(0);
    EXPECT_TRUE(WriteAtomically(files, "config", "again").has_value());
    EXPECT_EQ(ReadAll(files, "config").value(), "again");
  }
}

TEST(MemoryFiles, UnsyncedContentAndEntriesAreLost) {
  MemoryFiles files;
  ASSERT_TRUE(files.MakeDirectory("d", 0700).has_value());
  Write(files, "d/f", "synced");
  EXPECT_FALSE(files.AfterPowerCut()->Exists("d"));
  ASSERT_TRUE(files.SyncDirectory(".").has_value());
  EXPECT_FALSE(files.AfterPowerCut()->Exists("d/f"));
  ASSERT_TRUE(files.SyncDirectory("d").has_value());
  auto file = files.OpenAppend("d/f", 0600).value();
  ASSERT_TRUE(file->Append(AsBytes(" and not")).has_value());
  EXPECT_EQ(ReadAll(*files.AfterPowerCut(), "d/f").value(), "synced");
  EXPECT_EQ(ReadAll(files, "d/f").value(), "synced and not");
}

TEST(MemoryFiles, ARenamedDirectoryKeepsItsDurableContent) {
  MemoryFiles files;
  ASSERT_TRUE(files.MakeDirectory("staging", 0700).has_value());
  Write(files, "staging/f", "x");
  ASSERT_TRUE(files.SyncDirectory("staging").has_value());
  ASSERT_TRUE(files.SyncDirectory(".").has_value());
  ASSERT_TRUE(files.Rename("staging", "final").has_value());
  EXPECT_TRUE(files.AfterPowerCut()->Exists("staging/f"));
  ASSERT_TRUE(files.SyncDirectory(".").has_value());
  EXPECT_TRUE(files.AfterPowerCut()->Exists("final/f"));
  EXPECT_FALSE(files.AfterPowerCut()->Exists("staging"));
}

}  // namespace
}  // namespace skerry
