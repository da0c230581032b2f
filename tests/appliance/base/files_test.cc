#include "appliance/base/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <thread>

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

TEST_P(FilesTest, WriteAtWritesInPlaceAndLeavesTheRest) {
  auto made = files_->Create("a").value();
  ASSERT_TRUE(made->Append(AsBytes("hello world")).has_value());
  ASSERT_TRUE(made->WriteAt(6, AsBytes("W")).has_value());
  ASSERT_TRUE(made->Append(AsBytes("!")).has_value());
  EXPECT_EQ(ReadAll(*files_, "a").value(), "hello World!");
  auto file = files_->OpenWrite("a").value();
  ASSERT_TRUE(file->WriteAt(14, AsBytes("end")).has_value());
  ASSERT_TRUE(file->WriteAt(0, AsBytes("H")).has_value());
  EXPECT_EQ(ReadAll(*file).value(), std::string("Hello World!\0\0end", 17));
  EXPECT_EQ(files_->OpenWrite("missing").error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(files_->MakeDirectory("d").has_value());
  EXPECT_FALSE(files_->OpenWrite("d").has_value());
}

// Whole blocks go another way than the rest; both end up where they belong.
TEST_P(FilesTest, DirectWritesAreLikeOthers) {
  Write(*files_, "a", "hello");
  constexpr size_t kBlock = kDirectAlignment;
  std::vector<uint8_t> memory(8 * kBlock);
  void* place = memory.data();
  size_t space = memory.size();
  ASSERT_NE(std::align(kBlock, 5 * kBlock, place, space), nullptr);
  const std::span<uint8_t> bytes(static_cast<uint8_t*>(place), 5 * kBlock);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 251);
  std::string expected(20 * kBlock + 7, '\0');
  expected.replace(0, 5, "hello");
  {
    const auto file = files_->OpenWriteDirect("a").value();
    ASSERT_TRUE(file->Allocate(expected.size()));
    const auto write = [&](uint64_t offset, size_t from, size_t size) {
      const std::span<const uint8_t> part = bytes.subspan(from, size);
      ASSERT_TRUE(file->WriteAt(offset, part)) << offset;
      expected.replace(offset, size, AsText(part));
    };
    write(kBlock, 0, 3 * kBlock);           // whole blocks
    write(6 * kBlock, 0, 2 * kBlock + 9);   // and a piece
    write(20 * kBlock, kBlock, 7);          // a piece
    write(10 * kBlock + 1, 0, 2 * kBlock);  // at no block's place
    write(14 * kBlock, 16, 2 * kBlock);     // from memory that is not aligned
    write(2 * kBlock + 100, 0, 10);         // into what was written directly
    ASSERT_TRUE(file->Sync());
    EXPECT_EQ(ReadAll(*file).value(), expected);
  }
  EXPECT_EQ(ReadAll(*files_, "a").value(), expected);
  EXPECT_EQ(files_->OpenWriteDirect("missing").error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(files_->OpenWriteDirect(".").has_value());
}

// The kernel would put the bytes at the end, wherever they belong.
TEST_P(FilesTest, AFileForAppendingRefusesToWriteAtAPlace) {
  Write(*files_, "a", "hello");
  auto file = files_->OpenAppend("a").value();
  EXPECT_EQ(file->WriteAt(0, AsBytes("J")).error().code(), ErrorCode::kInternal);
  EXPECT_EQ(file->Allocate(100).error().code(), ErrorCode::kInternal);
  EXPECT_EQ(ReadAll(*files_, "a").value(), "hello");
}

TEST_P(FilesTest, AllocateSetsTheSizeAndNeverShrinks) {
  auto file = files_->Create("a").value();
  ASSERT_TRUE(file->Allocate(0).has_value());
  EXPECT_EQ(file->Size().value(), 0u);
  ASSERT_TRUE(file->WriteAt(0, AsBytes("abc")).has_value());
  ASSERT_TRUE(file->Allocate(5).has_value());
  EXPECT_EQ(ReadAll(*files_, "a").value(), std::string("abc\0\0", 5));
  ASSERT_TRUE(file->Allocate(2).has_value());
  EXPECT_EQ(file->Size().value(), 5u);
}

TEST_P(FilesTest, WritesAtPlacesMayRunTogether) {
  constexpr size_t kPiece = 1000, kPieces = 64, kThreads = 4;
  auto file = files_->Create("a").value();
  ASSERT_TRUE(file->Allocate(kPiece * kPieces).has_value());
  std::vector<std::thread> writers;
  for (size_t t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      for (size_t i = t; i < kPieces; i += kThreads) {
        const std::string piece(kPiece, static_cast<char>('0' + i));
        EXPECT_TRUE(file->WriteAt(i * kPiece, AsBytes(piece)).has_value());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string content = ReadAll(*files_, "a").value();
  ASSERT_EQ(content.size(), kPiece * kPieces);
  for (size_t i = 0; i < content.size(); ++i) {
    ASSERT_EQ(content[i], static_cast<char>('0' + i / kPiece)) << i;
  }
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
  EXPECT_EQ(files->ReadLink("link").value(), "target");
  EXPECT_EQ(files->ReadLink("absent").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(files->ReadLink(".").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(RemoveTree(*files, "link").has_value());
  EXPECT_EQ(ReadAll(*files, "target").value(), "safe");
}

// "root/" is what is opened; "outside/" lies beside it.
class RefusedLinksTest : public ::testing::Test {
 protected:
  RefusedLinksTest() {
    auto all = OpenFiles(directory_.path()).value();
    EXPECT_TRUE(MakeDirectories(*all, "root/dir").has_value());
    EXPECT_TRUE(MakeDirectories(*all, "outside").has_value());
    Write(*all, "root/plain", "inside");
    Write(*all, "outside/secret", "secret");
    files_ = OpenFiles(directory_.path() + "/root", Symlinks::kRefuse).value();
  }

  // Every call at `path` (a directory to go through) is refused with kDenied and says why.
  void ExpectRefused(const std::string& path, const std::string& reason) {
    auto expect = [&](const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDenied) << error.message();
      EXPECT_NE(error.message().find(path), std::string::npos) << error.message();
      EXPECT_NE(error.message().find(reason), std::string::npos) << error.message();
    };
    const std::string below = path + "/secret";
    expect(files_->OpenRead(below).error());
    expect(files_->OpenWrite(below).error());
    expect(files_->OpenAppend(below).error());
    expect(files_->Create(below).error());
    expect(files_->MakeDirectory(below).error());
    expect(files_->Remove(below).error());
    expect(files_->Stat(below).error());
    expect(files_->Rename(below, "stolen").error());
    expect(files_->RenameNoReplace("plain", below).error());
    expect(files_->List(path).error());
    expect(files_->SyncDirectory(path).error());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
};

TEST_F(RefusedLinksTest, NoCallPassesALink) {
  ASSERT_EQ(::symlink("../outside", (directory_.path() + "/root/out").c_str()), 0);
  ASSERT_EQ(::symlink("dir", (directory_.path() + "/root/in").c_str()), 0);
  ASSERT_EQ(::symlink("../outside/secret", (directory_.path() + "/root/dir/file").c_str()), 0);
  ExpectRefused("out", "symbolic link");
  ExpectRefused("in", "symbolic link");
  EXPECT_EQ(files_->OpenRead("dir/file").error().code(), ErrorCode::kDenied);
  EXPECT_EQ(files_->OpenWrite("dir/file").error().code(), ErrorCode::kDenied);
  EXPECT_EQ(files_->OpenAppend("dir/file").error().code(), ErrorCode::kDenied);
  EXPECT_EQ(files_->Create("dir/file").error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(files_->Stat("dir/file").value(), FileKind::kOther);
  EXPECT_TRUE(RemoveTree(*files_, "out").has_value());
  EXPECT_TRUE(OpenFiles(directory_.path()).value()->Exists("outside/secret"));
}

TEST_F(RefusedLinksTest, NoCallLeavesTheRoot) {
  ExpectRefused("../outside", "leads out");
  ExpectRefused("dir/../../outside", "leads out");
  ExpectRefused(directory_.path() + "/outside", "leads out");
  EXPECT_FALSE(files_->Stat("..").has_value());
  EXPECT_FALSE(files_->Rename("dir", "dir/..").has_value());
}

TEST_F(RefusedLinksTest, OrdinaryPathsWorkAsElsewhere) {
  EXPECT_EQ(ReadAll(*files_, "plain").value(), "inside");
  EXPECT_EQ(ReadAll(*files_, "dir/../plain").value(), "inside");
  ASSERT_TRUE(MakeDirectories(*files_, "x/y").has_value());
  ASSERT_TRUE(WriteAtomically(*files_, "x/y/z", "text").has_value());
  ASSERT_TRUE(files_->RenameNoReplace("x/y/z", "x/w").has_value());
  EXPECT_EQ(files_->Stat(".").value(), FileKind::kDirectory);
  EXPECT_EQ(files_->List("x").value().size(), 2u);
  EXPECT_EQ(files_->OpenRead("x/none").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(files_->Stat("").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(RemoveTree(*files_, "x").has_value());
  EXPECT_FALSE(files_->Exists("x"));
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

TEST(OsFiles, ReservedSpaceCountsAndModesChange) {
  const skerry::testing::TemporaryDirectory directory;
  const auto files = OpenFiles(directory.path()).value();
  const auto file = files->Create("f", 0644).value();
  EXPECT_EQ(file->AllocatedBytes().value(), 0u);
  ASSERT_TRUE(file->Allocate(1'000'000));
  EXPECT_GE(file->AllocatedBytes().value(), 1'000'000u);
  const uint64_t block = files->BlockBytes().value();
  EXPECT_EQ(file->AllocatedBytes().value() % block, 0u);
  ASSERT_TRUE(file->WriteAt(0, AsBytes("text")));
  file->StartWriteback(0, 4);
  file->WillNotNeed(0, 1'000'000);
  ASSERT_TRUE(file->SetMode(0444));
  struct stat info {};
  ASSERT_EQ(::stat((directory.path() + "/f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0444u);
  EXPECT_EQ(ReadAll(*files, "f").value().substr(0, 4), "text");
}

TEST(MemoryFiles, UnsyncedWritesInPlaceAreLost) {
  MemoryFiles files;
  Write(files, "f", "0123456789");
  ASSERT_TRUE(files.SyncDirectory(".").has_value());
  auto file = files.OpenWrite("f").value();
  ASSERT_TRUE(file->WriteAt(2, AsBytes("ab")).has_value());
  ASSERT_TRUE(file->Sync().has_value());
  ASSERT_TRUE(file->WriteAt(6, AsBytes("cd")).has_value());
  ASSERT_TRUE(file->Allocate(20).has_value());
  EXPECT_EQ(ReadAll(*files.AfterPowerCut(), "f").value(), "01ab456789");
  files.FailAtCall(1);
  EXPECT_EQ(file->WriteAt(0, AsBytes("x")).error().code(), ErrorCode::kIo);
  EXPECT_EQ(file->Allocate(30).error().code(), ErrorCode::kIo);
  EXPECT_EQ(ReadAll(files, "f").value(), std::string("01ab45cd89") + std::string(10, '\0'));
}

TEST(MemoryFiles, AFullDiskRefusesWhatMakesFilesLonger) {
  MemoryFiles files;
  Write(files, "old", "12345");
  files.SetFreeBytes(10);
  auto file = files.Create("new", 0600).value();
  EXPECT_EQ(file->Allocate(11).error().code(), ErrorCode::kExhausted);
  ASSERT_TRUE(file->Allocate(8).has_value());
  EXPECT_EQ(files.FreeBytes().value(), 2u);
  EXPECT_TRUE(file->WriteAt(0, AsBytes("12345678")).has_value());
  EXPECT_EQ(file->WriteAt(8, AsBytes("abc")).error().code(), ErrorCode::kExhausted);
  EXPECT_TRUE(file->Append(AsBytes("ab")).has_value());
  EXPECT_EQ(file->Append(AsBytes("c")).error().code(), ErrorCode::kExhausted);
  EXPECT_EQ(ReadAll(files, "new").value(), "12345678ab");
  ASSERT_TRUE(files.Remove("old").has_value());
  EXPECT_EQ(files.FreeBytes().value(), 5u);
  EXPECT_TRUE(file->Append(AsBytes("cdefg")).has_value());
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
