#include "appliance/audit/verify.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/audit/journal.h"
#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::audit {
namespace {

using testing::MemoryFiles;
using Journal = std::map<std::string, std::string>;  // segment -> content

// Nine records over several segments.
const Journal& Good() {
  static const Journal journal = [] {
    MemoryFiles files;
    {
      auto writer = Writer::Open(files, "api", RealClock(), {.max_segment_bytes = 1400}).value();
      for (int i = 0; i < 9; ++i) {
        (void)writer->AppendAndWait({{"event", {{"action", "request-refused"}}}}).value();
      }
    }
    return files.Snapshot();
  }();
  return journal;
}

std::unique_ptr<MemoryFiles> Disk(const Journal& journal) {
  auto files = std::make_unique<MemoryFiles>();
  for (const auto& [name, content] : journal) {
    EXPECT_TRUE(files->Create(name, 0600).value()->Append(AsBytes(content)).has_value());
  }
  return files;
}

Verification Verify(const Journal& journal) { return VerifyJournal(*Disk(journal)).value(); }

std::vector<std::string> Lines(const std::string& content) {
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = content.find('\n', at)) != std::string::npos; at = end + 1) {
    lines.push_back(content.substr(at, end + 1 - at));
  }
  return lines;
}

std::string Join(const std::vector<std::string>& lines) {
  std::string content;
  for (const std::string& line : lines) content += line;
  return content;
}

TEST(VerifyTest, AGoodJournal) {
  const Verification verified = Verify(Good());
  EXPECT_FALSE(verified.broken.has_value());
  EXPECT_EQ(verified.records, 9u);
  EXPECT_EQ(verified.segments, Good().size());
  EXPECT_GE(verified.segments, 3u);
  const std::string last = Lines(Good().rbegin()->second).back();
  EXPECT_EQ(verified.head, Sha256::Of(last.substr(0, last.size() - 1)));
  EXPECT_EQ(verified.writer, "api");
}

TEST(VerifyTest, AnEmptyJournal) {
  const Verification verified = Verify({});
  EXPECT_FALSE(verified.broken.has_value());
  EXPECT_EQ(verified.records, 0u);
  EXPECT_EQ(verified.head, Sha256Digest());
}

// Any changed byte breaks the chain or, in the last record, moves the head.
TEST(VerifyTest, EveryChangedByteShows) {
  const Sha256Digest head = Verify(Good()).head;
  int only_head = 0;
  int changes = 0;
  for (const auto& [name, content] : Good()) {
    for (size_t at = 0; at < content.size(); ++at) {
      // Another kind of change at each byte, so that all kinds meet all fields.
      const char kinds[] = {static_cast<char>(content[at] ^ 1), '\n', '0', ' '};
      const char change = kinds[at % std::size(kinds)];
      if (content[at] == change) continue;
      Journal journal = Good();
      journal[name][at] = change;
      const Verification verified = Verify(journal);
      ++changes;
      if (!verified.broken) {
        ++only_head;
        EXPECT_NE(verified.head, head) << name << " byte " << at;
        EXPECT_EQ(name, Good().rbegin()->first);
      }
    }
  }
  EXPECT_GT(changes, 2'500);
  // No more than the last record's own bytes.
  const size_t last_line = Lines(Good().rbegin()->second).back().size();
  EXPECT_LE(only_head, static_cast<int>(last_line));
}

TEST(VerifyTest, AnyRemovedLineShows) {
  const Verification good = Verify(Good());
  for (const auto& [name, content] : Good()) {
    const std::vector<std::string> lines = Lines(content);
    for (size_t i = 0; i < lines.size(); ++i) {
      std::vector<std::string> fewer = lines;
      fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i));
      Journal journal = Good();
      journal[name] = Join(fewer);
      const Verification verified = Verify(journal);
      if (name == Good().rbegin()->first && i + 1 == lines.size()) {
        // The end of the journal: only the head tells, or a hash noted earlier.
        EXPECT_FALSE(verified.broken.has_value());
        EXPECT_NE(verified.head, good.head);
        EXPECT_FALSE(VerifyJournal(*Disk(journal), good.head).value().contains_known);
      } else {
        ASSERT_TRUE(verified.broken.has_value()) << name << " line " << i;
        EXPECT_EQ(verified.broken->kind, BreakKind::kMissing);
        EXPECT_EQ(verified.broken->sequence, verified.records + 1);
      }
    }
  }
  EXPECT_TRUE(VerifyJournal(*Disk(Good()), good.head).value().contains_known);
}

