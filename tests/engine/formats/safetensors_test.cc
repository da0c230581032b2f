#include "engine/formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "appliance/base/testing/fixtures.h"

namespace skerry::engine {
namespace {

using ::skerry::testing::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string FileOf(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header +
         std::string(data_bytes, 'd');
}

void Write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

constexpr const char* kGood =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
    R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
    R"("e":{"dtype":"I64","shape":[0,5],"data_offsets":[16,16]}})";

TEST(SafetensorsTest, ReadsTensors) {
  const std::string file = FileOf(kGood, 16);
  const Result<SafetensorsFile> parsed = SafetensorsFile::Parse(Bytes(file), "t");
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_EQ(parsed->tensors().size(), 3U);
  const SafetensorsTensor* b = parsed->FindTensor("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, "BF16");
  EXPECT_THAT(b->shape, ElementsAre(2, 3));
  EXPECT_EQ(b->bytes.size(), 12U);
  EXPECT_EQ(b->bytes.data(), Bytes(file).data() + file.size() - 12);
  EXPECT_EQ(parsed->FindTensor("c"), nullptr);
}

TEST(SafetensorsTest, RefusesEveryTruncation) {
  const std::string file = FileOf(kGood, 16);
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    EXPECT_FALSE(SafetensorsFile::Parse(Bytes(cut), "t")) << "cut to " << size;
  }
}

// A download that ended early: the message says which tensor it stopped in.
TEST(SafetensorsTest, NamesTheTensorWhereAFileWasCut) {
  const std::string cut = FileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                 R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                                 11);
  const auto result = SafetensorsFile::Parse(Bytes(cut), "t");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(),
              HasSubstr("tensor 'b' ends at 12, the data at 11; is the file cut short?"));
}

TEST(SafetensorsTest, RefusesDamagedHeaders) {
  struct Case {
    const char* header;
    size_t data_bytes;
    const char* message;
  };
  const Case cases[] = {
      {"[]", 0, "not a JSON object"},
      {"{", 0, "header"},
      {R"({"a":1})", 0, "has not exactly"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "has not exactly"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "has not exactly"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4, "header"},
      {R"({"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype 'Q4'"},
      {R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "'dtype' is not a string"},
      {R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "'shape' is not an array"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "is not a count"},
      {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "header"},
      {R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4, "is not a count"},
      {R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4,
       "9 dimensions"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,1],"data_offsets":[0,4]}})", 4,
       "impossibly many"},
      {R"({"a":{"dtype":"F32","shape":[9007199254740991],"data_offsets":[0,4]}})", 4, "need"},
      {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1, "impossibly many"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "not a pair"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":4}})", 4, "not a pair"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "not a range"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4, "not a range"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "need 8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "ends at 8"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8, "belong to no tensor"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "behind a hole"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "inside another tensor"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4, "inside another tensor"},
      {R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "empty"},
      {R"({"__metadata__":{"a":1}})", 0, "__metadata__"},
      {R"({"__metadata__":[]})", 0, "__metadata__"},
  };
  for (const Case& c : cases) {
    const std::string file = FileOf(c.header, c.data_bytes);
    const Result<SafetensorsFile> parsed = SafetensorsFile::Parse(Bytes(file), "t");
    ASSERT_FALSE(parsed) << c.header;
    EXPECT_THAT(parsed.error().message(), HasSubstr(c.message)) << c.header;
  }
}

TEST(SafetensorsTest, RefusesHugeHeader) {
  std::string file(64, '\0');
  file[6] = 1;
  const Result<SafetensorsFile> parsed = SafetensorsFile::Parse(Bytes(file), "t");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), ErrorCode::kExhausted);
}

constexpr const char* kShardA = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
constexpr const char* kShardB = R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";

TEST(SafetensorsTest, OpensShards) {
  TemporaryDirectory folder;
  Write(folder.path() + "/m-1.safetensors", FileOf(kShardA, 4));
  Write(folder.path() + "/m-2.safetensors", FileOf(kShardB, 4));
  Write(
      folder.path() + "/model.safetensors.index.json",
      R"({"metadata":{"total_size":8},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})");
  const auto files = OpenSafetensorsFolder(folder.path());
  ASSERT_TRUE(files) << files.error().message();
  ASSERT_EQ(files->size(), 2U);
  EXPECT_NE((*files)[0].FindTensor("a"), nullptr);
  EXPECT_NE((*files)[1].FindTensor("b"), nullptr);
}

TEST(SafetensorsTest, RefusesBadIndexes) {
  struct Case {
    const char* index;
    const char* message;
  };
  const Case cases[] = {
      {R"({"weight_map":{"a":"../m-1.safetensors"}})", "plain name"},
      {R"({"weight_map":{"a":"/etc/x.safetensors"}})", "plain name"},
      {R"({"weight_map":{"a":"sub/m-1.safetensors"}})", "plain name"},
      {R"({"weight_map":{"a":"..safetensors"}})", "plain name"},
      {R"({"weight_map":{"a":"m-1.bin"}})", "plain name"},
      {R"({"weight_map":{"a":1}})", "not a string"},
      {R"({"weight_map":{}})", "empty"},
      {R"({"weight_map":[]})", "weight_map"},
      {R"({})", "weight_map"},
      {R"({"weight_map":{"a":"m-1.safetensors","a":"m-2.safetensors"}})", "index.json"},
      {R"({"weight_map":{"a":"m-2.safetensors","b":"m-2.safetensors"}})", "lacks tensor 'a'"},
      {R"({"weight_map":{"a":"m-1.safetensors","b":"m-3.safetensors"}})", "m-3.safetensors"},
      {R"({"weight_map":{"x":"m-1.safetensors"}})", "does not list"},
      {R"({"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"}})",
       "places in 'm-1.safetensors'"},
  };
  TemporaryDirectory folder;
  Write(folder.path() + "/m-1.safetensors", FileOf(kShardA, 4));
  Write(folder.path() + "/m-2.safetensors", FileOf(kShardB, 4));
  for (const Case& c : cases) {
    Write(folder.path() + "/model.safetensors.index.json", c.index);
    const auto files = OpenSafetensorsFolder(folder.path());
    ASSERT_FALSE(files) << c.index;
    EXPECT_THAT(files.error().message(), HasSubstr(c.message)) << c.index;
  }
}

TEST(SafetensorsTest, ReadsRealFiles) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  size_t n_files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(fixtures)) {
    if (entry.path().extension() != ".safetensors") continue;
    const Result<SafetensorsFile> file = SafetensorsFile::Open(entry.path().string());
    EXPECT_TRUE(file) << file.error().message();
    ++n_files;
  }
  EXPECT_GT(n_files, 3U);
}

}  // namespace
}  // namespace skerry::engine
