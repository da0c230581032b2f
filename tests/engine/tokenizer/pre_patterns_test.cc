#include "engine/tokenizer/pre_patterns.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

std::string Cut(std::string_view name, std::string_view text) {
  const auto pattern = FindPrePattern(name);
  EXPECT_TRUE(pattern) << pattern.error().message();
  const auto pre = MakePreTokenizer(**pattern);
  EXPECT_TRUE(pre) << pre.error().message();
  std::string out;
  (*pre)->Split({text, true}, [&](const Piece& piece) {
    out += (out.empty() ? "" : "|") + std::string(piece.text);
  });
  return out;
}

TEST(PrePatterns, WhereTheyDiffer) {
  const std::string_view text = "I'LL pay 12345 \xE2\x82\xAC, HTTPServer\n\n x";
  EXPECT_EQ(Cut("llama-bpe", text), "I|'LL| pay| |123|45| \xE2\x82\xAC,| HTTPServer|\n\n| x");
  EXPECT_EQ(Cut("qwen2", text), "I|'LL| pay| |1|2|3|4|5| \xE2\x82\xAC,| HTTPServer|\n\n| x");
  EXPECT_EQ(Cut("tekken", text), "I|'LL| pay| |1|2|3|4|5| \xE2\x82\xAC,| HTTPServer|\n\n| x");
  EXPECT_EQ(Cut("gpt-4o", text), "I'LL| pay| |123|45| \xE2\x82\xAC,| HTTPServer|\n\n| x");
  EXPECT_EQ(Cut("gpt-2", text), "I|'|LL| pay| 12345| \xE2\x82\xAC,| HTTPServer|\n\n| x");
  EXPECT_EQ(Cut("tekken", "camelCase aB/\n"), "camel|Case| a|B|/\n");
  EXPECT_EQ(Cut("qwen35", "e\xCC\x81x"), "e\xCC\x81x");
  EXPECT_EQ(Cut("qwen2", "e\xCC\x81x"), "e|\xCC\x81x");
  EXPECT_EQ(Cut("falcon", "a(b) 1234"), "a|(|b|)| |123|4");
  EXPECT_EQ(Cut("starcoder", "ab 12"), "ab| |1|2");
  EXPECT_EQ(Cut("deepseek-llm", "Ab \xE4\xB8\xAD 12\n"), "Ab| |\xE4\xB8\xAD| |12|\n");
  EXPECT_EQ(Cut("deepseek-v3", "x_y 12345"), "x|_y| |123|45");
}

TEST(PrePatterns, AnUnknownNameIsRefusedWithThoseThereAre) {
  const auto found = FindPrePattern("default");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kInvalidArgument);
  for (const char* word : {"'default'", "llama-bpe", "deepseek-llm", "tokenizer.json"}) {
    EXPECT_NE(found.error().message().find(word), std::string::npos) << word;
  }
}

TEST(PrePatterns, EveryOneCanBeMade) {
  for (const char* name :
       {"llama-bpe", "dbrx", "qwen2", "qwen35", "tekken", "gpt-4o", "gpt-2", "starcoder", "falcon",
        "deepseek-v3", "deepseek-coder", "deepseek-llm"}) {
    EXPECT_FALSE(Cut(name, "Some text 1").empty());
  }
}

}  // namespace
}  // namespace skerry::engine
