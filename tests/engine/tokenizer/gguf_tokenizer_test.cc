#include <gtest/gtest.h>

#include <sstream>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "engine/tokenizer/byte_level.h"
#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/load.h"
#include "tests/engine/formats/gguf_writer.h"
#include "tests/engine/tokenizer/charsmap_builder.h"

namespace skerry::engine {
namespace {

std::string ReadText(const std::string& path) {
  auto files = OpenFiles("/");
  return ReadAll(**files, path.substr(1)).value();
}

std::vector<std::string> SplitBy(const std::string& text, const std::string& border) {
  std::vector<std::string> parts;
  size_t at = 0;
  while (true) {
    const size_t end = text.find(border, at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string::npos) return parts;
    at = end + border.size();
  }
}

// The ids that llama.cpp gives for its own test texts.
TEST(GgufTokenizer, VocabulariesGiveTheSameIdsAsLlamaCpp) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  for (const std::string name :
       {"llama-spm", "phi-3", "bert-bge", "gpt-2", "falcon", "starcoder", "deepseek-llm"}) {
    const std::string path = fixtures + "/vocab/ggml-vocab-" + name + ".gguf";
    const auto loaded = LoadTokenizer(path);
    ASSERT_TRUE(loaded) << loaded.error().message();
    const auto texts = SplitBy(ReadText(path + ".inp"), "\n__ggml_vocab_test__\n");
    const auto lines = SplitBy(ReadText(path + ".out"), "\n");
    ASSERT_GE(lines.size(), texts.size());
    ASSERT_GT(texts.size(), 40u);
    for (size_t i = 0; i < texts.size(); ++i) {
      std::vector<TokenId> expected;
      std::istringstream numbers(lines[i]);
      for (TokenId id = 0; numbers >> id;) expected.push_back(id);
      const std::vector<TokenId> ids = loaded->tokenizer->Encode(texts[i]);
      EXPECT_EQ(ids, expected) << name << ": '" << texts[i] << "'";
      if (name == "bert-bge") continue;  // what it drops does not come back
      EXPECT_EQ(Decode(*loaded->tokenizer, ids, true), texts[i]);
    }
  }
}

TEST(GgufTokenizer, FolderAndFileOfOneModelAgree) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto folder = LoadTokenizer(fixtures + "/stories260k/hf");
  const auto gguf = LoadTokenizer(fixtures + "/stories260k/stories260k-f32.gguf");
  ASSERT_TRUE(folder) << folder.error().message();
  ASSERT_TRUE(gguf) << gguf.error().message();
  for (const char* text : {"Once upon a time", "", " a  b", "\xC3\xA4\n\t", "Lily's cat <s>"}) {
    EXPECT_EQ(folder->tokenizer->Encode(text), gguf->tokenizer->Encode(text)) << text;
  }
  EXPECT_EQ(folder->stop_tokens, gguf->stop_tokens);
}

struct SmallFile {
  std::string kind = "gpt2";
  std::string pre = "gpt-2";
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<float> scores;
  std::vector<std::string> merges;
  std::vector<uint8_t> charsmap;
};

Result<LoadedTokenizer> Load(const SmallFile& file) {
  testing::GgufWriter writer;
  writer.String("general.architecture", "llama");
  writer.String("tokenizer.ggml.model", file.kind);
  if (!file.pre.empty()) writer.String("tokenizer.ggml.pre", file.pre);
  writer.Strings("tokenizer.ggml.tokens", file.tokens);
  writer.Numbers("tokenizer.ggml.token_type", 5, file.types);
  if (!file.scores.empty()) writer.Numbers("tokenizer.ggml.scores", 6, file.scores);
  if (!file.merges.empty()) writer.Strings("tokenizer.ggml.merges", file.merges);
  if (!file.charsmap.empty()) {
    writer.Numbers("tokenizer.ggml.precompiled_charsmap", 0, file.charsmap);
  }
  skerry::testing::TemporaryDirectory directory;
  auto files = OpenFiles(directory.path());
  EXPECT_TRUE(WriteAtomically(**files, "small.gguf", writer.Finish()));
  return LoadTokenizer(directory.path() + "/small.gguf");
}

