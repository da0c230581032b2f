#include "bundler/import/copy.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"
#include "bundler/format/layout.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;

constexpr char kJournal[] = "progress";
constexpr size_t kSmallFiles = 40;

// Files of one chunk each, one of them empty.
std::vector<format::FileEntry> Entries() {
  std::vector<format::FileEntry> entries;
  for (size_t i = 0; i < kSmallFiles; ++i) {
    format::FileEntry entry;
    entry.name = "file-" + std::to_string(100 + i);
    entry.size = i == 7 ? 0 : 10 + i;
    entries.push_back(entry);
  }
  return entries;
}

std::string Expected(const format::ChunkMap& map, uint64_t chunk) {
  return std::string(map.At(chunk).size, static_cast<char>('A' + chunk % 50));
}

class CopyTest : public ::testing::Test {
 protected:
  CopyTest() : entries_(Entries()), map_(entries_) { Prepare(files_); }

  // The files with their sizes, and an empty journal, all durable.
  void Prepare(MemoryFiles& files) {
    for (const format::FileEntry& entry : entries_) {
      const auto file = files.Create(entry.name, 0644).value();
      ASSERT_TRUE(file->Allocate(entry.size));
      ASSERT_TRUE(file->Sync());
    }
    ASSERT_TRUE(Journal::Start(files, kJournal, {Head(), {}}));
  }
  JournalHead Head() const { return {"sha256-ab", "a/b", "1", 1, map_.count(), 1, "now"}; }

