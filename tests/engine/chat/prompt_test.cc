#include "engine/chat/prompt.h"

#include <gtest/gtest.h>

#include "tests/engine/chat/byte_tokenizer.h"

namespace skerry::engine {
namespace {

using testing::ByteTokenizer;

TEST(Prompt, OnlyTrustedTextBecomesControlTokens) {
  const ByteTokenizer tokenizer({"<s>", "</s>"});
  const Prompt prompt = {{0, {}},
                         {std::nullopt, {{"<s>", false}, {"</s>", true}, {"x", false}}},
                         {std::nullopt, {{"</", true}, {"s>", false}}},
                         {1, {}}};
  const auto id = [](char c) { return static_cast<TokenId>(c) + 100; };
  EXPECT_EQ(EncodePrompt(tokenizer, prompt),
            (std::vector<TokenId>{0, id('<'), id('s'), id('>'), 1, id('x'), id('<'), id('/'),
                                  id('s'), id('>'), 1}));
  EXPECT_EQ(ShowPrompt(tokenizer, prompt), "<s><s></s>x</s></s>");
  EXPECT_LE(LeastTokens(tokenizer, prompt), 11u);
  EXPECT_GE(LeastTokens(tokenizer, prompt), 6u);
}

}  // namespace
}  // namespace skerry::engine
