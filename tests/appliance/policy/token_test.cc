#include "appliance/policy/token.h"

#include <gtest/gtest.h>

#include <set>

#include "appliance/base/encode.h"

namespace skerry::policy {
namespace {

TokenKey KeyOf(uint8_t byte) {
  TokenKey key;
  key.bytes().fill(byte);
  return key;
}

TEST(TokenTest, MadeTokensParseAndMatch) {
  const TokenKey key = MakeKey();
  std::set<std::string> texts;
  for (int i = 0; i < 100; ++i) {
    const NewToken token = MakeToken(key);
    const Result<TokenParts> parts = ParseToken(View(token.text));
    ASSERT_TRUE(parts.has_value()) << parts.error().message();
    EXPECT_EQ(parts->id, token.id);
    EXPECT_EQ(parts->secret.size(), kTokenSecretSize);
    EXPECT_TRUE(SameHash(HashSecret(key, parts->secret), token.hash));
    EXPECT_FALSE(SameHash(HashSecret(KeyOf(1), parts->secret), token.hash));
    texts.insert(std::string(View(token.text)));
  }
  EXPECT_EQ(texts.size(), 100u);
}

// CRC-32 and the hash as computed by Python (zlib.crc32, hashlib.blake2b).
TEST(TokenTest, AgreesWithAnIndependentImplementation) {
  const std::string text = "sk-0123456789ab-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq0g10vz";
  const Result<TokenParts> parts = ParseToken(text);
  ASSERT_TRUE(parts.has_value()) << parts.error().message();
  EXPECT_EQ(parts->id, "0123456789ab");
  EXPECT_EQ(HexEncode(HashSecret(KeyOf(7), parts->secret)),
            "62d503709c480d6edebddb8a83d98398f932e9b2e4c4c4e488c485cbc80c63bf");
}

TEST(TokenTest, EveryTypoIsFound) {
  const NewToken token = MakeToken(KeyOf(3));
  const std::string good(View(token.text));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'0', 'a', 'Z', '-', '\0', ' '}) {
      std::string bad = good;
      if (bad[at] == c) continue;
      bad[at] = c;
      const Result<TokenParts> parts = ParseToken(bad);
      ASSERT_FALSE(parts.has_value()) << at << " " << c;
      EXPECT_EQ(parts.error().code(), ErrorCode::kInvalidArgument);
    }
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseToken(good.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(ParseToken(good + "0").has_value());
}

TEST(TokenTest, ErrorsTellATypoFromAnotherKindOfKeyAndQuoteNothing) {
  std::string typo(View(MakeToken(KeyOf(3)).text));
  typo.back() = typo.back() == '0' ? '1' : '0';
  const std::string message = ParseToken(typo).error().message();
  EXPECT_NE(message.find("checksum"), std::string::npos);
  EXPECT_EQ(message.find(typo.substr(16, 8)), std::string::npos);
  EXPECT_EQ(ParseToken("sk-proj-abcdef").error().message().find("checksum"), std::string::npos);
}

TEST(TokenTest, MovingWipesTheSource) {
  NewToken token = MakeToken(KeyOf(3));
  const std::string text(View(token.text));
  const TokenText moved = std::move(token.text);
  EXPECT_EQ(View(moved), text);
  EXPECT_EQ(View(token.text), std::string(kTokenTextSize, '\0'));  // NOLINT: that is the point
}

TEST(TokenTest, Ids) {
  EXPECT_TRUE(IsTokenId("0123456789az"));
  EXPECT_FALSE(IsTokenId("0123456789aZ"));
  EXPECT_FALSE(IsTokenId("0123456789a"));
  EXPECT_FALSE(IsTokenId("../456789abc"));
}

}  // namespace
}  // namespace skerry::policy
