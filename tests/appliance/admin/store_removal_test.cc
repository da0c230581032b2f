#include "appliance/admin/store_removal.h"

#include <gtest/gtest.h>

#include <map>

#include "appliance/base/testing/memory_files.h"

namespace skerry::admin {
namespace {

using skerry::testing::MemoryFiles;
using Snapshot = std::map<std::string, std::string>;

const std::string kDigest = "sha256-" + std::string(64, 'a');
const std::string kOther = "sha256-" + std::string(64, 'b');

void Put(MemoryFiles& files, const std::string& path) {
  ASSERT_TRUE(MakeDirectories(files, ParentDirectory(path)));
  ASSERT_TRUE(WriteAtomically(files, path, "content of " + path));
  for (std::string folder = ParentDirectory(path);; folder = ParentDirectory(folder)) {
    ASSERT_TRUE(files.SyncDirectory(folder));
    if (folder == ".") break;
  }
}

void Prepare(MemoryFiles& files) {
  for (const std::string& digest : {kDigest, kOther}) {
    Put(files, "store/" + digest + "/files/sub/weights");
    Put(files, "store/" + digest + "/bundle/manifest");
    Put(files, "store/" + digest + "/import.json");
  }
}

Snapshot Below(const MemoryFiles& files, const std::string& prefix) {
  Snapshot below;
  for (const auto& [path, content] : files.Snapshot()) {
    if (path.starts_with(prefix)) below[path] = content;
  }
  return below;
}

class StoreRemovalTest : public ::testing::Test {
 protected:
  StoreRemovalTest() {
    Prepare(files_);
    whole_ = Below(files_, "store/" + kDigest);
    other_ = Below(files_, "store/" + kOther);
  }
  MemoryFiles files_;
  Snapshot whole_, other_;
};

TEST_F(StoreRemovalTest, OneModelIsGoneAndTheOthersStay) {
  ASSERT_TRUE(TakeOut(files_, kDigest));
  EXPECT_FALSE(files_.Exists("store/" + kDigest));
  ASSERT_TRUE(RemoveTakenOut(files_));
  EXPECT_EQ(files_.List("store").value().size(), 1u);
  EXPECT_EQ(Below(files_, "store/" + kOther), other_);
  EXPECT_EQ(TakeOut(files_, kDigest).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(RemoveTakenOut(files_)) << "nothing to do";
}

// At every call in turn the disk fails, then the power goes. Never half of a model.
TEST_F(StoreRemovalTest, PowerCutAtEveryCall) {
  int whole = 0, gone = 0;
  for (int call = 1;; ++call) {
    MemoryFiles files;
    Prepare(files);
    files.FailAtCall(call);
    const bool taken = TakeOut(files, kDigest).has_value();
    const bool done = taken && RemoveTakenOut(files).has_value();
    files.FailAtCall(0);
    const auto after = files.AfterPowerCut();
    for (MemoryFiles* disk : {after.get(), &files}) {
      const Snapshot left = Below(*disk, "store/" + kDigest);
      EXPECT_TRUE(left.empty() || left == whole_) << "call " << call;
      if (disk == after.get()) {
        EXPECT_TRUE(left.empty() || !taken) << "call " << call << ": said gone, but it is there";
        ++(left.empty() ? gone : whole);
      }
      EXPECT_EQ(Below(*disk, "store/" + kOther), other_) << "call " << call;
      // What the next start does.
      ASSERT_TRUE(RemoveTakenOut(*disk));
      EXPECT_TRUE(Below(*disk, "store/removed-").empty());
      EXPECT_EQ(Below(*disk, "store/" + kDigest), left) << "call " << call;
    }
    if (done) break;
    ASSERT_LT(call, 100);
  }
  EXPECT_GT(whole, 0);
  EXPECT_GT(gone, 3);
}

// Removed, imported again and removed again, while the first removal was not finished.
TEST_F(StoreRemovalTest, WhatAnEarlierRemovalLeftIsNoObstacle) {
  ASSERT_TRUE(TakeOut(files_, kDigest));
  Put(files_, "store/" + kDigest + "/import.json");
  ASSERT_TRUE(TakeOut(files_, kDigest));
  ASSERT_TRUE(RemoveTakenOut(files_));
  EXPECT_EQ(files_.List("store").value().size(), 1u);
}

}  // namespace
}  // namespace skerry::admin
