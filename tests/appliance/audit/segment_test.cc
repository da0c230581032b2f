#include "appliance/audit/segment.h"

#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::audit {
namespace {

using testing::MemoryFiles;

TEST(SegmentTest, Names) {
  EXPECT_EQ(SegmentName(1), "00000000000000000001.ndjson");
  EXPECT_EQ(SequenceOfSegment(SegmentName(123)), 123u);
  for (const char* other :
       {"1.ndjson", "00000000000000000000.ndjson", "0000000000000000000x.ndjson",
        "00000000000000000001.json", "99999999999999999999.ndjson"}) {
    EXPECT_FALSE(SequenceOfSegment(other).has_value()) << other;
  }
}

TEST(SegmentTest, ListsSegmentsOnly) {
  MemoryFiles files;
  for (const char* name : {"00000000000000000012.ndjson", "00000000000000000001.ndjson", "notes"}) {
    ASSERT_TRUE(files.Create(name, 0600).has_value());
  }
  EXPECT_EQ(ListSegments(files).value(), (std::vector<uint64_t>{1, 12}));
}

TEST(LineReaderTest, LinesOfEverySizeAroundTheBorders) {
  MemoryFiles files;
  const size_t sizes[] = {0,
                          1,
                          kMaxRecordBytes - 1,
                          kMaxRecordBytes,
                          kMaxRecordBytes + 1,
                          (256 << 10) - 1,
                          256 << 10,
                          1 << 20,
                          3,
                          0};
  std::string content;
  for (const size_t size : sizes) content += std::string(size, 'x') + "\n";
  content += "torn";
  auto file = files.Create("f", 0600).value();
  ASSERT_TRUE(file->Append(AsBytes(content)).has_value());
  LineReader reader(*file);
  uint64_t end = 0;
  for (const size_t size : sizes) {
    const std::optional<Line> line = reader.Next().value();
    ASSERT_TRUE(line.has_value());
    end += size + 1;
    EXPECT_TRUE(line->whole);
    EXPECT_EQ(line->end, end);
    EXPECT_EQ(line->too_long, size > kMaxRecordBytes) << size;
    EXPECT_TRUE(line->too_long || line->text.size() == size);
  }
  const std::optional<Line> torn = reader.Next().value();
  ASSERT_TRUE(torn.has_value());
  EXPECT_FALSE(torn->whole);
  EXPECT_EQ(torn->text, "torn");
  EXPECT_EQ(torn->end, content.size());
  EXPECT_FALSE(reader.Next().value().has_value());
}

TEST(LinkTest, Parses) {
  const std::string zeros(64, '0');
  const std::string good =
      R"({"event":{"sequence":7},"skerry":{"chain":{"prev":")" + zeros + R"(","writer":"api"}}})";
  const Result<Link> link = ParseLink(good);
  ASSERT_TRUE(link.has_value()) << link.error().message();
  EXPECT_EQ(link->sequence, 7u);
  EXPECT_EQ(link->writer, "api");
  EXPECT_EQ(link->prev, Sha256Digest());
  const std::string bad[] = {
      "",
      "[]",
      "{}",
      R"({"event":{"sequence":7}})",
      R"({"event":7,"skerry":{"chain":{"prev":")" + zeros + R"(","writer":"api"}}})",
      R"({"event":{"sequence":0},"skerry":{"chain":{"prev":")" + zeros + R"(","writer":"api"}}})",
      R"({"event":{"sequence":"7"},"skerry":{"chain":{"prev":")" + zeros + R"(","writer":"a"}}})",
      R"({"event":{"sequence":7},"skerry":{"chain":{"prev":"00","writer":"api"}}})",
      R"({"event":{"sequence":7},"skerry":{"chain":{"prev":")" + zeros + R"("}}})",
      good + "x",
  };
  for (const std::string& line : bad) {
    ASSERT_FALSE(ParseLink(line).has_value()) << line;
    EXPECT_EQ(ParseLink(line).error().code(), ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace skerry::audit
