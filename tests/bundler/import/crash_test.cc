// Imports that end in the middle: power cuts, full disks, media that are pulled. Afterwards the
// store has the whole model or nothing, and the next try completes it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/format/layout.h"
#include "bundler/import/journal.h"
#include "tests/bundler/import/import_world.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::SplitByHand;
using skerry::testing::StringFile;
using ::testing::HasSubstr;

constexpr int kMostCalls = 600;

// Says that there is room whatever the disk has, as if somebody else fills it meanwhile.
class FillingFiles : public MemoryFiles {
 public:
  Result<uint64_t> FreeBytes() override { return uint64_t{1} << 40; }
};

class CrashTest : public ImportWorld {
 protected:
  CrashTest() : complete_(Complete()) {}

  // Nothing or all. Whether it is all.
  bool StoreIsWhole(const MemoryFiles& files, const std::string& when) {
    const Snapshot store = Below(files, "store/");
    if (!store.empty()) {
      EXPECT_EQ(store, complete_) << when;
    }
    return !store.empty();
  }

  // Stops `import` at each of its changing calls in turn, cuts the power and imports again.
  // `before` brings the disk into the state in which it begins.
  void CutEverywhere(const std::function<void(MemoryFiles&)>& before,
                     const std::vector<std::string>& media) {
    int nothing = 0, all = 0;
    for (int call = 1;; ++call) {
      const std::string when = "call " + std::to_string(call);
      MemoryFiles files;
      Prepare(files);
      before(files);
      files.FailAtCall(call);
      const bool done = Import(files, media).has_value();
      // The program is killed, the machine goes on.
      files.FailAtCall(0);
      const bool seen = StoreIsWhole(files, when);
      const auto after = files.AfterPowerCut();
      const bool kept = StoreIsWhole(*after, when);
      ++(kept ? all : nothing);
      EXPECT_TRUE(kept || !done) << when << ": said done, but it is lost";
      for (MemoryFiles* disk : {after.get(), &files}) {
        const Result<ImportResult> again = Import(*disk, media);
        ASSERT_TRUE(again) << when << ": " << again.error().message();
        EXPECT_EQ(again->already_present, disk == &files ? seen : kept);
        EXPECT_EQ(Below(*disk, "store/"), complete_) << when;
        EXPECT_TRUE(Below(*disk, "staging/").empty()) << when;
      }
      if (done) break;
      ASSERT_LT(call, kMostCalls);
    }
    EXPECT_GT(nothing, 10);
    EXPECT_GT(all, 0);
  }

  // A try that stops in the middle, with some chunks recorded.
  void StopHalfway(MemoryFiles& files) {
    std::string damaged = bundle_;
    damaged[bundle_.find("more text")] ^= 1;
    options_.copy.threads = 1;
    ASSERT_FALSE(Import(files, damaged));
    const auto state = Journal::Read(files, JournalPath(digest_)).value();
    ASSERT_TRUE(state && !state->ranges.empty());
  }

  Snapshot complete_;
};

TEST_F(CrashTest, PowerCutAtEveryCallOfAnImport) {
  CutEverywhere([](MemoryFiles&) {}, {bundle_});
}

TEST_F(CrashTest, PowerCutAtEveryCallOfAResume) {
  CutEverywhere([this](MemoryFiles& files) { StopHalfway(files); }, {bundle_});
}

TEST_F(CrashTest, PowerCutAtEveryCallOfAnImportOfVolumes) {
  const std::vector<std::string> volumes = SplitByHand(bundle_, 2);
  CutEverywhere([](MemoryFiles&) {}, {volumes[2], volumes[0], volumes[1]});
}

TEST_F(CrashTest, PowerCutAtEveryCallOfTheLastVolume) {
  const std::vector<std::string> volumes = SplitByHand(bundle_, 2);
  CutEverywhere(
      [&](MemoryFiles& files) {
        ASSERT_FALSE(Import(files, std::vector<std::string>{volumes[0], volumes[2]}));
      },
      {volumes[1], volumes[0], volumes[2]});
}

