#include "bundler/inspect/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"
#include "tests/bundler/small_model.h"

namespace skerry::inspect {
namespace {

using skerry::testing::SmallModel;
using ::testing::HasSubstr;
using Content = std::map<std::string, std::string>;

Result<ModelFormat> Inspect(const Content& content) {
  skerry::testing::MemoryFiles files;
  ModelFiles model;
  for (const auto& [name, text] : content) {
    EXPECT_TRUE(MakeDirectories(files, ParentDirectory(name)));
    EXPECT_TRUE(files.Create(name, 0600).value()->Append(AsBytes(text)));
    model.names.push_back(name);
  }
  model.open = [&](const std::string& name) { return files.OpenRead(name); };
  return InspectModel(model);
}

std::string Refusal(const Content& content, ErrorCode code) {
  const Result<ModelFormat> format = Inspect(content);
  if (format) return "accepted";
  EXPECT_EQ(format.error().code(), code) << format.error().message();
  return format.error().message();
}

Content With(const std::string& name, const std::string& text) {
  Content content = SmallModel();
  content[name] = text;
  return content;
}

Content Without(const std::string& name) {
  Content content = SmallModel();
  content.erase(name);
  return content;
}

TEST(ModelTest, KindsAreRecognised) {
  EXPECT_EQ(Inspect(SmallModel()).value(), ModelFormat::kHuggingFace);
  EXPECT_EQ(Inspect({{"params.json", "{\"dim\":1}"},
                     {"consolidated.safetensors", skerry::testing::SmallSafetensors()},
                     {"tokenizer.model.v3", "x"}})
                .value(),
            ModelFormat::kMistral);
  EXPECT_EQ(Inspect({{"a.gguf", skerry::testing::GgufParts().Build()}}).value(),
            ModelFormat::kGguf);
}

TEST(ModelTest, MissingPartsAreNamed) {
  EXPECT_THAT(Refusal({{"notes.txt", "hello"}}, ErrorCode::kNotFound), HasSubstr("not a model"));
  EXPECT_THAT(Refusal(Without("config.json"), ErrorCode::kNotFound),
              HasSubstr("neither 'config.json'"));
  EXPECT_THAT(Refusal(Without("model.safetensors"), ErrorCode::kNotFound), HasSubstr("no weights"));
  EXPECT_THAT(Refusal(Without("tokenizer.model"), ErrorCode::kNotFound), HasSubstr("no tokenizer"));
  EXPECT_THAT(Refusal(With("config.json", "{}"), ErrorCode::kNotFound), HasSubstr("'model_type'"));
  EXPECT_THAT(Refusal(With("model.safetensors.index.json",
                           R"({"weight_map":{"a":"model.safetensors","b":"model-2.safetensors"}})"),
                      ErrorCode::kNotFound),
              HasSubstr("'model-2.safetensors'"));
  EXPECT_THAT(Refusal({{"m-00001-of-00002.gguf", skerry::testing::GgufParts().Build()}},
                      ErrorCode::kNotFound),
              HasSubstr("'m-00002-of-00002.gguf'"));
}

TEST(ModelTest, SplitGgufPartsBelongTogether) {
  using skerry::testing::GgufParts;
  using skerry::testing::LittleEndian;
  const auto part = [](uint64_t number, uint64_t parts, uint64_t tensors) {
    GgufParts gguf;
    gguf.keys.push_back({"split.no", LittleEndian(2, 4) + LittleEndian(number, 2)});
    gguf.keys.push_back({"split.count", LittleEndian(2, 4) + LittleEndian(parts, 2)});
    gguf.keys.push_back({"split.tensors.count", LittleEndian(5, 4) + LittleEndian(tensors, 4)});
    return gguf.Build();
  };
  const std::string first = "m-00001-of-00002.gguf", second = "m-00002-of-00002.gguf";
  EXPECT_TRUE(Inspect({{first, part(0, 2, 4)}, {second, part(1, 2, 4)}}));
  EXPECT_THAT(Refusal({{first, part(1, 2, 4)}, {second, part(0, 2, 4)}}, ErrorCode::kCorrupt),
              HasSubstr("part 2 of 2: it was renamed"));
  EXPECT_THAT(Refusal({{first, part(0, 3, 4)}, {second, part(1, 2, 4)}}, ErrorCode::kCorrupt),
              HasSubstr("part 1 of 3"));
  EXPECT_THAT(Refusal({{first, part(0, 2, 5)}, {second, part(1, 2, 5)}}, ErrorCode::kCorrupt),
              HasSubstr("is 5, the model's parts have 4"));
  EXPECT_THAT(Refusal({{second, part(1, 2, 4)}}, ErrorCode::kNotFound), HasSubstr(first));
  for (const char* name : {"m-00000-of-00002.gguf", "m-00003-of-00002.gguf"}) {
    EXPECT_THAT(Refusal({{first, part(0, 2, 4)}, {second, part(1, 2, 4)}, {name, part(2, 2, 4)}},
                        ErrorCode::kNotFound),
                HasSubstr(name));
  }
  EXPECT_THAT(Refusal({{"m-00001-of-00000.gguf", part(0, 0, 2)}}, ErrorCode::kNotFound),
              HasSubstr("cannot be"));
  EXPECT_TRUE(Inspect({{"m-0000x-of-00002.gguf", part(0, 2, 4)}})) << "a name like any other";
  EXPECT_TRUE(Inspect({{"m.gguf", part(0, 1, 2)}, {"sub/" + first, part(0, 2, 4)}}));
}

TEST(ModelTest, PartsSayWhichTheyAre) {
  using skerry::testing::GgufParts;
  using skerry::testing::LittleEndian;
  const auto with = [](const std::string& prefix, const std::string& number) {
    GgufParts gguf;
    gguf.keys.push_back({prefix + "split.no", number});
    gguf.keys.push_back({"split.count", LittleEndian(2, 4) + LittleEndian(1, 2)});
    gguf.keys.push_back({"split.tensors.count", LittleEndian(5, 4) + LittleEndian(2, 4)});
    return gguf.Build();
  };
  const std::string name = "m-00001-of-00001.gguf", zero = LittleEndian(2, 4) + LittleEndian(0, 2);
  EXPECT_TRUE(Inspect({{name, with("", zero)}}));
  EXPECT_THAT(Refusal({{name, with("x.", zero)}}, ErrorCode::kCorrupt), HasSubstr("'split.no'"));
  EXPECT_THAT(
      Refusal({{name, with("", LittleEndian(0, 4) + LittleEndian(0, 1))}}, ErrorCode::kCorrupt),
      HasSubstr("'split.no'"))
      << "of a type that no writer uses";
  EXPECT_THAT(Refusal({{name, GgufParts().Build()}}, ErrorCode::kCorrupt), HasSubstr("which part"));
}

TEST(ModelTest, WhatMustNotTravel) {
  EXPECT_THAT(Refusal(With("config.json", R"({"model_type":"x","trust_remote_code":true})"),
                      ErrorCode::kUntrusted),
              HasSubstr("trust_remote_code"));
  EXPECT_TRUE(Inspect(With("config.json", R"({"model_type":"x","trust_remote_code":false})")));
  EXPECT_THAT(Refusal(With("modeling_x.py", "pass"), ErrorCode::kUntrusted),
              HasSubstr("modeling_x.py"));
  EXPECT_THAT(Refusal(With("pytorch_model.bin", "PK\x03\x04"), ErrorCode::kUntrusted),
              HasSubstr("zip"));
  EXPECT_THAT(Refusal(With("sub/extra.dat", "cposix\nsystem\n."), ErrorCode::kUntrusted),
              HasSubstr("sub/extra.dat"));
  EXPECT_THAT(Refusal(With("config.json", R"({"model_type":"x","auto_map":{"AutoModel":"m.M"}})"),
                      ErrorCode::kUntrusted),
              HasSubstr("auto_map"));
  EXPECT_THAT(
      Refusal(With("tokenizer_config.json", R"({"a":[{"auto_map":1}]})"), ErrorCode::kUntrusted),
      HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(Refusal(With("sub/params.json", R"({"auto_map":1})"), ErrorCode::kUntrusted),
              HasSubstr("sub/params.json"));
}

TEST(ModelTest, DamagedFilesAreNamed) {
  EXPECT_THAT(Refusal(With("model.safetensors", "short"), ErrorCode::kCorrupt),
              HasSubstr("file 'model.safetensors': "));
  EXPECT_THAT(Refusal(With("extra.gguf", "GGUF"), ErrorCode::kCorrupt), HasSubstr("extra.gguf"));
  EXPECT_THAT(Refusal(With("config.json", "{\"a\":1,\"a\":2}"), ErrorCode::kCorrupt),
              HasSubstr("config.json"));
}

}  // namespace
}  // namespace skerry::inspect
