#include "bundler/trust/keys.h"

#include <gtest/gtest.h>

namespace skerry::trust {
namespace {

TEST(KeysTest, FingerprintsSurviveHowPeopleWriteThem) {
  const Sha256Digest digest = Sha256::Of("x");
  const std::string grouped = Grouped(digest);
  EXPECT_EQ(grouped.size(), 64U + 15U);
  EXPECT_EQ(grouped.substr(0, 9), digest.Hex().substr(0, 4) + " " + digest.Hex().substr(4, 4));
  std::string shouted = " " + grouped + "\n";
  for (char& c : shouted) {
    c = c == ' ' ? ':' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  const Result<Sha256Digest> back = FromGrouped(shouted);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, digest);
  EXPECT_FALSE(FromGrouped(grouped.substr(0, 78)));
  EXPECT_FALSE(FromGrouped(grouped + "0"));
  EXPECT_FALSE(FromGrouped(""));
}

TEST(KeysTest, PublicKeyFilesRoundTrip) {
  PublicKeyFile file;
  file.role = RoleName::kRevoke;
  file.key.bytes[0] = 7;
  const std::string text = SerializePublicKeyFile(file);
  const Result<PublicKeyFile> back = ParsePublicKeyFile(text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->role, RoleName::kRevoke);
  EXPECT_EQ(back->key.bytes, file.key.bytes);
}

TEST(KeysTest, EveryChangedDigitOfAPublicKeyFileIsSeen) {
  PublicKeyFile file;
  const std::string text = SerializePublicKeyFile(file);
  const size_t key_at = text.find("\"public\":\"") + 10;
  for (size_t i = 0; i < 64; ++i) {
    std::string bad = text;
    bad[key_at + i] = '1';
    EXPECT_FALSE(ParsePublicKeyFile(bad)) << i;
  }
}

}  // namespace
}  // namespace skerry::trust