TEST(VerifyTest, RemovedSegmentsShow) {
  const std::string last = Good().rbegin()->first;
  for (const auto& [name, content] : Good()) {
    Journal journal = Good();
    journal.erase(name);
    const Verification verified = Verify(journal);
    if (name == last) {
      EXPECT_FALSE(verified.broken.has_value());
      EXPECT_NE(verified.head, Verify(Good()).head);
      continue;
    }
    ASSERT_TRUE(verified.broken.has_value()) << name;
    EXPECT_EQ(verified.broken->kind, BreakKind::kMissing);
    EXPECT_EQ(SegmentName(verified.broken->sequence), name);
  }
}

TEST(VerifyTest, SwappedLinesShow) {
  const auto& [name, content] = *Good().begin();
  std::vector<std::string> lines = Lines(content);
  ASSERT_GE(lines.size(), 3u);
  std::swap(lines[1], lines[2]);
  Journal journal = Good();
  journal[name] = Join(lines);
  const Verification verified = Verify(journal);
  ASSERT_TRUE(verified.broken.has_value());
  EXPECT_EQ(verified.broken->kind, BreakKind::kReordered);
  EXPECT_EQ(verified.broken->file, name);
  EXPECT_EQ(verified.broken->line, 2u);
  EXPECT_EQ(verified.broken->sequence, 2u);
  EXPECT_EQ(verified.records, 1u);
}

TEST(VerifyTest, DuplicatedLinesShowEverywhere) {
  for (const auto& [name, content] : Good()) {
    const std::vector<std::string> lines = Lines(content);
    for (size_t from = 0; from < lines.size(); ++from) {
      for (size_t to = 0; to <= lines.size(); ++to) {
        std::vector<std::string> more = lines;
        more.insert(more.begin() + static_cast<ptrdiff_t>(to), lines[from]);
        Journal journal = Good();
        journal[name] = Join(more);
        const Verification verified = Verify(journal);
        ASSERT_TRUE(verified.broken.has_value()) << name << " " << from << " " << to;
      }
    }
  }
}

TEST(VerifyTest, ATruncatedSegmentThatIsNotTheLastShows) {
  const auto& [name, content] = *Good().begin();
  for (size_t size = 0; size < content.size(); ++size) {
    Journal journal = Good();
    journal[name].resize(size);
    const Verification verified = Verify(journal);
    ASSERT_TRUE(verified.broken.has_value()) << size;
    const bool at_border = size == 0 || content[size - 1] == '\n';
    EXPECT_EQ(verified.broken->kind, at_border ? BreakKind::kMissing : BreakKind::kTruncated);
  }
}

TEST(VerifyTest, ATruncatedEndMovesTheHead) {
  const auto& [name, content] = *Good().rbegin();
  const Verification good = Verify(Good());
  for (size_t size = 0; size < content.size(); ++size) {
    Journal journal = Good();
    journal[name].resize(size);
    const Verification verified = Verify(journal);
    EXPECT_FALSE(verified.broken.has_value()) << size;
    EXPECT_NE(verified.head, good.head);
    EXPECT_LT(verified.records, good.records);
  }
}

TEST(VerifyTest, RenamedSegmentsShow) {
  Journal journal = Good();
  auto node = journal.extract(std::next(journal.begin()));
  node.key() = SegmentName(3);
  journal.insert(std::move(node));
  EXPECT_TRUE(Verify(journal).broken.has_value());
}

TEST(VerifyTest, NamesTheAlteredRecord) {
  const auto& [name, content] = *Good().begin();
  Journal journal = Good();
  const size_t at = content.find("refused", content.find('\n'));
  journal[name][at] = 'R';
  const Verification verified = Verify(journal);
  ASSERT_TRUE(verified.broken.has_value());
  EXPECT_EQ(verified.broken->kind, BreakKind::kAltered);
  EXPECT_EQ(verified.broken->sequence, 2u);
  EXPECT_EQ(BreakKindName(verified.broken->kind), "altered");
}

// Whole lines of a failed write behind the place where the next segment goes on.
TEST(VerifyTest, AbandonedLinesAreToldFromForgedOnes) {
  const auto second = std::next(Good().begin());
  const std::vector<std::string> next = Lines(second->second);
  Journal journal = Good();
  journal.begin()->second += next[0] + next[1];
  Verification verified = Verify(journal);
  EXPECT_FALSE(verified.broken.has_value());
  EXPECT_EQ(verified.abandoned, 2u);
  EXPECT_EQ(verified.records, 9u);
  EXPECT_EQ(LastRecords(*Disk(journal), 100).value().size(), 9u);
  journal.begin()->second += "{\"torn";
  EXPECT_FALSE(Verify(journal).broken.has_value());

  journal = Good();
  journal.begin()->second += next[1];
  EXPECT_TRUE(Verify(journal).broken.has_value());
  journal = Good();
  journal.begin()->second += "{}\n";
  EXPECT_TRUE(Verify(journal).broken.has_value());
}

}  // namespace
}  // namespace skerry::audit
