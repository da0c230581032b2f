#include "bundler/import/journal.h"

#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;

constexpr char kPath[] = "progress";

JournalHead Head() {
  return {"sha256-ab", "acme/tiny", "1.0.0", 3, 1000, 4'000'000'000, "2026-01-02T03:04:05.678Z"};
}

std::string Text(MemoryFiles& files) { return ReadAll(files, kPath).value(); }

void Put(MemoryFiles& files, const std::string& text) {
  ASSERT_TRUE(WriteAtomically(files, kPath, text));
}

TEST(JournalTest, WhatWasAddedIsReadBack) {
  MemoryFiles files;
  Journal journal = Journal::Start(files, kPath, {Head(), {{0, 64, 100}}}).value();
  ASSERT_TRUE(journal.Add({{{64, 64, 200}, {900, 100, 300}}}));
  ASSERT_TRUE(journal.Add({}));
  const auto after = files.AfterPowerCut();
  const std::optional<JournalState> state = Journal::Read(*after, kPath).value();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->head, Head());
  EXPECT_EQ(state->ranges,
            (std::vector<RecordedChunks>{{0, 64, 100}, {64, 64, 200}, {900, 100, 300}}));
}

TEST(JournalTest, NothingToGoOnFrom) {
  MemoryFiles files;
  EXPECT_FALSE(Journal::Read(files, kPath).value());
  for (const char* text : {"", "\n", "{}\n", "garbage", "0123456789abcdef\n"}) {
    Put(files, text);
    EXPECT_FALSE(Journal::Read(files, kPath).value()) << text;
  }
}

// Cut anywhere, the lines before the cut count and nothing else does.
TEST(JournalTest, TornTailsAreIgnored) {
  MemoryFiles files;
  Journal journal = Journal::Start(files, kPath, {Head(), {}}).value();
  ASSERT_TRUE(journal.Add({{{0, 64, 100}, {64, 36, 50}}}));
  const std::string whole = Text(files);
  const size_t head_end = whole.find('\n') + 1;
  const size_t first_end = whole.find('\n', head_end) + 1;
  for (size_t size = 0; size <= whole.size(); ++size) {
    for (const std::string& tail : {std::string(), std::string(100, '\0'), std::string("\n")}) {
      Put(files, whole.substr(0, size) + tail);
      const std::optional<JournalState> state = Journal::Read(files, kPath).value();
      // A line feed that happens to be the missing one makes the line whole.
      const size_t kept = size + (tail == "\n" ? 1 : 0);
      ASSERT_EQ(state.has_value(), kept >= head_end) << size;
      if (!state) continue;
      EXPECT_EQ(state->ranges.size(), kept >= whole.size() ? 2U : kept >= first_end ? 1U : 0U);
    }
  }
}

TEST(JournalTest, AFlippedBitEndsTheRecordThere) {
  MemoryFiles files;
  Journal journal = Journal::Start(files, kPath, {Head(), {}}).value();
  ASSERT_TRUE(journal.Add({{{0, 64, 100}, {64, 36, 50}}}));
  const std::string whole = Text(files);
  const size_t head_end = whole.find('\n') + 1;
  const size_t first_end = whole.find('\n', head_end) + 1;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bad = whole;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    Put(files, bad);
    const std::optional<JournalState> state = Journal::Read(files, kPath).value();
    const size_t expected = bit / 8 < head_end ? 0 : bit / 8 < first_end ? 0 : 1;
    EXPECT_EQ(state ? state->ranges.size() : 0, expected) << bit;
  }
}

TEST(JournalTest, ChunksThatTheModelDoesNotHaveEndTheRecord) {
  for (const RecordedChunks bad :
       {RecordedChunks{1000, 1, 1}, RecordedChunks{0, 1001, 1}, RecordedChunks{5, 0, 0},
        RecordedChunks{999, 2, 1}, RecordedChunks{1, ~uint64_t{0} >> 1, 1}}) {
    MemoryFiles files;
    Journal journal = Journal::Start(files, kPath, {Head(), {{1, 2, 3}}}).value();
    ASSERT_TRUE(journal.Add({{bad, {7, 1, 1}}}));
    EXPECT_EQ(Journal::Read(files, kPath).value()->ranges,
              (std::vector<RecordedChunks>{{1, 2, 3}}));
  }
}

TEST(JournalTest, StartingAgainReplacesWhole) {
  MemoryFiles files;
  Journal first = Journal::Start(files, kPath, {Head(), {{0, 64, 100}}}).value();
  Journal second = Journal::Start(files, kPath, {Head(), {}}).value();
  EXPECT_TRUE(Journal::Read(files, kPath).value()->ranges.empty());
}

}  // namespace
}  // namespace skerry::import
