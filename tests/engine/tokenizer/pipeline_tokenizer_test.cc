#include "engine/tokenizer/pipeline_tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/tokenizer/bpe_model.h"

namespace skerry::engine {
namespace {

// Bytes, "ab", and the added tokens <c> (control), <t> (text), "\n\n" (plain).
PipelineParts SmallParts() {
  PipelineParts parts;
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) texts.emplace_back(1, static_cast<char>(byte));
  texts.emplace_back("ab");
  for (const std::string& text : texts) parts.tokens.push_back({text, text, false});
  parts.model = std::move(*BpeModel::Create(texts, {{'a', 'b', 256, 0}}, {}));
  parts.tokens.push_back({"<c>", "<c>", true});
  parts.tokens.push_back({"<t>", "<t>", false});
  parts.tokens.push_back({"\n\n", "\n\n", false});
  parts.added = {{"<c>", 257}, {"<t>", 258}, {"\n\n", 259, false, false, false, true}};
  return parts;
}

std::unique_ptr<PipelineTokenizer> Make(PipelineParts parts) {
  auto tokenizer = PipelineTokenizer::Create(std::move(parts));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  return std::move(*tokenizer);
}

TEST(PipelineTokenizer, AddedTokensOnlyInTrustedText) {
  const auto tokenizer = Make(SmallParts());
  EXPECT_EQ(EncodeWithControl(*tokenizer, "ab<c>a<t>\n\n"),
            (std::vector<TokenId>{256, 257, 'a', 258, 259}));
  EXPECT_EQ(tokenizer->Encode("<c>\n\n<t>"),
            (std::vector<TokenId>{'<', 'c', '>', 259, '<', 't', '>'}));
  EXPECT_EQ(tokenizer->Encode(""), std::vector<TokenId>{});
  EXPECT_EQ(tokenizer->FindControl("<c>"), 257);
  EXPECT_EQ(tokenizer->FindControl("ab"), std::nullopt);
  EXPECT_TRUE(tokenizer->IsControl(257));
  EXPECT_FALSE(tokenizer->IsControl(258));
  EXPECT_EQ(tokenizer->TokenBytes(257), "");
  EXPECT_EQ(tokenizer->TokenBytes(258), "<t>");
  EXPECT_EQ(tokenizer->TokenName(257), "<c>");
  for (const TokenId id : {-1, 260}) {
    EXPECT_EQ(tokenizer->TokenName(id), "");
    EXPECT_EQ(tokenizer->TokenBytes(id), "");
    EXPECT_FALSE(tokenizer->IsControl(id));
  }
}

TEST(PipelineTokenizer, StagesInTheirOrder) {
  PipelineParts parts = SmallParts();
  parts.normalizer = std::make_unique<LowercaseNormalizer>();
  parts.pre_tokenizer =
      std::make_unique<SplitPreTokenizer>(*Regex::Create("B|b"), SplitBehavior::kIsolated, false);
  const auto tokenizer = Make(std::move(parts));
  EXPECT_EQ(tokenizer->Encode("AB"), (std::vector<TokenId>{'a', 'b'}));  // cut before merging
}

TEST(PipelineTokenizer, LeastTokensIsNeverTooMuch) {
  auto tokenizer = Make(SmallParts());
  EXPECT_EQ(tokenizer->LeastTokens(100), 50u);
  EXPECT_LE(tokenizer->LeastTokens(100), tokenizer->Encode(std::string(100, '\n')).size());
  PipelineParts parts = SmallParts();
  parts.normalizer = std::make_unique<NormalFormNormalizer>(unicode::NormalForm::kNfc);
  EXPECT_EQ(Make(std::move(parts))->LeastTokens(90), 15u);
  parts = SmallParts();
  parts.pre_tokenizer =
      std::make_unique<SplitPreTokenizer>(*Regex::Create(" "), SplitBehavior::kRemoved, false);
  EXPECT_EQ(Make(std::move(parts))->LeastTokens(90), 0u);
}

TEST(PipelineTokenizer, AddedTokensThatAModelDoesNotKnowAreForgotten) {
  PipelineParts parts = SmallParts();
  parts.model_tokens = 257;
  auto tokenizer = Make(std::move(parts));
  EXPECT_TRUE(tokenizer->LimitTo(1000));
  EXPECT_EQ(tokenizer->vocab_size(), 260);
  EXPECT_TRUE(tokenizer->LimitTo(258));
  EXPECT_EQ(tokenizer->vocab_size(), 258);
  EXPECT_EQ(EncodeWithControl(*tokenizer, "<c><t>\n\n"),
            (std::vector<TokenId>{257, '<', 't', '>', '\n', '\n'}));
  EXPECT_EQ(tokenizer->TokenName(258), "");
  const auto less = tokenizer->LimitTo(256);  // "ab" is one of the model's own
  ASSERT_FALSE(less);
  EXPECT_NE(less.error().message().find("258 tokens, but the model knows 256"), std::string::npos);
  parts = SmallParts();
  parts.model_tokens = 257;
  parts.eos = 258;
  EXPECT_FALSE(Make(std::move(parts))->LimitTo(258));
  EXPECT_FALSE(Make(SmallParts())->LimitTo(258));
}

TEST(PipelineTokenizer, RefusesTokensOutside) {
  PipelineParts parts = SmallParts();
  parts.added.push_back({"<x>", 260});
  EXPECT_FALSE(PipelineTokenizer::Create(std::move(parts)));
  parts = SmallParts();
  parts.bos = 260;
  EXPECT_FALSE(PipelineTokenizer::Create(std::move(parts)));
}

TEST(PipelineTokenizer, ThreadsDoNotDisturbEachOther) {
  const auto tokenizer = Make(SmallParts());
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "ab" + std::to_string(i) + " ";
  const std::vector<TokenId> expected = tokenizer->Encode(text);
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (size_t t = 0; t < good.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) good[t] += tokenizer->Encode(text) == expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : good) EXPECT_EQ(count, 20);
}

}  // namespace
}  // namespace skerry::engine
