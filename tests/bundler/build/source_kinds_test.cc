#include "bundler/build/source_kinds.h"

#include <gtest/gtest.h>

namespace skerry::build {
namespace {

TEST(SourceKindsTest, NamesOfAModel) {
  for (const char* name :
       {"model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json",
        "config.json", "generation_config.json", "params.json", "tekken.json", "tokenizer.model",
        "tokenizer.model.v3", "merges.txt", "vocab.json", "chat_template.jinja", "modules.json",
        "1_Pooling/config.json", "additional_chat_templates/tool_use.jinja", "x-Q4_K_M.gguf",
        "SYSTEM_PROMPT.txt", "CHANGELOG.md", "docs/README.md"}) {
    EXPECT_EQ(KindOfName(name), NameKind::kModel) << name;
  }
}

TEST(SourceKindsTest, DocumentsLieAtTheTop) {
  for (const char* name : {"LICENSE", "license.txt", "LICENCE.md", "LICENSE-2.0", "NOTICE",
                           "USE_POLICY.md", "README.md", "COPYING", "Notice.txt"}) {
    EXPECT_EQ(KindOfName(name), NameKind::kDocument) << name;
  }
  EXPECT_EQ(KindOfName("sub/LICENSE"), NameKind::kUnknown);
  EXPECT_EQ(KindOfName("license.py"), NameKind::kUnknown);
  EXPECT_EQ(KindOfName("license.bin"), NameKind::kOtherWeights);
}

TEST(SourceKindsTest, WhatToolsLeaveBehind) {
  for (const char* name : {".git", ".gitattributes", ".cache", "a/.gitattributes", "x.lock"}) {
    EXPECT_EQ(KindOfName(name), NameKind::kLeftBehind) << name;
  }
  for (const char* name : {"x.incomplete", "model.safetensors.part", "a/b.aria2"}) {
    EXPECT_EQ(KindOfName(name), NameKind::kUnfinished) << name;
  }
}

TEST(SourceKindsTest, OtherWeightsAndHowToLeaveThemOut) {
  const struct {
    const char* name;
    const char* pattern;
  } cases[] = {{"pytorch_model.bin", "pytorch_model.bin"},
               {"pytorch_model-00001-of-00002.bin", "pytorch_model*.bin"},
               {"2_Dense/pytorch_model.bin", "2_Dense/pytorch_model.bin"},
               {"flax_model.msgpack", "flax_model.msgpack"},
               {"onnx/model.onnx", "onnx"},
               {"original/params.json", "original"},
               {"tf_model.h5", "tf_model.h5"},
               {"consolidated.00.pth", "consolidated.00.pth"}};
  for (const auto& [name, pattern] : cases) {
    EXPECT_EQ(KindOfName(name), NameKind::kOtherWeights) << name;
    EXPECT_EQ(ExcludePattern(name), pattern);
  }
  EXPECT_EQ(KindOfName("mmproj-model-f16.gguf"), NameKind::kProjector);
  EXPECT_EQ(KindOfName("image.png"), NameKind::kUnknown);
  EXPECT_EQ(KindOfName("adapter_config.json"), NameKind::kUnknown);
}

TEST(SourceKindsTest, PartsOfAGguf) {
  const auto part = ParseGgufPart("m-Q8-00002-of-00003.gguf");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->prefix, "m-Q8");
  EXPECT_EQ(part->part, 2);
  EXPECT_EQ(part->count, 3);
  for (const char* name :
       {"m.gguf", "-00001-of-00001.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf",
        "m-0000x-of-00003.gguf", "m-00001-of-00003.bin", "m-00001_of_00003.gguf"}) {
    EXPECT_FALSE(ParseGgufPart(name)) << name;
  }
}

}  // namespace
}  // namespace skerry::build
