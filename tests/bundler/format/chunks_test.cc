#include "bundler/format/chunks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

namespace skerry::format {
namespace {

ChunkWork Collect(uint64_t count, unsigned threads, std::vector<uint64_t>& order) {
  ChunkWork work;
  work.count = count;
  work.buffer_bytes = 8;
  work.threads = threads;
  work.produce = [](uint64_t idx, std::span<uint8_t> buffer) -> Result<size_t> {
    buffer[0] = static_cast<uint8_t>(idx);
    return size_t{1} + idx % 8;
  };
  work.consume = [&order](uint64_t idx, std::span<const uint8_t> bytes) -> Result<void> {
    EXPECT_EQ(bytes.size(), 1 + idx % 8);
    EXPECT_EQ(bytes[0], static_cast<uint8_t>(idx));
    order.push_back(idx);
    return {};
  };
  return work;
}

TEST(ChunksTest, ConsumesEachOnceInOrder) {
  for (const unsigned threads : {1U, 2U, 7U}) {
    for (const uint64_t count : {0U, 1U, 2U, 250U}) {
      std::vector<uint64_t> order;
      ASSERT_TRUE(RunChunks(Collect(count, threads, order)));
      ASSERT_EQ(order.size(), count);
      for (uint64_t i = 0; i < count; ++i) EXPECT_EQ(order[i], i);
    }
  }
}

TEST(ChunksTest, ReportsTheLowestFailureAndStops) {
  for (const unsigned threads : {1U, 4U}) {
    std::vector<uint64_t> order;
    ChunkWork work = Collect(100, threads, order);
    work.produce = [](uint64_t idx, std::span<uint8_t> buffer) -> Result<size_t> {
      if (idx == 40 || idx == 41) return Error(ErrorCode::kCorrupt, "chunk " + std::to_string(idx));
      buffer[0] = static_cast<uint8_t>(idx);
      return size_t{1} + idx % 8;
    };
    const Result<void> result = RunChunks(work);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "chunk 40");
    EXPECT_EQ(order.size(), 40U);
  }
}

TEST(ChunksTest, ConsumerFailureStopsProducers) {
  std::vector<uint64_t> order;
  ChunkWork work = Collect(100000, 4, order);
  std::atomic<uint64_t> produced = 0;
  work.produce = [&](uint64_t, std::span<uint8_t>) -> Result<size_t> {
    ++produced;
    return size_t{0};
  };
  work.consume = [](uint64_t idx, std::span<const uint8_t>) -> Result<void> {
    if (idx == 5) return Error(ErrorCode::kIo, "disk full");
    return {};
  };
  const Result<void> result = RunChunks(work);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "disk full");
  EXPECT_LE(produced, 6U + 4U);
}

TEST(ParallelTest, RunsEachOnceAndNobodyWaits) {
  for (const unsigned threads : {0U, 1U, 3U}) {
    for (const uint64_t count : {0U, 1U, 500U}) {
      std::vector<std::atomic<int>> runs(count);
      ParallelWork work;
      work.count = count;
      work.buffer_bytes = 16;
      work.threads = threads;
      work.run = [&](uint64_t idx, std::span<uint8_t> buffer) -> Result<void> {
        EXPECT_EQ(buffer.size(), 16U);
        ++runs[idx];
        return {};
      };
      ASSERT_TRUE(RunParallel(work));
      for (const std::atomic<int>& run : runs) EXPECT_EQ(run, 1);
    }
  }
}

TEST(ParallelTest, ReportsTheLowestFailureAndStops) {
  for (const unsigned threads : {1U, 4U}) {
    std::atomic<uint64_t> runs = 0;
    ParallelWork work;
    work.count = 100000;
    work.threads = threads;
    work.run = [&](uint64_t idx, std::span<uint8_t>) -> Result<void> {
      ++runs;
      if (idx >= 40) return Error(ErrorCode::kCorrupt, "chunk " + std::to_string(idx));
      return {};
    };
    const Result<void> result = RunParallel(work);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "chunk 40");
    EXPECT_LE(runs, 40U + 4U);
  }
}

}  // namespace
}  // namespace skerry::format
