#include <gtest/gtest.h>

#include <sstream>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/load.h"

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
  for (const std::string name : {"llama-spm", "phi-3"}) {
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
      EXPECT_EQ(Decode(*loaded->tokenizer, ids, true), texts[i]);
    }
  }
}

TEST(GgufTokenizer, OtherKindsAreRefusedByName) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  for (const auto& [name, kind] : {std::pair{"gpt-2", "'gpt2'"}, std::pair{"bert-bge", "'bert'"}}) {
    const auto loaded = LoadTokenizer(fixtures + "/vocab/ggml-vocab-" + name + ".gguf");
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().message().find(kind), std::string::npos) << loaded.error().message();
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

}  // namespace
}  // namespace skerry::engine
