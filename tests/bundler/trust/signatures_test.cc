#include "bundler/trust/signatures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/build/secret_key.h"

namespace skerry::trust {
namespace {

using build::SecretKey;
using ::testing::HasSubstr;

constexpr size_t kMax = 64 << 10;

TEST(SignaturesTest, PreAuthEncodingIsThatOfDsse) {
  // The example of the DSSE protocol's specification.
  EXPECT_EQ(PreAuthEncoding("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  EXPECT_EQ(PreAuthEncoding("", ""), "DSSEv1 0  0 ");
}

TEST(SignaturesTest, RoundTripSortsAndRefusesOtherSpellings) {
  const SecretKey a = SecretKey::Generate(RoleName::kRelease);
  const SecretKey b = SecretKey::Generate(RoleName::kRelease);
  const std::string text = SerializeSignatures({a.Sign("t", "p"), b.Sign("t", "p")});
  EXPECT_EQ(text, SerializeSignatures({b.Sign("t", "p"), a.Sign("t", "p")}));
  const Result<std::vector<Signature>> back = ParseSignatures(text, kMax);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->size(), 2U);
  EXPECT_LT((*back)[0].key_id, (*back)[1].key_id);

  EXPECT_FALSE(ParseSignatures(text + "\n", kMax));
  EXPECT_FALSE(ParseSignatures("[]", kMax));
  EXPECT_FALSE(ParseSignatures("{}", kMax));
  EXPECT_FALSE(ParseSignatures("{\"signatures\":[1]}", kMax));
  EXPECT_FALSE(ParseSignatures("{\"signatures\":[],\"x\":1}", kMax));
  std::string other = text;
  other.replace(other.find("ed25519"), 7, "rsa2048");
  EXPECT_FALSE(ParseSignatures(other, kMax));
}

TEST(SignaturesTest, UnusedBitsOfBase64AreNotFree) {
  const SecretKey key = SecretKey::Generate(RoleName::kRelease);
  std::string text = SerializeSignatures({key.Sign("t", "p")});
  // 64 bytes leave four unused bits in the last digit before "==".
  const size_t last = text.find("==\"") - 1;
  for (const char c : std::string_view("BCDEFGHIJKLMNOP")) {
    std::string bad = text;
    if (bad[last] == c) continue;
    bad[last] = c;
    const Result<std::vector<Signature>> back = ParseSignatures(bad, kMax);
    if (back) {
      EXPECT_FALSE(Verify(key.public_key(), (*back)[0], "t", "p")) << c;
    }
  }
}

TEST(SignaturesTest, TooManyAreRefused) {
  const SecretKey key = SecretKey::Generate(RoleName::kRelease);
  const std::vector<Signature> many(kMaxSignatures + 1, key.Sign("t", "p"));
  const Result<std::vector<Signature>> back = ParseSignatures(SerializeSignatures(many), kMax);
  ASSERT_FALSE(back);
  EXPECT_THAT(back.error().message(), HasSubstr("at most 64"));
}

TEST(SignaturesTest, EnvelopesRoundTripForTheirTypeOnly) {
  const SecretKey key = SecretKey::Generate(RoleName::kRoot);
  const std::string text = SerializeEnvelope({"type/a", "the payload", {key.Sign("type/a", "x")}});
  const Result<Envelope> back = ParseEnvelope(text, "type/a", kMax);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->payload, "the payload");
  EXPECT_FALSE(ParseEnvelope(text, "type/b", kMax));
  EXPECT_FALSE(ParseEnvelope(text.substr(0, text.size() - 1), "type/a", kMax));
  EXPECT_FALSE(ParseEnvelope(text, "type/a", text.size() - 1));
}

}  // namespace
}  // namespace skerry::trust
