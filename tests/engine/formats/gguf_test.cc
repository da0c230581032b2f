#include "engine/formats/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "appliance/base/testing/fixtures.h"
#include "tests/engine/formats/gguf_writer.h"

namespace skerry::engine {
namespace {

using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Two F32 tensors, 40 and 32 bytes, with 24 bytes of padding between them.
GgufWriter Good() {
  GgufWriter writer;
  writer.String("general.architecture", "llama");
  writer.U32("n", 7);
  writer.F32("f", 0.5F);
  writer.Bool("b", true);
  writer.Strings("words", {"a", "", "ccc"});
  writer.Numbers<float>("scores", 6, {1.0F, -2.0F});
  writer.Numbers<int32_t>("types", 5, {3, -1});
  writer.Scalar<uint64_t>("huge", 10, ~uint64_t{0});
  writer.Scalar<double>("d", 12, 0.25);
  writer.Tensor("one", {5, 2}, 0, std::string(40, 'x'));
  writer.Tensor("two", {8}, 0, std::string(32, 'y'));
  return writer;
}

TEST(GgufTest, ReadsMetadataOfEveryType) {
  const std::string file = Good().Finish();
  const Result<GgufFile> gguf = GgufFile::Parse(Bytes(file), "t");
  ASSERT_TRUE(gguf) << gguf.error().message();
  EXPECT_EQ(*gguf->GetString("general.architecture"), "llama");
  EXPECT_EQ(*gguf->GetInt("n"), 7);
  EXPECT_EQ(*gguf->GetFloat("f"), 0.5);
  EXPECT_EQ(*gguf->GetFloat("d"), 0.25);
  EXPECT_TRUE(*gguf->GetBool("b"));
  EXPECT_THAT(*gguf->GetStrings("words"), ElementsAre("a", "", "ccc"));
  EXPECT_THAT(*gguf->GetFloats("scores"), ElementsAre(1.0F, -2.0F));
  EXPECT_THAT(*gguf->GetInts("types"), ElementsAre(3, -1));
  EXPECT_TRUE(gguf->IsArray("words"));
  EXPECT_FALSE(gguf->IsArray("n"));
  EXPECT_EQ(*gguf->GetIntOr("absent", 3), 3);
  EXPECT_EQ(gguf->Keys().size(), 9U);
}

TEST(GgufTest, MistypedAndAbsentMetadataIsNamed) {
  const std::string file = Good().Finish();
  const Result<GgufFile> gguf = GgufFile::Parse(Bytes(file), "t");
  ASSERT_TRUE(gguf);
  EXPECT_EQ(gguf->GetInt("absent").error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(gguf->GetInt("f").error().message(), HasSubstr("'f' is not an integer"));
  EXPECT_THAT(gguf->GetInt("huge").error().message(), HasSubstr("'huge'"));
  EXPECT_THAT(gguf->GetString("words").error().message(), HasSubstr("is an array"));
  EXPECT_THAT(gguf->GetStrings("n").error().message(), HasSubstr("is not an array"));
  EXPECT_THAT(gguf->GetFloats("words").error().message(), HasSubstr("array of F32"));
  EXPECT_THAT(gguf->GetIntOr("f", 3).error().message(), HasSubstr("'f'"));
}

TEST(GgufTest, PlacesTensors) {
  const std::string file = Good().Finish();
  const Result<GgufFile> gguf = GgufFile::Parse(Bytes(file), "t");
  ASSERT_TRUE(gguf);
  const GgufTensor* one = gguf->FindTensor("one");
  const GgufTensor* two = gguf->FindTensor("two");
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  EXPECT_EQ(gguf->FindTensor("three"), nullptr);
  EXPECT_THAT(one->dims, ElementsAre(5, 2));
  EXPECT_EQ(one->bytes.size(), 40U);
  EXPECT_EQ(one->bytes[39], 'x');
  EXPECT_EQ(two->bytes.size(), 32U);
  EXPECT_EQ(two->bytes[0], 'y');
}

// Whatever a file is cut to, it is refused: no byte of it may be missing.
TEST(GgufTest, RefusesEveryTruncation) {
  const std::string file = Good().Finish();
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    EXPECT_FALSE(GgufFile::Parse(Bytes(cut), "t")) << "cut to " << size;
  }
}

// A download that ended early: the message says which tensor it stopped in.
TEST(GgufTest, NamesTheTensorWhereAFileWasCut) {
  const std::string file = Good().Finish();
  const Result<GgufFile> second = GgufFile::Parse(Bytes(file.substr(0, file.size() - 1)), "t");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("tensor 'two' needs 32 bytes from 64"));
  EXPECT_THAT(second.error().message(), HasSubstr("is the file cut short?"));
  const Result<GgufFile> first = GgufFile::Parse(Bytes(file.substr(0, file.size() - 60)), "t");
  ASSERT_FALSE(first);
  EXPECT_THAT(first.error().message(), HasSubstr("tensor 'one' needs 40 bytes"));
}

struct Damage {
  const char* name;
  std::function<void(GgufWriter&)> apply;
  ErrorCode code;
  const char* message;
};

TEST(GgufTest, RefusesDamagedHeaders) {
  const Damage cases[] = {
      {"magic", [](auto& w) { w.magic = 0x12345678; }, ErrorCode::kCorrupt, "not a GGUF"},
      {"version", [](auto& w) { w.version = 2; }, ErrorCode::kCorrupt, "version 2"},
      {"tensor count", [](auto& w) { w.extra_tensor_count = 1; }, ErrorCode::kCorrupt, ""},
      {"tensors beyond limit", [](auto& w) { w.extra_tensor_count = 1 << 20; },
       ErrorCode::kExhausted, "tensors"},
      {"negative metadata count", [](auto& w) { w.extra_metadata_count = -100; },
       ErrorCode::kExhausted, "metadata"},
      {"metadata count", [](auto& w) { w.extra_metadata_count = 1; }, ErrorCode::kExhausted, ""},
      {"unknown value type", [](auto& w) { w.Scalar("k", 13, uint32_t{1}); }, ErrorCode::kCorrupt,
       "unknown type 13"},
      {"array of arrays", [](auto& w) { w.Array("k", 9, 1); }, ErrorCode::kCorrupt,
       "array of arrays"},
      {"array too long", [](auto& w) { w.Array("k", 0, uint64_t{1} << 62); }, ErrorCode::kExhausted,
       "elements in metadata 'k'"},
      {"array beyond the end", [](auto& w) { w.Array("k", 10, 1 << 20); }, ErrorCode::kCorrupt,
       "ends inside the metadata 'k'"},
      {"string beyond the end", [](auto& w) { w.Scalar("k", 8, uint64_t{1} << 20); },
       ErrorCode::kCorrupt, "ends inside the metadata 'k'"},
      {"string too long", [](auto& w) { w.Scalar("k", 8, ~uint64_t{0}); }, ErrorCode::kExhausted,
       "metadata 'k'"},
      {"bool of 2", [](auto& w) { w.Scalar("k", 7, uint8_t{2}); }, ErrorCode::kCorrupt, "bool"},
      {"duplicate key", [](auto& w) { w.U32("n", 8); }, ErrorCode::kCorrupt, "'n' is there twice"},
      {"empty key", [](auto& w) { w.U32("", 8); }, ErrorCode::kCorrupt, "empty"},
      {"alignment 0", [](auto& w) { w.U32("general.alignment", 0); }, ErrorCode::kCorrupt,
       "general.alignment 0"},
      {"alignment 48", [](auto& w) { w.U32("general.alignment", 48); }, ErrorCode::kCorrupt,
       "general.alignment 48"},
      {"alignment 1 GiB", [](auto& w) { w.U32("general.alignment", 1 << 30); }, ErrorCode::kCorrupt,
       "general.alignment"},
      {"alignment as text", [](auto& w) { w.String("general.alignment", "32"); },
       ErrorCode::kInvalidArgument, "general.alignment"},
      {"no dimensions", [](auto& w) { w.tensors[0].dims = {}; }, ErrorCode::kCorrupt,
       "'one' has 0 dimensions"},
      {"five dimensions",
       [](auto& w) {
         w.tensors[0].dims = {1, 1, 1, 1, 10};
       },
       ErrorCode::kCorrupt, "5 dimensions"},
      {"dimension of 0",
       [](auto& w) {
         w.tensors[0].dims = {10, 0};
       },
       ErrorCode::kCorrupt, "dimension of 0"},
      {"product wraps to 10",
       [](auto& w) {
         w.tensors[0].dims = {10, uint64_t{1} << 32, uint64_t{1} << 32};
       },
       ErrorCode::kCorrupt, "more elements"},
      {"huge dimension", [](auto& w) { w.tensors[0].dims = {~uint64_t{0}}; }, ErrorCode::kCorrupt,
       "more elements"},
      {"bytes wrap", [](auto& w) { w.tensors[0].dims = {uint64_t{1} << 56}; }, ErrorCode::kCorrupt,
       "which ends at"},
      {"unknown element type", [](auto& w) { w.tensors[0].type = 40; }, ErrorCode::kCorrupt,
       "type 40"},
      {"a fork's element type", [](auto& w) { w.tensors[0].type = 99; },
       ErrorCode::kInvalidArgument,
       "tensor 'one' has element type 99, which is private to a fork of llama.cpp"},
      {"another fork's element type", [](auto& w) { w.tensors[0].type = 133; },
       ErrorCode::kInvalidArgument, "Supported are F32, "},
      {"removed element type", [](auto& w) { w.tensors[0].type = 4; }, ErrorCode::kCorrupt,
       "type 4"},
      {"part of a block", [](auto& w) { w.tensors[0].type = 2; }, ErrorCode::kCorrupt,
       "whole blocks of Q4_0"},
      {"duplicate tensor", [](auto& w) { w.tensors[1].name = "one"; }, ErrorCode::kCorrupt,
       "'one' is there twice"},
      {"nameless tensor", [](auto& w) { w.tensors[1].name = ""; }, ErrorCode::kCorrupt, "no name"},
      {"overlap", [](auto& w) { w.tensors[1].offset = 32; }, ErrorCode::kCorrupt,
       "'two' starts at 32"},
      {"same place", [](auto& w) { w.tensors[1].offset = 0; }, ErrorCode::kCorrupt, "starts at 0"},
      {"hole", [](auto& w) { w.tensors[1].offset = 96; }, ErrorCode::kCorrupt, "hole"},
      {"unaligned", [](auto& w) { w.tensors[1].offset = 65; }, ErrorCode::kCorrupt, "starts at 65"},
      {"offset far away", [](auto& w) { w.tensors[1].offset = ~uint64_t{0} - 31; },
       ErrorCode::kCorrupt, "hole"},
      {"first not at 0", [](auto& w) { w.tensors[0].offset = 32; }, ErrorCode::kCorrupt, ""},
      {"too small for the shape", [](auto& w) { w.tensors[1].dims = {9}; }, ErrorCode::kCorrupt,
       "'two' needs 36 bytes"},
      {"bytes at the end", [](auto& w) { w.tensors.pop_back(); }, ErrorCode::kCorrupt,
       "follow the last tensor"},
  };
  for (const Damage& damage : cases) {
    GgufWriter writer = Good();
    damage.apply(writer);
    const std::string file = writer.Finish();
    const Result<GgufFile> gguf = GgufFile::Parse(Bytes(file), "t");
    ASSERT_FALSE(gguf) << damage.name;
    EXPECT_EQ(gguf.error().code(), damage.code) << damage.name << ": " << gguf.error().message();
    EXPECT_THAT(gguf.error().message(), HasSubstr(damage.message)) << damage.name;
  }
}

TEST(GgufTest, OrderOfTensorInfosIsFree) {
  GgufWriter writer = Good();
  std::swap(writer.tensors[0], writer.tensors[1]);
  const std::string file = writer.Finish();
  const Result<GgufFile> gguf = GgufFile::Parse(Bytes(file), "t");
  ASSERT_TRUE(gguf) << gguf.error().message();
  EXPECT_EQ(gguf->FindTensor("two")->bytes[0], 'y');
}

TEST(GgufTest, HonoursAlignment) {
  GgufWriter writer;
  writer.alignment = 256;
  writer.U32("general.alignment", 256);
  writer.Tensor("a", {1}, 0, "aaaa");
  writer.Tensor("b", {1}, 0, "bbbb");
  const std::string file = writer.Finish();
  const Result<GgufFile> gguf = GgufFile::Parse(Bytes(file), "t");
  ASSERT_TRUE(gguf) << gguf.error().message();
  EXPECT_EQ(gguf->FindTensor("b")->bytes[0], 'b');
}

TEST(GgufTest, ReadsRealFiles) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  size_t n_files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(fixtures)) {
    if (entry.path().extension() != ".gguf") continue;
    const Result<GgufFile> gguf = GgufFile::Open(entry.path().string());
    EXPECT_TRUE(gguf) << gguf.error().message();
    ++n_files;
  }
  EXPECT_GT(n_files, 10U);
}

TEST(GgufTest, MappingOutlivesTheObject) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  std::shared_ptr<const void> mapping;
  std::span<const uint8_t> bytes;
  {
    const Result<GgufFile> gguf = GgufFile::Open(fixtures + "/stories260k/stories260k-f32.gguf");
    ASSERT_TRUE(gguf) << gguf.error().message();
    mapping = gguf->mapping();
    bytes = gguf->FindTensor("token_embd.weight")->bytes;
  }
  EXPECT_EQ(bytes.size(), 512U * 64 * 4);
  float first;
  std::memcpy(&first, bytes.data(), sizeof(first));
  EXPECT_NE(first, 0.0F);
}

TEST(GgufTest, AbsentAndEmptyFiles) {
  EXPECT_EQ(GgufFile::Open("/nonexistent.gguf").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(GgufFile::Open("/dev/null").error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry::engine
