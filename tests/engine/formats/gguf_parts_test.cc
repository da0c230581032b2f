#include "engine/formats/gguf_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "appliance/base/testing/fixtures.h"
#include "engine/formats/gguf.h"
#include "tests/engine/formats/gguf_writer.h"

namespace skerry::engine {
namespace {

using ::skerry::testing::TemporaryDirectory;
using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(GgufPartsTest, ReadsNames) {
  const auto part = ParseGgufPartName("/m/a-b-00002-of-00013.gguf");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->stem, "/m/a-b");
  EXPECT_EQ(part->number, 2);
  EXPECT_EQ(part->count, 13);
  EXPECT_EQ(part->Part(1), "/m/a-b-00001-of-00013.gguf");
  EXPECT_EQ(part->Part(13), "/m/a-b-00013-of-00013.gguf");
  for (const char* name :
       {"", ".gguf", "a.gguf", "-00001-of-00001.gguf", "a-0001-of-0002.gguf",
        "a-00000-of-00002.gguf", "a-00003-of-00002.gguf", "a-00001-of-0000x.gguf",
        "a_00001-of-00002.gguf", "a-00001_of-00002.gguf", "a-00001-of-00002.ggu",
        "a--0001-of-00002.gguf"}) {
    EXPECT_FALSE(ParseGgufPartName(name)) << name;
  }
}

TEST(GgufPartsTest, ChoosesWhatToOpen) {
  auto choose = [](const std::vector<std::string>& names) { return GgufCheckpoints(names); };
  EXPECT_THAT(choose({"a.txt", "m.gguf"}), ElementsAre("m.gguf"));
  EXPECT_THAT(choose({"m-00002-of-00002.gguf", "m-00001-of-00002.gguf"}),
              ElementsAre("m-00001-of-00002.gguf"));
  EXPECT_THAT(choose({"m-00001-of-00002.gguf", "n.gguf"}),
              ElementsAre("m-00001-of-00002.gguf", "n.gguf"));
  // Opening it says that the first is missing.
  EXPECT_THAT(choose({"m-00002-of-00002.gguf"}), ElementsAre("m-00002-of-00002.gguf"));
  EXPECT_THAT(choose({"m-00004-of-00004.gguf", "m-00002-of-00004.gguf", "n.gguf"}),
              ElementsAre("m-00002-of-00004.gguf", "n.gguf"));
  EXPECT_THAT(choose({"m.safetensors"}), IsEmpty());
}

// Part `number` (from 0) of three, with one tensor of its own.
GgufWriter Part(int number) {
  GgufWriter writer;
  if (number == 0) writer.String("general.name", "whole");
  writer.Scalar("split.no", 2, static_cast<uint16_t>(number));
  writer.Scalar("split.count", 2, uint16_t{3});
  writer.Scalar("split.tensors.count", 5, int32_t{3});
  writer.Tensor("t" + std::to_string(number), {8}, 0,
                std::string(32, static_cast<char>('a' + number)));
  return writer;
}

void Write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string NameOf(const std::string& folder, int number) {
  return folder + "/m-0000" + std::to_string(number + 1) + "-of-00003.gguf";
}

void WriteParts(const std::string& folder) {
  for (int number = 0; number < 3; ++number) Write(NameOf(folder, number), Part(number).Finish());
}

TEST(GgufPartsTest, OpensAllPartsWithTheFirst) {
  TemporaryDirectory folder;
  WriteParts(folder.path());
  std::shared_ptr<const void> mapping;
  std::span<const uint8_t> bytes;
  {
    const Result<GgufFile> gguf = GgufFile::Open(NameOf(folder.path(), 0));
    ASSERT_TRUE(gguf) << gguf.error().message();
    EXPECT_EQ(gguf->tensors().size(), 3U);
    EXPECT_EQ(*gguf->GetString("general.name"), "whole");
    EXPECT_FALSE(gguf->Has("split.count"));
    for (int number = 0; number < 3; ++number) {
      const GgufTensor* tensor = gguf->FindTensor("t" + std::to_string(number));
      ASSERT_NE(tensor, nullptr);
      EXPECT_EQ(tensor->bytes[31], 'a' + number);
    }
    mapping = gguf->mapping();
    bytes = gguf->FindTensor("t2")->bytes;
  }
  EXPECT_EQ(bytes[0], 'c');  // the mappings outlive the object
}

// One part's file may stand for itself: its count is one.
TEST(GgufPartsTest, OnePartIsAFile) {
  TemporaryDirectory folder;
  GgufWriter writer;
  writer.Scalar("split.count", 2, uint16_t{1});
  writer.Tensor("t", {8}, 0, std::string(32, 'x'));
  Write(folder.path() + "/any.gguf", writer.Finish());
  EXPECT_TRUE(GgufFile::Open(folder.path() + "/any.gguf"));
}

TEST(GgufPartsTest, RefusesPartsThatDoNotBelongTogether) {
  struct Case {
    const char* name;
    std::function<void(const std::string& folder)> damage;
    ErrorCode code;
    const char* message;
  };
  const Case cases[] = {
      {"missing", [](auto& f) { std::filesystem::remove(NameOf(f, 1)); }, ErrorCode::kNotFound,
       "m-00002-of-00003.gguf' is missing: part 2 of 3"},
      {"swapped",
       [](auto& f) {
         Write(NameOf(f, 1), Part(2).Finish());
         Write(NameOf(f, 2), Part(1).Finish());
       },
       ErrorCode::kCorrupt, "00002-of-00003.gguf' says of itself that it is part 3 of 3"},
      {"of another split",
       [](auto& f) {
         GgufWriter writer;
         writer.Scalar("split.no", 2, uint16_t{1});
         writer.Scalar("split.count", 2, uint16_t{2});
         Write(NameOf(f, 1), writer.Finish());
       },
       ErrorCode::kCorrupt, "says of itself that it is part 2 of 2"},
      {"not a part",
       [](auto& f) {
         GgufWriter writer;
         writer.Tensor("t1", {8}, 0, std::string(32, 'b'));
         Write(NameOf(f, 1), writer.Finish());
       },
       ErrorCode::kNotFound, "has no metadata 'split.no'"},
      {"same tensor twice",
       [](auto& f) {
         GgufWriter writer = Part(1);
         writer.tensors[0].name = "t0";
         Write(NameOf(f, 1), writer.Finish());
       },
       ErrorCode::kCorrupt, "00002-of-00003.gguf': tensor 't0' is in an earlier part, too"},
      {"a tensor too many",
       [](auto& f) {
         GgufWriter writer = Part(2);
         writer.Tensor("more", {8}, 0, std::string(32, 'd'));
         Write(NameOf(f, 2), writer.Finish());
       },
       ErrorCode::kCorrupt, "'split.tensors.count' is 3, its parts have 4"},
      {"cut short",
       [](auto& f) { std::filesystem::resize_file(NameOf(f, 2), Part(2).Finish().size() - 1); },
       ErrorCode::kCorrupt, "m-00003-of-00003.gguf': tensor 't2' needs 32 bytes"},
      {"first is the second", [](auto& f) { Write(NameOf(f, 0), Part(1).Finish()); },
       ErrorCode::kCorrupt, "says of itself that it is part 2 of 3: it was renamed"},
      {"absurd count",
       [](auto& f) {
         GgufWriter writer;
         writer.Scalar("split.no", 2, uint16_t{0});
         writer.Scalar("split.count", 2, uint16_t{65535});
         Write(NameOf(f, 0), writer.Finish());
       },
       ErrorCode::kExhausted, "65535 parts"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    TemporaryDirectory folder;
    WriteParts(folder.path());
    c.damage(folder.path());
    const Result<GgufFile> gguf = GgufFile::Open(NameOf(folder.path(), 0));
    ASSERT_FALSE(gguf);
    EXPECT_EQ(gguf.error().code(), c.code) << gguf.error().message();
    EXPECT_THAT(gguf.error().message(), HasSubstr(c.message));
  }
}

TEST(GgufPartsTest, LaterPartsAndOtherNamesAreExplained) {
  TemporaryDirectory folder;
  WriteParts(folder.path());
  const Result<GgufFile> later = GgufFile::Open(NameOf(folder.path(), 1));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(later.error().message(), HasSubstr("is part 2 of 3; open the first, '"));
  std::filesystem::rename(NameOf(folder.path(), 0), folder.path() + "/model.gguf");
  const Result<GgufFile> renamed = GgufFile::Open(folder.path() + "/model.gguf");
  ASSERT_FALSE(renamed);
  EXPECT_THAT(renamed.error().message(), HasSubstr("is part 1 of 3; the others are found by its"));
  const Result<GgufFile> headless = GgufFile::Open(NameOf(folder.path(), 1));
  ASSERT_FALSE(headless);
  EXPECT_EQ(headless.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(headless.error().message(), HasSubstr("is part 2 of 3; the first is missing, '"));
}

}  // namespace
}  // namespace skerry::engine
