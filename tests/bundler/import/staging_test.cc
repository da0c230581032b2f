#include "bundler/import/staging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "appliance/base/encode.h"
#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "bundler/import/journal.h"

namespace skerry::import {
namespace {

using ::testing::HasSubstr;

const std::string kOne = "sha256-" + std::string(64, '1');
const std::string kTwo = "sha256-" + std::string(64, '2');

class StagingTest : public ::testing::Test {
 protected:
  StagingTest() : files_(OpenFiles(directory_.path()).value()), locks_(directory_.path()) {
    EXPECT_TRUE(MakeStaging(*files_));
  }
  UniqueFd Take(const std::string& digest) {
    return MakeAndTakeFolder(*files_, locks_, StagingFolder(digest)).value();
  }
  void Put(const std::string& path) {
    ASSERT_TRUE(files_->Create(path).value()->Append(AsBytes("x")));
  }

  skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
  RealStagingLocks locks_;
};

TEST_F(StagingTest, AFolderHasOneImportAndWhatItLeftStays) {
  UniqueFd first = Take(kOne);
  Put(StagingFolder(kOne) + "/part");
  const Result<UniqueFd> second = MakeAndTakeFolder(*files_, locks_, StagingFolder(kOne));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message(), HasSubstr(kOne));
  EXPECT_TRUE(MakeAndTakeFolder(*files_, locks_, StagingFolder(kTwo)));

  first.Reset();  // as if its process had ended
  EXPECT_TRUE(MakeAndTakeFolder(*files_, locks_, StagingFolder(kOne)));
  EXPECT_TRUE(files_->Exists(StagingFolder(kOne) + "/part"));
}

TEST_F(StagingTest, ARemovedFolderIsMadeAgain) {
  const std::string folder = StagingFolder(kOne);
  EXPECT_EQ(locks_.TakeFolder(folder).error().code(), ErrorCode::kNotFound);
  const UniqueFd stale = Take(kOne);
  ASSERT_TRUE(files_->Remove(folder));
  EXPECT_TRUE(MakeAndTakeFolder(*files_, locks_, folder));
}

TEST_F(StagingTest, ListsWhatIsUnfinished) {
  EXPECT_TRUE(ListUnfinished(*files_, locks_).value().empty());
  const UniqueFd running = Take(kTwo);
  (void)Take(kOne);
  const JournalHead head{kOne, "acme/tiny", "1.0.0", 3, 100, 1000, "2026-01-02T03:04:05.678Z"};
  ASSERT_TRUE(Journal::Start(*files_, JournalPath(kOne), {head, {{0, 10, 150}, {20, 5, 50}}}));
  Put("staging/stray");
  const std::vector<Unfinished> list = ListUnfinished(*files_, locks_).value();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].digest, kOne);
  EXPECT_EQ(list[0].id, "acme/tiny");
  EXPECT_EQ(list[0].version, "1.0.0");
  EXPECT_EQ(list[0].since, head.since);
  EXPECT_EQ(list[0].done_bytes, 200U);
  EXPECT_EQ(list[0].total_bytes, 1000U);
  EXPECT_FALSE(list[0].running);
  EXPECT_EQ(list[1].digest, kTwo);
  EXPECT_TRUE(list[1].running);
  EXPECT_EQ(list[1].id, "");
}

TEST_F(StagingTest, NoStagingIsNothingUnfinished) {
  const skerry::testing::TemporaryDirectory empty;
  const auto files = OpenFiles(empty.path()).value();
  RealStagingLocks locks(empty.path());
  EXPECT_TRUE(ListUnfinished(*files, locks).value().empty());
  EXPECT_EQ(DiscardAll(*files, locks).value(), 0U);
}

TEST_F(StagingTest, DiscardsWhatDoesNotRun) {
  const UniqueFd running = Take(kTwo);
  (void)Take(kOne);
  Put(StagingFolder(kOne) + "/part");
  EXPECT_EQ(Discard(*files_, locks_, kTwo).error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(Discard(*files_, locks_, kOne));
  EXPECT_FALSE(files_->Exists(StagingFolder(kOne)));
  EXPECT_EQ(Discard(*files_, locks_, kOne).error().code(), ErrorCode::kNotFound);
  for (const char* bad : {"", "..", "sha256-12", "../store"}) {
    EXPECT_EQ(Discard(*files_, locks_, bad).error().code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST_F(StagingTest, DiscardsAllThatDoesNotRun) {
  const UniqueFd running = Take(kTwo);
  (void)Take(kOne);
  Put("staging/stray");
  ASSERT_TRUE(MakeDirectories(*files_, "staging/0123456789abcdef/files"));
  EXPECT_EQ(DiscardAll(*files_, locks_).value(), 3U);
  const std::vector<DirectoryEntry> left = files_->List("staging").value();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].name, kTwo);
}

}  // namespace
}  // namespace skerry::import
