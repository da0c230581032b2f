#include "engine/tokenizer/detokenizer.h"

#include <gtest/gtest.h>

#include "engine/tokenizer/load.h"

namespace skerry::engine {
namespace {

std::unique_ptr<Tokenizer> Demo() {
  auto loaded = LoadTokenizer(SKERRY_SOURCE_DIR "/installer/demo-model/model");
  EXPECT_TRUE(loaded) << loaded.error().message();
  return std::move(loaded->tokenizer);
}

TEST(Detokenizer, HoldsBackHalfCharacters) {
  const auto tokenizer = Demo();
  const std::vector<TokenId> ids = tokenizer->Encode("\xF0\x9F\xA6\x99!");
  Detokenizer decoder(*tokenizer, true);
  std::string text;
  int pieces = 0;
  for (const TokenId id : ids) {
    const std::string piece = decoder.Push(id);
    if (!piece.empty()) ++pieces;
    text += piece;
  }
  EXPECT_EQ(text, "\xF0\x9F\xA6\x99!");
  EXPECT_EQ(pieces, 2);  // four byte tokens gave one character at once
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(Detokenizer, ReplacesWhatCannotBecomeACharacter) {
  const auto tokenizer = Demo();
  const std::vector<TokenId> llama = tokenizer->Encode("\xF0\x9F\xA6\x99");
  const std::vector<TokenId> letter = tokenizer->Encode("z");
  Detokenizer decoder(*tokenizer, false);
  EXPECT_EQ(decoder.Push(llama[llama.size() - 4]), "");
  EXPECT_EQ(decoder.Push(letter.back()),
            "\xEF\xBF\xBD" + std::string(tokenizer->TokenBytes(letter.back())));
  EXPECT_EQ(decoder.Push(llama[llama.size() - 4]), "");
  EXPECT_EQ(decoder.Finish(), "\xEF\xBF\xBD");
}

TEST(Detokenizer, StripsOneLeadingSpaceOnlyWhenAsked) {
  const auto tokenizer = Demo();
  const std::vector<TokenId> ids = tokenizer->Encode(" two");
  EXPECT_EQ(Decode(*tokenizer, ids, true), " two");
  EXPECT_EQ(Decode(*tokenizer, ids, false), "  two");
}

TEST(Detokenizer, DropsControlTokens) {
  const auto tokenizer = Demo();
  std::vector<TokenId> ids = {1, 3};
  for (const TokenId id : tokenizer->Encode("hi")) ids.push_back(id);
  ids.push_back(2);
  EXPECT_EQ(Decode(*tokenizer, ids, true), "hi");
}

}  // namespace
}  // namespace skerry::engine
