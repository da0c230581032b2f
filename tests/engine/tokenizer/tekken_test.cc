#include "engine/tokenizer/tekken.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "engine/tokenizer/detokenizer.h"

namespace skerry::engine {
namespace {

constexpr int kSpecials = 30;

// All bytes, then the given tokens.
Json SmallTekken(const std::vector<std::string>& tokens) {
  Json vocab = Json::array();
  const auto add = [&](const std::string& bytes) {
    const std::vector<uint8_t> raw(bytes.begin(), bytes.end());
    vocab.push_back(
        {{"rank", vocab.size()}, {"token_bytes", Base64Encode(raw)}, {"token_str", nullptr}});
  };
  for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
  for (const std::string& token : tokens) add(token);
  return {{"config",
           {{"pattern", "\\p{L}+|\\s+|[^\\p{L}\\s]+"},
            {"default_num_special_tokens", kSpecials},
            {"default_vocab_size", kSpecials + 256 + tokens.size()},
            {"version", "v3"}}},
          {"vocab", vocab}};
}

std::unique_ptr<Tokenizer> Make(const Json& file) {
  auto tekken = ReadTekken(file);
  EXPECT_TRUE(tekken) << tekken.error().message();
  auto tokenizer = PipelineTokenizer::Create(std::move(tekken->parts));
  EXPECT_TRUE(tokenizer);
  return std::move(*tokenizer);
}

TEST(Tekken, IdsAreRanksBehindTheSpecials) {
  const auto tokenizer = Make(SmallTekken({"th", "he", "the", "ab", "bc", "abc", "xyz"}));
  const TokenId first = kSpecials + 256;
  EXPECT_EQ(tokenizer->Encode("the"), std::vector<TokenId>{first + 2});
  EXPECT_EQ(tokenizer->Encode("thex"), (std::vector<TokenId>{first + 2, kSpecials + 'x'}));
  // "ab" has the lower rank, although "bc" would be there too.
  EXPECT_EQ(tokenizer->Encode("abcd"), (std::vector<TokenId>{first + 5, kSpecials + 'd'}));
  EXPECT_EQ(tokenizer->Encode("xyz"), std::vector<TokenId>{first + 6});  // a whole word
  EXPECT_EQ(tokenizer->Encode("xyzz").size(), 4u);                       // but no pair leads to it
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_TRUE(tokenizer->add_bos());
  EXPECT_FALSE(tokenizer->adds_leading_space());
  const std::string text = "the \xF0\x9F\xA6\x99 <s>";
  EXPECT_EQ(Decode(*tokenizer, tokenizer->Encode(text), false), text);
}

TEST(Tekken, SpecialTokens) {
  Json file = SmallTekken({});
  auto tokenizer = Make(file);
  EXPECT_EQ(tokenizer->FindControl("[INST]"), 3);
  EXPECT_EQ(tokenizer->FindControl("[TOOL_CONTENT]"), 19);
  EXPECT_EQ(tokenizer->FindControl("<SPECIAL_20>"), 20);
  EXPECT_TRUE(tokenizer->IsControl(29));
  EXPECT_EQ(EncodeWithControl(*tokenizer, "[INST]"), (std::vector<TokenId>{1, 3}));
  EXPECT_EQ(tokenizer->Encode("[INST]").size(), 6u);
  file["special_tokens"] = {{{"rank", 0}, {"token_str", "<unk>"}, {"is_control", true}},
                            {{"rank", 5}, {"token_str", "[THINK]"}, {"is_control", true}}};
  file["config"]["version"] = "v13";
  tokenizer = Make(file);
  EXPECT_EQ(tokenizer->FindControl("[THINK]"), 5);
  EXPECT_EQ(tokenizer->FindControl("<SPECIAL_1>"), 1);
  EXPECT_EQ(tokenizer->bos(), std::nullopt);
  EXPECT_EQ(ReadTekken(file)->version, "v13");
}

TEST(Tekken, TokensBeyondTheVocabularyAreLeftOut) {
  Json file = SmallTekken({"ab", "cd"});
  file["config"]["default_vocab_size"] = kSpecials + 257;
  const auto tokenizer = Make(file);
  EXPECT_EQ(tokenizer->vocab_size(), kSpecials + 257);
  EXPECT_EQ(tokenizer->Encode("ab").size(), 1u);
  EXPECT_EQ(tokenizer->Encode("cd").size(), 2u);
}

TEST(Tekken, WhatContradictsItselfIsNamed) {
  const auto message = [](const Json& file) {
    const auto tekken = ReadTekken(file);
    return tekken ? "read" : tekken.error().message();
  };
  const Json good = SmallTekken({"ab"});
  EXPECT_EQ(message(good), "read");
  EXPECT_NE(message({}).find("config"), std::string::npos);
  Json bad = good;
  bad["config"].erase("pattern");
  EXPECT_NE(message(bad).find("'pattern'"), std::string::npos);
  bad = good;
  bad["config"]["pattern"] = "(?<=a)";
  EXPECT_NE(message(bad).find("pattern"), std::string::npos);
  bad = good;
  bad["config"]["default_vocab_size"] = 1000;
  EXPECT_NE(message(bad).find("vocab"), std::string::npos);
  bad = good;
  bad["config"]["default_vocab_size"] = -1;
  EXPECT_NE(message(bad).find("default_vocab_size -1"), std::string::npos);
  bad = good;
  bad["vocab"][7]["rank"] = 8;
  EXPECT_NE(message(bad).find("token 7"), std::string::npos);
  bad = good;
  bad["vocab"][7]["token_bytes"] = "!";
  EXPECT_NE(message(bad).find("token 7"), std::string::npos);
  bad = good;
  bad["config"]["version"] = "v13";
  EXPECT_NE(message(bad).find("v13"), std::string::npos);
  bad["special_tokens"] = {{{"rank", 30}, {"token_str", "x"}}};
  EXPECT_NE(message(bad).find("rank 30"), std::string::npos);
  bad["special_tokens"] = {{{"rank", 3}, {"token_str", "x"}}, {{"rank", 3}, {"token_str", "y"}}};
  EXPECT_NE(message(bad).find("twice"), std::string::npos);
}

}  // namespace
}  // namespace skerry::engine
