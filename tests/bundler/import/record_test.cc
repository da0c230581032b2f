#include "bundler/import/record.h"

#include <gtest/gtest.h>

#include <optional>

#include "appliance/base/encode.h"
#include "tests/bundler/import/import_world.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::StringFile;

constexpr char kNow[] = "2026-01-02T03:04:05.678Z";

class RecordTest : public ImportWorld {
 protected:
  RecordTest()
      : medium_(bundle_),
        verified_(reader::UnverifiedBundle::Open(medium_).value().Verify(trust_).value()),
        hashes_(verified_.ReadHashes().value()),
        folder_(files_, "staging/" + digest_ + "/model", verified_.manifest()) {
    Prepare(files_);
    EXPECT_TRUE(MakeDirectories(files_, "staging/" + digest_));
    EXPECT_TRUE(folder_.MakeFiles());
  }

  ChunkRecord Resume(uint64_t look_chunks = 64) {
    const RecordSubject subject{files_, digest_, verified_.manifest(), verified_.map(), hashes_};
    return ChunkRecord::Resume(subject, folder_, look_chunks, kNow).value();
  }
  // As CopyChunks does it.
  void Copy(ChunkRecord& record, Journal& journal, uint64_t chunk) {
    const format::ChunkPlace place = verified_.map().At(chunk);
    std::vector<uint8_t> buffer(reader::kPieceBytes);
    ASSERT_TRUE(verified_.ReadChunk(chunk, hashes_, buffer));
    const auto file = folder_.OpenWrite(place.file_idx).value();
    ASSERT_TRUE(file->WriteAt(place.offset, std::span(buffer).first(place.size)));
    ASSERT_TRUE(file->Sync());
    ASSERT_TRUE(journal.Add({{{chunk, 1, place.size}}}));
    record.done()[chunk] = true;
  }
  void Damage(uint64_t chunk) {
    const format::ChunkPlace place = verified_.map().At(chunk);
    ASSERT_TRUE(folder_.OpenWrite(place.file_idx).value()->WriteAt(0, AsBytes("\xff")));
  }

  MemoryFiles files_;
  StringFile medium_;
  reader::VerifiedBundle verified_;
  reader::ChunkHashes hashes_;
  ModelFolder folder_;
};

TEST_F(RecordTest, WithoutAnEarlierTryNothingIsDone) {
  ChunkRecord record = Resume();
  EXPECT_FALSE(record.HasAny());
  EXPECT_EQ(record.DoneBytes(), 0U);
  EXPECT_EQ(record.resumed_bytes(), 0U);
  EXPECT_EQ(record.done().size(), verified_.map().count());
  EXPECT_TRUE(record.HasAll({2, 2}));
  ASSERT_TRUE(record.StartJournal());
  const std::optional<JournalState> state = Journal::Read(files_, JournalPath(digest_)).value();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->head.since, kNow);
  EXPECT_EQ(state->head.total_bytes, verified_.manifest().DataBytes());
}

TEST_F(RecordTest, WhatWasRecordedIsDoneAtTheNextTry) {
  ChunkRecord record = Resume();
  Journal journal = record.StartJournal().value();
  for (const uint64_t chunk : {4, 0, 1}) Copy(record, journal, chunk);
  const uint64_t bytes = record.DoneBytes();
  EXPECT_GT(bytes, 0U);
  EXPECT_EQ(record.resumed_bytes(), 0U);

  ChunkRecord next = Resume();
  EXPECT_EQ(next.done(), record.done());
  EXPECT_EQ(next.resumed_bytes(), bytes);
  EXPECT_TRUE(next.HasAll({0, 2}));
  EXPECT_FALSE(next.HasAll({0, 3}));
  ASSERT_TRUE(next.StartJournal());
  EXPECT_EQ(Resume().done(), record.done()) << "from the journal written anew";
}

// Only the newest are looked at, also after the journal was written anew.
TEST_F(RecordTest, ADamagedChunkAmongTheNewestDropsTheRecord) {
  for (const bool anew : {false, true}) {
    for (const uint64_t damaged : {1, 4}) {
      ChunkRecord record = Resume();
      Journal journal = record.StartJournal().value();
      for (const uint64_t chunk : {1, 0, 4}) Copy(record, journal, chunk);
      if (anew) {
        ASSERT_TRUE(Resume(2).StartJournal());
      }
      Damage(damaged);
      EXPECT_EQ(Resume(2).HasAny(), damaged == 1) << damaged;
      EXPECT_FALSE(Resume(3).HasAny());
      ASSERT_TRUE(files_.Remove(JournalPath(digest_)));
    }
  }
}

TEST_F(RecordTest, AFileOfAnotherSizeDropsTheRecord) {
  ChunkRecord record = Resume();
  Journal journal = record.StartJournal().value();
  for (const uint64_t chunk : {0, 4}) Copy(record, journal, chunk);
  const std::string path =
      folder_.path() + "/files/" + verified_.manifest().files[verified_.map().At(0).file_idx].name;
  ASSERT_TRUE(files_.OpenAppend(path, 0644).value()->Append(AsBytes("longer")));
  EXPECT_FALSE(Resume(1).HasAny());
}

TEST_F(RecordTest, AJournalOfAnotherBundleDoesNotCount) {
  JournalState state;
  state.head = {"sha256-ab", "acme/tiny", "1.0.0", 1, verified_.map().count(), 9, "earlier"};
  state.ranges = {{0, 1, 1}};
  ASSERT_TRUE(Journal::Start(files_, JournalPath(digest_), state));
  EXPECT_FALSE(Resume().HasAny());
}

}  // namespace
}  // namespace skerry::import