  CopyWork Work(MemoryFiles& files) {
    CopyWork work;
    work.count = map_.count();
    work.read = [this](uint64_t chunk, std::span<uint8_t> out) -> Result<void> {
      {
        const std::lock_guard lock(mu_);
        reads_.insert(chunk);
      }
      const std::string text = Expected(map_, chunk);
      EXPECT_EQ(out.size(), text.size());
      std::copy(text.begin(), text.end(), out.begin());
      return {};
    };
    work.open = [this, &files](size_t file_idx) {
      return files.OpenWrite(entries_[file_idx].name);
    };
    return work;
  }
  // Continues from what `files` say.
  Result<void> Continue(MemoryFiles& files, const CopyWork& work, unsigned threads = 3) {
    const JournalState state = Journal::Read(files, kJournal).value().value();
    done_.assign(map_.count(), false);
    for (const RecordedChunks& range : state.ranges) {
      for (uint64_t i = 0; i < range.count; ++i) done_[range.first + i] = true;
    }
    Journal journal = TRY(Journal::Start(files, kJournal, state));
    options_.threads = threads;
    options_.window_chunks = 4;
    return CopyChunks(map_, work, done_, journal, options_);
  }
  // Every chunk that the journal names is in its file. How many.
  size_t CheckRecorded(MemoryFiles& files) {
    const auto state = Journal::Read(files, kJournal).value();
    if (!state) return 0;
    size_t count = 0;
    for (const RecordedChunks& range : state->ranges) {
      uint64_t bytes = 0;
      for (uint64_t chunk = range.first; chunk < range.first + range.count; ++chunk, ++count) {
        const format::ChunkPlace place = map_.At(chunk);
        bytes += place.size;
        std::string text(place.size, '\0');
        const auto file = files.OpenRead(entries_[place.file_idx].name).value();
        EXPECT_TRUE(
            file->ReadAt(place.offset, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
        EXPECT_TRUE(text == Expected(map_, chunk)) << chunk;
      }
      EXPECT_EQ(bytes, range.bytes);
    }
    return count;
  }

  std::vector<format::FileEntry> entries_;
  format::ChunkMap map_;
  MemoryFiles files_;
  CopyOptions options_;
  std::vector<bool> done_;
  std::mutex mu_;
  std::multiset<uint64_t> reads_;  // guarded by mu_
};

TEST_F(CopyTest, EveryChunkIsReadOnceAndDurable) {
  uint64_t last = 0;
  options_.progress = [&](uint64_t copied) { last = copied; };
  for (const unsigned threads : {1U, 4U}) {
    MemoryFiles files;
    Prepare(files);
    reads_.clear();
    ASSERT_TRUE(Continue(files, Work(files), threads));
    EXPECT_EQ(reads_.size(), map_.count());
    EXPECT_EQ(std::set<uint64_t>(reads_.begin(), reads_.end()).size(), map_.count());
    EXPECT_EQ(done_, std::vector<bool>(map_.count(), true));
    const auto after = files.AfterPowerCut();
    EXPECT_EQ(CheckRecorded(*after), map_.count());
    uint64_t total = 0;
    for (const format::FileEntry& entry : entries_) total += entry.size;
    EXPECT_EQ(last, total);
  }
}

TEST_F(CopyTest, ChunksOfOneFileGoToTheirPlaces) {
  format::FileEntry large;
  large.name = "large";
  large.size = 2 * format::kChunkBytes + 5;
  entries_ = {large};
  map_ = format::ChunkMap(entries_);
  MemoryFiles files;
  Prepare(files);
  ASSERT_TRUE(Continue(files, Work(files)));
  EXPECT_EQ(CheckRecorded(*files.AfterPowerCut()), 3U);
}

TEST_F(CopyTest, OnlyTheSourcesChunksThatAreMissingAreRead) {
  CopyWork work = Work(files_);
  work.first = 10;
  work.count = 5;
  ASSERT_TRUE(Continue(files_, work));
  EXPECT_EQ(reads_, (std::multiset<uint64_t>{10, 11, 12, 13, 14}));
  reads_.clear();
  work.first = 8;
  work.count = 10;
  ASSERT_TRUE(Continue(files_, work));
  EXPECT_EQ(reads_, (std::multiset<uint64_t>{8, 9, 15, 16, 17}));
  EXPECT_EQ(CheckRecorded(files_), 10U);
  reads_.clear();
  ASSERT_TRUE(Continue(files_, work));
  EXPECT_TRUE(reads_.empty());
}

TEST_F(CopyTest, WindowsAreRecordedWhileCopyingGoesOn) {
  CopyWork work = Work(files_);
  const auto read = work.read;
  work.read = [&](uint64_t chunk, std::span<uint8_t> out) {
    // At most three windows of four chunks are open, this chunk's among them.
    EXPECT_GE(CheckRecorded(files_) + 12, chunk);
    return read(chunk, out);
  };
  ASSERT_TRUE(Continue(files_, work, /*threads=*/1));
}

TEST_F(CopyTest, AFailedReadKeepsWhatWasCopied) {
  for (uint64_t bad = 0; bad < map_.count(); ++bad) {
    MemoryFiles files;
    Prepare(files);
    CopyWork work = Work(files);
    const auto read = work.read;
    work.read = [&](uint64_t chunk, std::span<uint8_t> out) -> Result<void> {
      if (chunk == bad) return Error(ErrorCode::kIo, "injected");
      return read(chunk, out);
    };
    const Result<void> copied = Continue(files, work, /*threads=*/1);
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().message(), "injected");
    const auto after = files.AfterPowerCut();
    EXPECT_EQ(CheckRecorded(*after), bad);
    EXPECT_EQ(static_cast<uint64_t>(std::count(done_.begin(), done_.end(), true)), bad);
    reads_.clear();
    ASSERT_TRUE(Continue(*after, Work(*after)));
    EXPECT_EQ(reads_.size(), map_.count() - bad);
    EXPECT_EQ(CheckRecorded(*after), map_.count());
  }
}

TEST_F(CopyTest, WhatIsRecordedIsThereWhereverTheDiskStops) {
  size_t most = 0;
  for (int call = 1;; ++call) {
    MemoryFiles files;
    Prepare(files);
    const CopyWork work = Work(files);
    files.FailAtCall(call);
    const bool copied = Continue(files, work).has_value();
    const auto after = files.AfterPowerCut();
    most = std::max(most, copied ? 0 : CheckRecorded(*after));
    ASSERT_TRUE(Continue(*after, Work(*after))) << call;
    EXPECT_EQ(CheckRecorded(*after), map_.count()) << call;
    if (copied) break;
    ASSERT_LT(call, 1000);
  }
  EXPECT_GT(most, map_.count() / 2);
}

TEST_F(CopyTest, CancellingKeepsWhatWasCopied) {
  std::atomic<bool> cancelled = false;
  CopyWork work = Work(files_);
  const auto read = work.read;
  work.read = [&](uint64_t chunk, std::span<uint8_t> out) {
    cancelled = cancelled || chunk == 9;
    return read(chunk, out);
  };
  options_.cancelled = &cancelled;
  const Result<void> copied = Continue(files_, work, /*threads=*/1);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(CheckRecorded(*files_.AfterPowerCut()), 10U);
}

}  // namespace
}  // namespace skerry::import
