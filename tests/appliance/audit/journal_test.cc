#include "appliance/audit/journal.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/audit/verify.h"
#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::audit {
namespace {

using testing::MemoryFiles;

Json Fields(int number = 0) {
  return {{"event", {{"action", "request-admitted"}}},
          {"user", {{"id", "0123456789ab"}}},
          {"skerry", {{"lease", number}}}};
}

std::unique_ptr<Writer> Open(FileSystem& files, const WriterOptions& options = {}) {
  Result<std::unique_ptr<Writer>> writer = Writer::Open(files, "api", RealClock(), options);
  EXPECT_TRUE(writer.has_value()) << writer.error().message();
  return writer ? std::move(*writer) : nullptr;
}

Verification Verify(FileSystem& files) {
  Result<Verification> verified = VerifyJournal(files);
  EXPECT_TRUE(verified.has_value()) << verified.error().message();
  return verified ? *verified : Verification();
}

TEST(JournalTest, RecordsHaveTheDocumentedFields) {
  MemoryFiles files;
  FakeClock clock(1'700'000'000'123);
  auto writer = Writer::Open(files, "api", clock).value();
  EXPECT_EQ(writer->AppendAndWait(Fields(5)).value(), 1u);
  Json refused = Fields();
  refused["event"]["outcome"] = "failure";
  EXPECT_EQ(writer->AppendAndWait(refused).value(), 2u);
  const std::vector<std::string> lines = LastRecords(files, 10).value();
  ASSERT_EQ(lines.size(), 2u);
  const Json first = ParseJson(lines[0]).value();
  EXPECT_EQ(first["@timestamp"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(first["ecs"]["version"], "8.11.0");
  EXPECT_EQ(first["event"]["kind"], "event");
  EXPECT_EQ(first["event"]["dataset"], "skerry.audit");
  EXPECT_EQ(first["event"]["action"], "request-admitted");
  EXPECT_EQ(first["event"]["outcome"], "success");
  EXPECT_EQ(first["event"]["sequence"], 1);
  EXPECT_EQ(first["event"]["id"].get<std::string>().size(), 32u);
  EXPECT_EQ(first["skerry"]["lease"], 5);
  EXPECT_EQ(first["skerry"]["chain"]["writer"], "api");
  EXPECT_EQ(first["skerry"]["chain"]["prev"], std::string(64, '0'));
  const Json second = ParseJson(lines[1]).value();
  EXPECT_EQ(second["event"]["outcome"], "failure");
  EXPECT_EQ(second["skerry"]["chain"]["prev"], Sha256::Of(lines[0]).Hex());
  EXPECT_NE(second["event"]["id"], first["event"]["id"]);
}

TEST(JournalTest, RefusesBadRecords) {
  MemoryFiles files;
  auto writer = Open(files);
  EXPECT_EQ(writer->AppendAndWait(Json::object()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer->AppendAndWait({{"event", 1}}).error().code(), ErrorCode::kInvalidArgument);
  Json large = Fields();
  large["user"]["name"] = std::string(kMaxRecordBytes, 'x');
  EXPECT_EQ(writer->AppendAndWait(large).error().code(), ErrorCode::kExhausted);
  EXPECT_EQ(writer->AppendAndWait(Fields()).value(), 1u);
}

TEST(JournalTest, GoesOnAfterARestartAndOverSegments) {
  MemoryFiles files;
  constexpr int kRecords = 30;
  for (int i = 0; i < kRecords; ++i) {
    auto writer = Open(files, {.max_segment_bytes = 1500});
    EXPECT_EQ(writer->AppendAndWait(Fields(i)).value(), static_cast<uint64_t>(i) + 1);
  }
  const Verification verified = Verify(files);
  EXPECT_FALSE(verified.broken.has_value()) << verified.broken->message;
  EXPECT_EQ(verified.records, static_cast<uint64_t>(kRecords));
  EXPECT_GT(verified.segments, 3u);
  EXPECT_EQ(verified.writer, "api");
  EXPECT_EQ(LastRecords(files, 7).value().size(), 7u);
  EXPECT_EQ(LastRecords(files, 1000).value().size(), static_cast<size_t>(kRecords));
}

TEST(JournalTest, ManyThreadsShareSyncs) {
  MemoryFiles files;
  std::atomic<int> durable = 0;
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  {
    auto writer = Open(files);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) {
          const Result<void> queued =
              writer->Append(Fields(i), [&](const Result<uint64_t>& result) {
                if (result) ++durable;
              });
          ASSERT_TRUE(queued.has_value());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }  // writes what is queued
  EXPECT_EQ(durable, kThreads * kEach);
  const Verification verified = Verify(files);
  EXPECT_FALSE(verified.broken.has_value());
  EXPECT_EQ(verified.records, static_cast<uint64_t>(kThreads * kEach));
  EXPECT_EQ(Verify(*files.AfterPowerCut()).records, verified.records);
}

// The first record's callback holds the writing thread, so everything else waits and goes with one
// append and one sync.
TEST(JournalTest, CommitsAGroupWithOneSync) {
  MemoryFiles files;
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  std::promise<void> blocked;
  auto writer = Open(files);
  ASSERT_TRUE(writer->Append(Fields(), [&](const Result<uint64_t>&) {
    blocked.set_value();
    gone.wait();
  }));
  blocked.get_future().wait();
  const int calls = files.calls();
  for (int i = 0; i < 99; ++i) {
    ASSERT_TRUE(writer->Append(Fields(), [](const Result<uint64_t>&) {}));
  }
  go.set_value();
  EXPECT_EQ(writer->AppendAndWait(Fields()).value(), 101u);
  EXPECT_LE(files.calls() - calls, 4);
}

TEST(JournalTest, AFullQueueRefuses) {
  MemoryFiles files;
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  std::promise<void> blocked;
  auto writer = Open(files, {.max_queued_records = 2});
  ASSERT_TRUE(writer->Append(Fields(), [&](const Result<uint64_t>&) {
    blocked.set_value();
    gone.wait();
  }));
  blocked.get_future().wait();
  EXPECT_TRUE(writer->Append(Fields(), [](const Result<uint64_t>&) {}).has_value());
  EXPECT_TRUE(writer->Append(Fields(), [](const Result<uint64_t>&) {}).has_value());
  EXPECT_EQ(writer->Append(Fields(), [](const Result<uint64_t>&) {}).error().code(),
            ErrorCode::kExhausted);
  go.set_value();
}

TEST(JournalTest, CutsATornLine) {
  MemoryFiles files;
  {
    auto writer = Open(files);
    ASSERT_TRUE(writer->AppendAndWait(Fields(1)).has_value());
  }
  ASSERT_TRUE(files.OpenAppend(SegmentName(1), 0600).value()->Append(AsBytes("{\"torn")));
  EXPECT_EQ(Verify(files).torn_bytes, 6u);
  {
    auto writer = Open(files);
    EXPECT_EQ(writer->torn_bytes(), 6u);
    EXPECT_EQ(writer->AppendAndWait(Fields(2)).value(), 2u);
  }
  const Verification verified = Verify(files);
  EXPECT_FALSE(verified.broken.has_value());
  EXPECT_EQ(verified.records, 2u);
  EXPECT_EQ(verified.torn_bytes, 0u);
}

TEST(JournalTest, OnlyATornFirstLine) {
  MemoryFiles files;
  ASSERT_TRUE(files.Create(SegmentName(1), 0600).value()->Append(AsBytes("{\"torn")));
  auto writer = Open(files);
  EXPECT_EQ(writer->AppendAndWait(Fields()).value(), 1u);
  EXPECT_FALSE(Verify(files).broken.has_value());
}

TEST(JournalTest, RefusesAnUnreadableEnd) {
  for (const std::string bad : {"garbage\n", "{}\n"}) {
    MemoryFiles files;
    {
      auto writer = Open(files);
      ASSERT_TRUE(writer->AppendAndWait(Fields()).has_value());
    }
    ASSERT_TRUE(files.OpenAppend(SegmentName(1), 0600).value()->Append(AsBytes(bad)));
    EXPECT_EQ(Writer::Open(files, "api").error().code(), ErrorCode::kCorrupt);
  }
  MemoryFiles files;
  ASSERT_TRUE(files.Create(SegmentName(9), 0600).has_value());
  EXPECT_EQ(Writer::Open(files, "api").error().code(), ErrorCode::kCorrupt);
}

TEST(JournalTest, RefusesAnotherWritersJournal) {
  MemoryFiles files;
  {
    auto writer = Open(files);
    ASSERT_TRUE(writer->AppendAndWait(Fields()).has_value());
  }
  EXPECT_EQ(Writer::Open(files, "admin").error().code(), ErrorCode::kCorrupt);
}

// Every call fails in turn (and all later ones, until the disk comes back). What was reported
// durable is there after a power cut, the chain holds, and the writer goes on in a new segment.
TEST(JournalTest, FailureAndPowerCutAtEveryCall) {
  constexpr int kRecords = 8;
  for (const bool comes_back : {false, true}) {
    for (int fail_at = 1; fail_at < 80; ++fail_at) {
      MemoryFiles files;
      files.FailAtCall(fail_at);
      std::vector<uint64_t> durable;
      bool failed = false;
      Result<std::unique_ptr<Writer>> writer =
          Writer::Open(files, "api", RealClock(), {.max_segment_bytes = 1000});
      if (writer) {
        for (int i = 0; i < kRecords; ++i) {
          const Result<uint64_t> sequence = (*writer)->AppendAndWait(Fields(i));
          if (sequence) {
            durable.push_back(*sequence);
          } else {
            failed = true;
            if (comes_back) files.FailAtCall(0);
          }
        }
        writer->reset();
      }
      files.FailAtCall(0);
      for (size_t i = 0; i < durable.size(); ++i) EXPECT_EQ(durable[i], i + 1);
      for (const bool power_cut : {true, false}) {
        std::unique_ptr<MemoryFiles> after = power_cut ? files.AfterPowerCut() : nullptr;
        MemoryFiles& disk = power_cut ? *after : files;
        const Verification verified = Verify(disk);
        EXPECT_FALSE(verified.broken.has_value()) << fail_at << ": " << verified.broken->message;
        EXPECT_GE(verified.records, durable.size()) << fail_at;
        auto next = Open(disk, {.max_segment_bytes = 1000});
        ASSERT_NE(next, nullptr) << fail_at;
        EXPECT_GT(next->AppendAndWait(Fields()).value(), durable.size());
        next.reset();
        EXPECT_FALSE(Verify(disk).broken.has_value()) << fail_at;
      }
      if (!failed && writer) {
        EXPECT_GT(fail_at, kRecords);
        break;
      }
    }
  }
}

TEST(JournalTest, OnARealDisk) {
  testing::TemporaryDirectory directory;
  auto files = OpenFiles(directory.path()).value();
  {
    auto writer = Open(*files, {.max_segment_bytes = 4000});
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(writer->AppendAndWait(Fields(i)).has_value());
  }
  {
    auto writer = Open(*files, {.max_segment_bytes = 4000});
    EXPECT_EQ(writer->AppendAndWait(Fields()).value(), 41u);
  }
  const Verification verified = Verify(*files);
  EXPECT_FALSE(verified.broken.has_value());
  EXPECT_EQ(verified.records, 41u);
}

}  // namespace
}  // namespace skerry::audit