TEST_F(CrashTest, AFullDiskAtEveryWrite) {
  size_t total = 0;
  for (const auto& [path, content] : complete_) total += content.size();
  int completed = 0;
  for (uint64_t room = 0; room < 2 * total; room += 101) {
    FillingFiles files;
    Prepare(files);
    files.SetFreeBytes(room);
    const Result<ImportResult> result = Import(files, bundle_);
    const std::string when = "room " + std::to_string(room);
    EXPECT_EQ(StoreIsWhole(files, when), result.has_value());
    if (!result) {
      EXPECT_EQ(result.error().code(), ErrorCode::kExhausted) << result.error().message();
      files.SetFreeBytes(1 << 30);
      EXPECT_TRUE(Import(files, bundle_)) << when;
    }
    EXPECT_EQ(Below(files, "store/"), complete_);
    EXPECT_TRUE(Below(files, "staging/").empty());
    completed += result.has_value();
  }
  EXPECT_GT(completed, 0);
}

TEST_F(CrashTest, MediumPulledAtEveryRead) {
  options_.copy.threads = 1;
  int reads = 0;
  {
    MemoryFiles files;
    Prepare(files);
    const StringFile medium(bundle_);
    ASSERT_TRUE(Import(files, {&medium}));
    reads = medium.reads();
  }
  bool kept = false;
  for (int n = 1; n <= reads; ++n) {
    MemoryFiles files;
    Prepare(files);
    StringFile medium(bundle_);
    medium.FailAtRead(n);
    const Result<ImportResult> result = Import(files, {&medium});
    ASSERT_FALSE(result) << "read " << n;
    EXPECT_EQ(result.error().code(), ErrorCode::kIo);
    EXPECT_THAT(result.error().message(), HasSubstr("v1.skb"));
    EXPECT_TRUE(Below(files, "store/").empty());
    kept = kept || !Below(files, "staging/").empty();
    const auto after = files.AfterPowerCut();
    const StringFile again(bundle_);
    ASSERT_TRUE(Import(*after, {&again})) << "read " << n;
    EXPECT_EQ(Below(*after, "store/"), complete_);
    // What was copied is not read again.
    if (n == reads) {
      EXPECT_LT(again.reads(), reads);
    }
  }
  EXPECT_TRUE(kept);
}

// Chunks recorded last are compared with their hashes; when they do not hold, nothing that was
// recorded counts.
TEST_F(CrashTest, ARecordThatDoesNotHoldIsDropped) {
  int dropped = 0;
  uint64_t resumed = 1;
  options_.progress = [&](const ImportProgress& progress) { resumed = progress.resumed_bytes; };
  for (size_t file = 0;; ++file) {
    MemoryFiles files;
    Prepare(files);
    StopHalfway(files);
    const Snapshot staged = Below(files, "staging/" + digest_ + "/model/files/");
    std::vector<std::string> paths;
    for (const auto& [path, content] : staged) {
      if (!path.ends_with("/") && !content.empty()) paths.push_back(path);
    }
    if (file == paths.size()) break;
    auto damaged = files.OpenWrite(paths[file]).value();
    ASSERT_TRUE(damaged->WriteAt(0, AsBytes("\xff")));
    const Result<ImportResult> result = Import(files, bundle_);
    ASSERT_TRUE(result) << result.error().message();
    if (resumed == 0) {
      ++dropped;
      EXPECT_EQ(Below(files, "store/"), complete_) << paths[file];
    }
  }
  EXPECT_GT(dropped, 0);
}

TEST_F(CrashTest, FilesThatLostTheirSizeAreCopiedAnew) {
  MemoryFiles files;
  Prepare(files);
  StopHalfway(files);
  const Snapshot staged = Below(files, "staging/" + digest_ + "/model/files/");
  for (const auto& [path, content] : staged) {
    if (path.ends_with("/")) continue;
    ASSERT_TRUE(files.OpenAppend(path, 0644).value()->Append(AsBytes("longer")));
  }
  ASSERT_TRUE(Import(files, bundle_));
  EXPECT_EQ(Below(files, "store/"), complete_);
}

TEST_F(CrashTest, TrustIsAskedAgainWhenAnImportGoesOn) {
  MemoryFiles files;
  Prepare(files);
  StopHalfway(files);
  trust_.revocations.sequence = 1;
  trust_.revocations.keys.insert(office_.keys[0].public_key().Id());
  const Result<ImportResult> result = Import(files, bundle_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kUntrusted);
  EXPECT_TRUE(Below(files, "store/").empty());
  EXPECT_FALSE(Below(files, "staging/").empty()) << "not this import's to remove";
}

}  // namespace
}  // namespace skerry::import
