#include "bundler/inspect/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"
#include "tests/bundler/small_model.h"

namespace skerry::inspect {
namespace {

using skerry::testing::GgufParts;
using skerry::testing::GgufText;
using skerry::testing::LittleEndian;
using ::testing::HasSubstr;

std::string Refusal(const std::string& content) {
  skerry::testing::MemoryFiles files;
  EXPECT_TRUE(files.Create("x", 0600).value()->Append(AsBytes(content)));
  const Result<GgufSummary> checked = CheckGguf(*files.OpenRead("x").value());
  if (checked) return "";
  EXPECT_EQ(checked.error().code(), ErrorCode::kCorrupt);
  return checked.error().message();
}

TEST(GgufTest, WellFormed) {
  EXPECT_EQ(Refusal(GgufParts().Build()), "");
  GgufParts unpadded;
  unpadded.data.resize(32 + 18);
  EXPECT_EQ(Refusal(unpadded.Build()), "") << "the last tensor's padding may be absent";
  GgufParts metadata_only;
  metadata_only.tensors.clear();
  metadata_only.data.clear();
  EXPECT_EQ(Refusal(metadata_only.Build()), "") << "first part of a split file";
}

TEST(GgufTest, EveryTruncationIsRefused) {
  const std::string good = GgufParts().Build();
  for (size_t size = 0; size < good.size() - 14; ++size) {
    EXPECT_NE(Refusal(good.substr(0, size)), "") << size;
  }
  EXPECT_THAT(Refusal(good + "x"), HasSubstr("extra bytes"));
}

TEST(GgufTest, FlippedBitsNeverCrash) {
  const std::string good = GgufParts().Build();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    (void)Refusal(bad);
  }
}

TEST(GgufTest, HostileHeaders) {
  EXPECT_THAT(Refusal("GGML"), HasSubstr("not a GGUF"));
  GgufParts parts;
  parts.version = 4;
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("version 4"));
  std::string absurd = GgufParts().Build();
  absurd.replace(8, 8, LittleEndian(uint64_t{1} << 60, 8));
  EXPECT_THAT(Refusal(absurd), HasSubstr("absurd"));

  parts = GgufParts();
  parts.keys.push_back(parts.keys[1]);
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("'llama.block_count' occurs twice"));
  parts = GgufParts();
  parts.keys.push_back({"k", LittleEndian(13, 4)});
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("unknown type 13"));
  parts = GgufParts();
  parts.keys.push_back(
      {"k", LittleEndian(9, 4) + LittleEndian(10, 4) + LittleEndian(~uint64_t{0}, 8)});
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("overflows"));
  parts = GgufParts();
  parts.keys.push_back({"k", LittleEndian(9, 4) + LittleEndian(8, 4) + LittleEndian(1 << 30, 8)});
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("longer than the file"));
  parts = GgufParts();
  parts.keys.push_back({"k", LittleEndian(8, 4) + LittleEndian(~uint64_t{0}, 8)});
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("middle of its header"));
  parts = GgufParts();
  parts.keys.push_back({"general.alignment", LittleEndian(4, 4) + LittleEndian(33, 4)});
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("power of two"));
  std::string nested;
  for (int i = 0; i < 6; ++i) nested += LittleEndian(9, 4) + LittleEndian(1, 8);
  parts = GgufParts();
  parts.keys.push_back({"k", LittleEndian(9, 4) + nested});
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("nested too deeply"));
}

TEST(GgufTest, HostileTensors) {
  auto with = [](GgufParts::Tensor tensor) {
    GgufParts parts;
    parts.tensors[1] = std::move(tensor);
    return Refusal(parts.Build());
  };
  EXPECT_THAT(with({"t", {32}, 2, 64}), HasSubstr("gap"));
  EXPECT_THAT(with({"t", {32}, 2, 0}), HasSubstr("overlap"));
  EXPECT_THAT(with({"t", {32}, 200, 32}), HasSubstr("type 200"));
  EXPECT_THAT(with({"t", {31}, 2, 32}), HasSubstr("whole blocks"));
  EXPECT_THAT(with({"t", {}, 2, 32}), HasSubstr("0 dimensions"));
  EXPECT_THAT(with({"t", {32, 0}, 2, 32}), HasSubstr("dimension is 0"));
  EXPECT_THAT(with({"t", {uint64_t{1} << 40, uint64_t{1} << 40}, 0, 32}), HasSubstr("overflows"));
  EXPECT_THAT(with({"t", {uint64_t{1} << 62}, 0, 32}), HasSubstr("overflows"));
  EXPECT_THAT(with({"token_embd.weight", {32}, 2, 32}), HasSubstr("occurs twice"));
  EXPECT_THAT(with({std::string(65, 'n'), {32}, 2, 32}), HasSubstr("65 bytes"));
}

TEST(GgufTest, RealFiles) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto files = OpenFiles(fixtures + "/tiny").value();
  int checked_files = 0;
  const auto folders = files->List(".").value();
  for (const DirectoryEntry& folder : folders) {
    const auto entries = files->List(folder.name).value();
    for (const DirectoryEntry& entry : entries) {
      if (!entry.name.ends_with(".gguf")) continue;
      const auto file = files->OpenRead(folder.name + "/" + entry.name).value();
      const Result<GgufSummary> checked = CheckGguf(*file);
      ASSERT_TRUE(checked) << entry.name << ": " << checked.error().message();
      EXPECT_NE(checked->architecture, "") << entry.name;
      ++checked_files;
    }
  }
  EXPECT_GE(checked_files, 10);
}

}  // namespace
}  // namespace skerry::inspect
