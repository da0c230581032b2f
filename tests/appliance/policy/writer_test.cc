#include "appliance/policy/writer.h"

#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"
#include "appliance/policy/document.h"

namespace skerry::policy {
namespace {

using testing::MemoryFiles;

std::vector<Op> Put(const std::string& name) { return {PutAlias{{name, {}, false}}}; }

Policy Read(FileSystem& files) {
  Result<ReadOutcome> read = ReadPolicy(files);
  EXPECT_TRUE(read.has_value()) << read.error().message();
  return read ? read->policy : Policy();
}

TEST(PolicyWriterTest, BeginsWithAKeyAndGenerationOne) {
  MemoryFiles files;
  auto writer = Writer::Open(files).value();
  EXPECT_EQ(writer->policy().generation, 1u);
  EXPECT_EQ(Read(files).generation, 1u);
  EXPECT_EQ(ReadKey(files).value().bytes(), writer->key().bytes());
  EXPECT_EQ(writer->Publish(Put("a")).value(), 2u);
  EXPECT_EQ(writer->Publish(Put("b")).value(), 3u);
  EXPECT_EQ(Read(files), writer->policy());
  // A second start goes on.
  auto again = Writer::Open(files).value();
  EXPECT_EQ(again->key().bytes(), writer->key().bytes());
  EXPECT_TRUE(again->warnings().empty());
  EXPECT_EQ(again->Publish(Put("c")).value(), 4u);
  EXPECT_EQ(Read(files).aliases.size(), 3u);
}

TEST(PolicyWriterTest, RefusalsChangeNothing) {
  MemoryFiles files;
  auto writer = Writer::Open(files).value();
  const int calls = files.calls();
  EXPECT_EQ(writer->Publish({DeleteToken{"0123456789ab"}}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(writer->Publish(Put("not a name")).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(files.calls(), calls);
  EXPECT_EQ(writer->policy().generation, 1u);
}

TEST(PolicyWriterTest, CompactsAndKeepsThePreviousBase) {
  MemoryFiles files;
  auto writer = Writer::Open(files).value();
  for (uint64_t i = 0; i < 2 * kMaxDeltaLines + 5; ++i) {
    ASSERT_TRUE(writer->Publish(Put("a" + std::to_string(i % 7))).has_value());
  }
  EXPECT_EQ(Read(files), writer->policy());
  EXPECT_FALSE(files.Exists(BaseName(1)));
  EXPECT_FALSE(files.Exists(DeltaName(1)));
  EXPECT_TRUE(files.Exists(BaseName(1 + kMaxDeltaLines)));
  EXPECT_TRUE(files.Exists(BaseName(1 + 2 * kMaxDeltaLines)));
  // The newest base damaged: everything can still be read.
  ASSERT_TRUE(files.OpenAppend(BaseName(1 + 2 * kMaxDeltaLines), 0600).value()->Truncate(9));
  EXPECT_EQ(Read(files), writer->policy());
}

TEST(PolicyWriterTest, CutsATornLine) {
  MemoryFiles files;
  {
    auto writer = Writer::Open(files).value();
    ASSERT_TRUE(writer->Publish(Put("a")).has_value());
  }
  ASSERT_TRUE(files.OpenAppend(DeltaName(1), 0600).value()->Append(AsBytes("{\"gen")));
  auto writer = Writer::Open(files).value();
  EXPECT_TRUE(writer->warnings().empty());
  EXPECT_EQ(writer->Publish(Put("b")).value(), 3u);
  EXPECT_EQ(Read(files).aliases.size(), 2u);
}

TEST(PolicyWriterTest, RepairsDamageAboveEveryNumberSeen) {
  MemoryFiles files;
  {
    auto writer = Writer::Open(files).value();
    ASSERT_TRUE(writer->Publish(Put("a")).has_value());
  }
  const std::string more = "{}\n" + EncodeDelta({4, Put("b")}) + "\n";
  ASSERT_TRUE(files.OpenAppend(DeltaName(1), 0600).value()->Append(AsBytes(more)));
  auto writer = Writer::Open(files).value();
  EXPECT_EQ(writer->warnings().size(), 1u);
  EXPECT_EQ(writer->policy().generation, 5u);
  EXPECT_EQ(writer->Publish(Put("c")).value(), 6u);
  const Policy policy = Read(files);
  EXPECT_EQ(policy.generation, 6u);
  EXPECT_NE(policy.FindAlias("a"), nullptr);
  EXPECT_EQ(policy.FindAlias("b"), nullptr);
}

TEST(PolicyWriterTest, AMissingKeyIsNotReplacedSilently) {
  MemoryFiles files;
  ASSERT_TRUE(Writer::Open(files).has_value());
  ASSERT_TRUE(files.Remove("key").has_value());
  const auto writer = Writer::Open(files);
  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code(), ErrorCode::kCorrupt);
}

// Every call fails once, and after every call the power is cut: a reader sees a whole state that
// the writer was asked for, and never less than what Publish returned.
TEST(PolicyWriterTest, PowerCutAtEveryCall) {
  constexpr int kChanges = 6;
  for (int fail_at = 1; fail_at < 60; ++fail_at) {
    MemoryFiles files;
    files.FailAtCall(fail_at);
    int acknowledged = -1;  // -1: not even opened
    int tried = -1;
    auto writer = Writer::Open(files);
    if (writer) acknowledged = tried = 0;
    for (int i = 0; writer && i < kChanges; ++i) {
      tried = i + 1;
      if (!(*writer)->Publish(Put("n" + std::to_string(i)))) break;
      acknowledged = tried;
    }
    for (const bool lose_unsynced : {true, false}) {
      std::unique_ptr<MemoryFiles> after = lose_unsynced ? files.AfterPowerCut() : nullptr;
      files.FailAtCall(0);
      MemoryFiles& disk = lose_unsynced ? *after : files;
      const Result<ReadOutcome> read = ReadPolicy(disk);
      if (acknowledged >= 0) {
        ASSERT_TRUE(read.has_value()) << fail_at << ": " << read.error().message();
        EXPECT_TRUE(read->warnings.empty()) << fail_at;
        const int seen = static_cast<int>(read->policy.aliases.size());
        EXPECT_GE(seen, acknowledged) << fail_at;
        EXPECT_LE(seen, tried) << fail_at;
        EXPECT_EQ(read->policy.generation, static_cast<uint64_t>(seen) + 1);
      }
      // And a new writer goes on from there, above what any reader saw.
      auto next = Writer::Open(disk);
      ASSERT_TRUE(next.has_value()) << fail_at << ": " << next.error().message();
      const uint64_t seen_generation = read ? read->policy.generation : 0;
      EXPECT_GT((*next)->Publish(Put("later")).value(), seen_generation);
      EXPECT_EQ(Read(disk), (*next)->policy());
    }
    if (acknowledged == kChanges) return;  // no call was left to fail
  }
  FAIL() << "the sequence has more calls than expected";
}

// The disk works again: the same writer goes on with a number no reader can have seen.
TEST(PolicyWriterTest, GoesOnAfterAFailedCall) {
  // Create, append, sync, sync of the directory.
  for (int fail_at = 1; fail_at <= 4; ++fail_at) {
    MemoryFiles files;
    auto writer = Writer::Open(files).value();
    files.FailAtCall(fail_at);
    ASSERT_EQ(writer->Publish(Put("a")).error().code(), ErrorCode::kIo);
    EXPECT_EQ(writer->policy().aliases.size(), 0u);
    EXPECT_FALSE(writer->Publish(Put("b")).has_value());
    files.FailAtCall(0);
    EXPECT_GT(writer->Publish(Put("c")).value(), 2u);
    EXPECT_EQ(Read(*files.AfterPowerCut()), writer->policy());
    EXPECT_EQ(writer->policy().aliases.size(), 1u);
  }
}

}  // namespace
}  // namespace skerry::policy