// Bytes, "ab", a control, a user-defined and a plain user-defined token.
SmallFile SmallBpe() {
  SmallFile file;
  for (int byte = 0; byte < 256; ++byte) {
    file.tokens.push_back(EncodeByteLevel(std::string(1, static_cast<char>(byte))));
    file.types.push_back(1);
  }
  file.tokens.insert(file.tokens.end(), {"ab", "<c>", "<user>", "\n\n", "[PAD260]"});
  file.types.insert(file.types.end(), {1, 3, 4, 4, 5});
  file.merges = {"a b"};
  return file;
}

TEST(GgufTokenizer, BytePairs) {
  const auto loaded = Load(SmallBpe());
  ASSERT_TRUE(loaded) << loaded.error().message();
  const Tokenizer& tokenizer = *loaded->tokenizer;
  EXPECT_EQ(tokenizer.Encode("ab<user>\n\n"),
            (std::vector<TokenId>{256, '<', 'u', 's', 'e', 'r', '>', 259}));
  EXPECT_EQ(EncodeWithControl(tokenizer, "ab<user><c>"), (std::vector<TokenId>{256, 258, 257}));
  EXPECT_TRUE(tokenizer.IsControl(257));
  EXPECT_FALSE(tokenizer.IsControl(258));
  EXPECT_EQ(tokenizer.TokenBytes(258), "<user>");
  EXPECT_EQ(tokenizer.Encode("[PAD260]").size(), 8u);
}

TEST(GgufTokenizer, Unigram) {
  const std::string map = testing::BuildCharsMap({{"\xEF\xAC\x81", "fi"}});
  SmallFile file;
  file.kind = "t5";
  file.tokens = {"<pad>",
                 "</s>",
                 "<unk>",
                 "\xE2\x96\x81",
                 "fi",
                 "\xE2\x96\x81"
                 "fi",
                 "<x>"};
  file.types = {3, 3, 2, 1, 1, 1, 4};
  file.scores = {0, 0, 0, -3, -2.5, -4, 0};
  file.charsmap.assign(map.begin(), map.end());
  const auto loaded = Load(file);
  ASSERT_TRUE(loaded) << loaded.error().message();
  const Tokenizer& tokenizer = *loaded->tokenizer;
  EXPECT_EQ(tokenizer.Encode("\xEF\xAC\x81 fififi"), (std::vector<TokenId>{5, 5, 4, 4}));
  EXPECT_EQ(EncodeWithControl(tokenizer, "fi<x>"), (std::vector<TokenId>{5, 6, 1}));
  EXPECT_EQ(tokenizer.Encode("<x>"), (std::vector<TokenId>{3, 2}));
  EXPECT_EQ(loaded->stop_tokens, std::vector<TokenId>{1});
}

TEST(GgufTokenizer, WhatIsNotUnderstoodIsNamed) {
  const auto message = [](const SmallFile& file) {
    const auto loaded = Load(file);
    return loaded ? "loaded" : loaded.error().message();
  };
  SmallFile file = SmallBpe();
  EXPECT_EQ(message(file), "loaded");
  file.kind = "rwkv";
  EXPECT_NE(message(file).find("'rwkv'; these are supported: 'llama', 'gpt2'"), std::string::npos);
  file = SmallBpe();
  file.pre = "something-new";
  EXPECT_NE(message(file).find("'something-new'"), std::string::npos);
  file.pre = "";
  EXPECT_NE(message(file).find("llama-bpe"), std::string::npos);
  file = SmallBpe();
  file.merges = {"a zz"};
  EXPECT_NE(message(file).find("merge 0"), std::string::npos);
  file.merges = {"ab"};
  EXPECT_NE(message(file).find("merge 0"), std::string::npos);
  file = SmallBpe();
  file.types.pop_back();
  EXPECT_NE(message(file).find("differ in length"), std::string::npos);
  file = SmallBpe();
  file.tokens[3] = "\xFF";
  EXPECT_NE(message(file).find("token 3"), std::string::npos);
  file = SmallBpe();
  file.kind = "bert";
  EXPECT_EQ(message(file), "loaded");  // any text is a piece, and 100 the unknown token
  file.tokens.resize(50);
  file.types.resize(50);
  EXPECT_NE(message(file).find("unknown_token_id"), std::string::npos);
  file.kind = "t5";
  EXPECT_NE(message(file).find("scores"), std::string::npos);
}

}  // namespace
}  // namespace skerry::engine
