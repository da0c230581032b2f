#include "bundler/build/sealed_seed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

namespace skerry::build {
namespace {

using ::testing::HasSubstr;

constexpr KdfLimits kQuick{1, 8192};

SecretBytes Passphrase(std::string_view text) {
  SecretBytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

class SealedSeedTest : public ::testing::Test {
 protected:
  SealedSeedTest() { seed_.fill(7); }
  Json Sealed() const { return SealSeed(seed_, Passphrase("correct"), kQuick).value(); }
  std::string Refusal(const Json& sealed, const std::string& passphrase = "correct",
                      ErrorCode code = ErrorCode::kCorrupt) const {
    std::array<uint8_t, 32> seed{};
    const Result<void> opened = OpenSeed(sealed, Passphrase(passphrase), seed);
    EXPECT_FALSE(opened);
    if (opened) return "";
    EXPECT_EQ(opened.error().code(), code);
    EXPECT_NE(seed, seed_);
    return opened.error().message();
  }
  std::array<uint8_t, 32> seed_;
};

TEST_F(SealedSeedTest, RoundTripAndFreshSaltEveryTime) {
  const Json sealed = Sealed();
  std::array<uint8_t, 32> seed{};
  ASSERT_TRUE(OpenSeed(sealed, Passphrase("correct"), seed));
  EXPECT_EQ(seed, seed_);
  const Json other = Sealed();
  for (const char* field : {"nonce", "salt", "secretbox"}) EXPECT_NE(sealed[field], other[field]);
}

TEST_F(SealedSeedTest, WrongPassphraseSaysSo) {
  EXPECT_THAT(Refusal(Sealed(), "Correct", ErrorCode::kDenied), HasSubstr("wrong passphrase"));
  Refusal(Sealed(), "", ErrorCode::kDenied);
}

TEST_F(SealedSeedTest, EveryChangedDigitIsSeen) {
  const Json sealed = Sealed();
  for (const char* field : {"nonce", "salt", "secretbox"}) {
    const std::string hex = sealed[field].get<std::string>();
    for (size_t i = 0; i < hex.size(); i += 7) {
      Json bad = sealed;
      std::string changed = hex;
      changed[i] = changed[i] == '0' ? '1' : '0';
      bad[field] = changed;
      Refusal(bad, "correct", ErrorCode::kDenied);
    }
  }
  Json bad = sealed;
  bad["operations"] = 2;
  Refusal(bad, "correct", ErrorCode::kDenied);
}

TEST_F(SealedSeedTest, LimitsOfAStrangerAreBounded) {
  for (const int64_t operations : {int64_t{0}, int64_t{-1}, int64_t{17}, int64_t{1} << 40}) {
    Json bad = Sealed();
    bad["operations"] = operations;
    EXPECT_THAT(Refusal(bad), HasSubstr("'operations' must be 1 to 16"));
  }
  for (const int64_t memory : {int64_t{0}, int64_t{8191}, (int64_t{1} << 30) + 1}) {
    Json bad = Sealed();
    bad["memory_bytes"] = memory;
    EXPECT_THAT(Refusal(bad), HasSubstr("'memory_bytes' must be"));
  }
}

TEST_F(SealedSeedTest, OddFormsAreRefused) {
  Json bad = Sealed();
  bad["kdf"] = "scrypt";
  EXPECT_THAT(Refusal(bad), HasSubstr("argon2id13"));
  bad = Sealed();
  bad["salt"] = "00";
  EXPECT_THAT(Refusal(bad), HasSubstr("'salt' must be 32 hex digits"));
  bad = Sealed();
  bad["more"] = 1;
  Refusal(bad, "correct", ErrorCode::kInvalidArgument);
  Refusal(Json(1), "correct", ErrorCode::kInvalidArgument);
}

TEST(KdfTest, TheDefaultIsLibsodiumsModerate) {
  EXPECT_EQ(DefaultKdfLimits().operations, 3U);
  EXPECT_EQ(DefaultKdfLimits().memory_bytes, uint64_t{256} << 20);
}

}  // namespace
}  // namespace skerry::build
