#include "engine/tokenizer/vocab_txt.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/tokenizer/detokenizer.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\n,\nH\xC3\xA9\r\n\xE4\xB8\xAD\n";

std::unique_ptr<Tokenizer> Make(const Json& config) {
  auto parts = ReadVocabTxt(kVocabulary, config);
  EXPECT_TRUE(parts) << parts.error().message();
  auto tokenizer = PipelineTokenizer::Create(std::move(*parts));
  EXPECT_TRUE(tokenizer);
  return std::move(*tokenizer);
}

TEST(VocabTxt, AsBertDoes) {
  const auto tokenizer = Make(Json::object());
  EXPECT_EQ(tokenizer->Encode("Hello, W\xC3\xB6rlds \xE4\xB8\xAD!"),
            (std::vector<TokenId>{5, 8, 6, 7, 10, 1}));
  EXPECT_EQ(EncodeWithControl(*tokenizer, "hello"), (std::vector<TokenId>{2, 5, 3}));
  EXPECT_EQ(EncodeWithControl(*tokenizer, "[MASK] hello"), (std::vector<TokenId>{2, 4, 5, 3}));
  for (const TokenId id : tokenizer->Encode("[CLS] [MASK]")) EXPECT_EQ(id, 1);
  EXPECT_EQ(Decode(*tokenizer, {2, 5, 7, 8, 6, 3}, true), "hellos , world");
  EXPECT_EQ(tokenizer->LeastTokens(1 << 20), 0u);  // white space is dropped
}

TEST(VocabTxt, CaseAsTheConfigurationSays) {
  const auto tokenizer = Make({{"do_lower_case", false}});
  EXPECT_EQ(tokenizer->Encode("hello Hello H\xC3\xA9"), (std::vector<TokenId>{5, 1, 9}));
}

TEST(VocabTxt, WhatIsNoVocabulary) {
  EXPECT_FALSE(ReadVocabTxt("a\nb\n", Json::object()));  // no [UNK]
  EXPECT_FALSE(ReadVocabTxt("[UNK]\n\xFF\n", Json::object()));
  EXPECT_FALSE(ReadVocabTxt("[UNK]\n" + std::string(2000, 'x'), Json::object()));
  EXPECT_FALSE(ReadVocabTxt("", Json::object()));
}

}  // namespace
}  // namespace skerry::engine
