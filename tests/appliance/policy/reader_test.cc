#include "appliance/policy/reader.h"

#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"
#include "appliance/policy/document.h"

namespace skerry::policy {
namespace {

using testing::MemoryFiles;

void Put(FileSystem& files, const std::string& name, std::string_view text) {
  if (files.Exists(name)) {
    ASSERT_TRUE(files.Remove(name).has_value());
  }
  ASSERT_TRUE(files.Create(name).value()->Append(AsBytes(text)).has_value());
}

std::string BaseText(uint64_t generation, std::vector<std::string> aliases = {}) {
  Policy policy;
  std::vector<Op> ops;
  for (const std::string& name : aliases) ops.push_back(PutAlias{{name, {}, false}});
  EXPECT_TRUE(Apply(ops, generation, policy).has_value());
  return EncodeBase(policy);
}

std::string Line(uint64_t generation, const std::string& alias) {
  return EncodeDelta({generation, {PutAlias{{alias, {}, false}}}}) + "\n";
}

TEST(PolicyReaderTest, NothingPublished) {
  MemoryFiles files;
  EXPECT_EQ(ReadPolicy(files).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(ReadKey(files).error().code(), ErrorCode::kNotFound);
  Put(files, "key", "short");
  EXPECT_EQ(ReadKey(files).error().code(), ErrorCode::kCorrupt);
  Put(files, "key", std::string(33, 'x'));
  EXPECT_EQ(ReadKey(files).error().code(), ErrorCode::kCorrupt);
  Put(files, "key", std::string(32, 'x'));
  EXPECT_EQ(ReadKey(files).value().bytes()[31], 'x');
}

TEST(PolicyReaderTest, BaseAndDelta) {
  MemoryFiles files;
  Put(files, BaseName(4), BaseText(4, {"a"}));
  Put(files, DeltaName(4), Line(5, "b") + Line(6, "c") + "{\"generation\":7");
  const Result<ReadOutcome> read = ReadPolicy(files);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->policy.generation, 6u);
  EXPECT_EQ(read->policy.aliases.size(), 3u);
  EXPECT_TRUE(read->warnings.empty());
  EXPECT_EQ(read->delta_lines, 2u);
  EXPECT_EQ(read->delta_bytes, Line(5, "b").size() * 2);
}

TEST(PolicyReaderTest, ABadBaseFallsBackAndCountsOn) {
  MemoryFiles files;
  Put(files, BaseName(1), BaseText(1));
  Put(files, DeltaName(1), Line(2, "a") + Line(3, "b"));
  Put(files, BaseName(3), "{damaged");
  Put(files, DeltaName(3), Line(4, "c"));
  const Result<ReadOutcome> read = ReadPolicy(files);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->policy.generation, 4u);
  EXPECT_EQ(read->policy.aliases.size(), 3u);
  ASSERT_EQ(read->warnings.size(), 1u);
  EXPECT_NE(read->warnings[0].find(BaseName(3)), std::string::npos);
}

TEST(PolicyReaderTest, ABadBaseWhoseNumberCannotBeReached) {
  MemoryFiles files;
  Put(files, BaseName(1), BaseText(1));
  Put(files, DeltaName(1), Line(2, "a"));
  Put(files, BaseName(3), BaseText(2));  // holds another generation
  Put(files, DeltaName(3), Line(4, "c"));
  const Result<ReadOutcome> read = ReadPolicy(files);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->policy.generation, 2u);
  EXPECT_EQ(read->warnings.size(), 2u);
  EXPECT_EQ(read->highest_claimed, 3u);
}

TEST(PolicyReaderTest, ABadLineEndsTheReading) {
  const std::string bad_lines[] = {"{}\n", "\n", Line(3, "x"), Line(1, "x"),
                                   EncodeDelta({2, {DeleteAlias{"none"}}}) + "\n"};
  for (const std::string& bad : bad_lines) {
    MemoryFiles files;
    Put(files, BaseName(1), BaseText(1));
    Put(files, DeltaName(1), bad + Line(3, "b"));
    const Result<ReadOutcome> read = ReadPolicy(files);
    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_EQ(read->policy.generation, 1u) << bad;
    EXPECT_TRUE(read->policy.aliases.empty());
    EXPECT_EQ(read->warnings.size(), 1u) << bad;
    EXPECT_EQ(read->highest_claimed, 3u);
  }
}

TEST(PolicyReaderTest, NoBaseIsReadable) {
  MemoryFiles files;
  Put(files, BaseName(1), "");
  Put(files, BaseName(2), "x");
  const Result<ReadOutcome> read = ReadPolicy(files);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(read.error().message().find(BaseName(1)), std::string::npos);
}

}  // namespace
}  // namespace skerry::policy
