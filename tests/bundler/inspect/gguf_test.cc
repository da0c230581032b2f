#include "bundler/inspect/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

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
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("longer than the file"));
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
  EXPECT_THAT(Refusal(parts.Build()), HasSubstr("array of arrays"));
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
  EXPECT_THAT(with({std::string(64, 'n'), {32}, 2, 32}), HasSubstr("64 bytes"));
}

// Each names an attack on other readers of the format, and damages one thing.
TEST(GgufTest, KnownAttacks) {
  const auto array = [](uint64_t type, uint64_t count, const std::string& data) {
    return LittleEndian(9, 4) + LittleEndian(type, 4) + LittleEndian(count, 8) + data;
  };
  struct Case {
    const char* name;
    std::function<void(GgufParts&)> damage;
    const char* says;
  };
  const std::vector<Case> cases = {
      {"scores of another type are read past their end",
       [&](GgufParts& p) {
         p.keys.push_back({"tokenizer.ggml.scores", array(0, 2, "ab")});
       },
       "expected 6"},
      {"fewer token types than tokens",
       [&](GgufParts& p) {
         p.keys.push_back({"tokenizer.ggml.token_type", array(5, 1, LittleEndian(1, 4))});
       },
       "has 1 entries"},
      {"scores and types of different length, without tokens",
       [&](GgufParts& p) {
         p.keys[2] = {"tokenizer.ggml.scores", array(6, 1, LittleEndian(0, 4))};
         p.keys.push_back({"tokenizer.ggml.token_type", array(5, 0, "")});
       },
       "has 1 entries"},
      {"tokens that are no array",
       [&](GgufParts& p) { p.keys[2].second = LittleEndian(8, 4) + GgufText("a"); },
       "must be an array"},
      {"an empty key", [](GgufParts& p) { p.keys[1].first = ""; }, "printable"},
      {"a key that steers the terminal", [](GgufParts& p) { p.keys[1].first = "\x1b[2J"; },
       "printable"},
      {"tensor names that are the same as C strings",
       [](GgufParts& p) { p.tensors[1].name = std::string("token_embd.weight\0x", 19); },
       "zero byte"},
      {"alignment 0",
       [](GgufParts& p) {
         p.keys.push_back({"general.alignment", LittleEndian(4, 4) + LittleEndian(0, 4)});
       },
       "power of two"},
      {"alignment of another type",
       [](GgufParts& p) {
         p.keys.push_back({"general.alignment", LittleEndian(5, 4) + LittleEndian(32, 4)});
       },
       "32-bit"},
      {"a bool that is neither",
       [](GgufParts& p) {
         p.keys.push_back({"k", LittleEndian(7, 4) + "\2"});
       },
       "neither 0 nor 1"},
      {"more dimensions than a reader's array",
       [](GgufParts& p) {
         p.tensors[1].dims = {32, 1, 1, 1, 1};
       },
       "5 dimensions"},
      {"a removed type (Q4_2)", [](GgufParts& p) { p.tensors[1].type = 4; }, "type 4"},
      {"a removed type (Q4_0_4_4)", [](GgufParts& p) { p.tensors[1].type = 31; }, "type 31"},
      {"padding that wraps around",
       [](GgufParts& p) {
         p.tensors[0].dims = {~uint64_t{0} / 4};
         p.tensors[1].offset = 0;
       },
       "overflows"},
      {"data behind the end of the file", [](GgufParts& p) { p.data.resize(32); }, "truncated"}};
  for (const Case& attack : cases) {
    GgufParts parts;
    attack.damage(parts);
    EXPECT_THAT(Refusal(parts.Build()), HasSubstr(attack.says)) << attack.name;
  }
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
