// Attacks on an import from within: a medium that is another one at each read, and disks that fail
// where a release is compared with its floor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/format/layout.h"
#include "tests/bundler/failing_reads.h"
#include "tests/bundler/import/import_world.h"

namespace skerry::import {
namespace {

using skerry::testing::FailingReads;
using skerry::testing::MemoryFiles;
using skerry::testing::StringFile;

class AttackImportTest : public ImportWorld {};

// Gives `before` for the first reads and `after` for the others: a stick that is pulled and put
// back, or one whose controller knows that the check is over.
class ChangingFile : public File {
 public:
  ChangingFile(std::string before, std::string after, int change_at)
      : before_(std::move(before)), after_(std::move(after)), change_at_(change_at) {}
  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    return (++reads_ < change_at_ ? before_ : after_).ReadAt(offset, out);
  }
  Result<uint64_t> Size() const override { return before_.Size(); }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }
  int reads() const { return reads_; }

 private:
  static Error ReadOnly() { return Error(ErrorCode::kInternal, "read-only"); }
  StringFile before_, after_;
  const int change_at_;
  mutable int reads_ = 0;
};

TEST_F(AttackImportTest, AMediumThatChangesWhileItIsRead) {
  options_.copy.threads = 1;
  // Another release by the officer himself, and one that nobody signed.
  const skerry::testing::ReleaseOffice stranger;
  std::map<std::string, std::string> model = Model();
  model["merges.txt"] = "evil text";
  const std::vector<std::string> others = {Release(2),
                                           office_.Pack(model, office_.Options()).value(),
                                           stranger.Pack(model, stranger.Options()).value()};
  std::map<std::string, Snapshot> complete = {{digest_, Complete()}};
  for (const std::string& other : {others[0], others[1]}) {
    MemoryFiles files;
    Prepare(files);
    ASSERT_TRUE(Import(files, other));
    complete[DigestOf(other)] = Below(files, "store/");
  }
  for (const std::string& other : others) {
    for (int at = 1;; ++at) {
      MemoryFiles files;
      Prepare(files);
      const ChangingFile medium(bundle_, other, at);
      const Result<ImportResult> result = Import(files, {&medium});
      const Snapshot store = Below(files, "store/");
      // One of those that the officer signed, as a whole, or none.
      EXPECT_EQ(store, result ? complete.at(result->digest) : Snapshot()) << at;
      if (medium.reads() < at) {  // it was never exchanged
        EXPECT_TRUE(result);
        EXPECT_GT(at, 20);
        break;
      }
    }
  }
}

TEST_F(AttackImportTest, AFailedReadLetsNoOlderReleaseIn) {
  const std::string older = Release(4), newer = Release(5);
  for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kExhausted}) {
    for (int n = 1;; ++n) {
      FailingReads files;
      Prepare(files);
      ASSERT_TRUE(Import(files, newer));
      const Snapshot before = Below(files, "store/");
      files.FailAtRead(n, code);
      EXPECT_FALSE(Import(files, older)) << "read " << n;
      EXPECT_EQ(Below(files, "store/"), before) << "read " << n;
      if (files.reads() < n) {
        EXPECT_GT(n, 5);
        break;
      }
    }
  }
}

TEST_F(AttackImportTest, AFailedReadLeavesNothingHalf) {
  const Snapshot complete = Complete();
  options_.copy.threads = 1;
  int failed = 0;
  for (int n = 1, reads = 1; n <= reads; ++n) {
    FailingReads files;
    Prepare(files);
    // Something to go on from, so that its record and files are read, too.
    std::string damaged = bundle_;
    damaged[bundle_.find("more text")] ^= 1;
    ASSERT_FALSE(Import(files, damaged));
    files.FailAtRead(n);
    const Result<ImportResult> result = Import(files, bundle_);
    reads = files.reads() < n ? reads : n + 1;  // as long as there is one to fail
    files.FailAtRead(0);
    failed += !result;
    const Snapshot store = Below(files, "store/");
    EXPECT_TRUE(store.empty() || store == complete) << "read " << n;
    EXPECT_TRUE(!result || store == complete) << "read " << n;
    const Result<ImportResult> again = Import(files, bundle_);
    ASSERT_TRUE(again) << "read " << n << ": " << again.error().message();
    EXPECT_TRUE(Below(files, "store/") == complete) << "read " << n;
  }
  EXPECT_GT(failed, 5);
}

}  // namespace
}  // namespace skerry::import
