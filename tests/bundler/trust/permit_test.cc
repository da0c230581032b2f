#include "bundler/trust/permit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bundler/trust/trust_office.h"

namespace skerry::trust {
namespace {

using skerry::testing::TrustOffice;
using ::testing::HasSubstr;

const Release kRelease{"acme/tiny", 3, Sha256::Of("bundle"), Sha256::Of("model")};

TEST(PermitTest, RoundTripAndEveryByteCounts) {
  const TrustOffice office;
  const std::string good = office.PermitText(kRelease);
  const Result<SignedPermit> permit = ParsePermit(office.root, {}, good);
  ASSERT_TRUE(permit) << permit.error().message();
  EXPECT_TRUE(IsFor(permit->permit, kRelease));
  EXPECT_EQ(permit->digest, Sha256::Of(SerializePermitPayload(permit->permit)));
  EXPECT_EQ(permit->text, good);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(ParsePermit(office.root, {}, bad)) << "byte " << i;
  }
}

TEST(PermitTest, AnotherSerialIsAnotherPermit) {
  const TrustOffice office;
  const SignedPermit one = ParsePermit(office.root, {}, office.PermitText(kRelease, 1)).value();
  const SignedPermit two = ParsePermit(office.root, {}, office.PermitText(kRelease, 2)).value();
  EXPECT_NE(one.digest, two.digest);
}

TEST(PermitTest, IsForExactlyOneBundle) {
  const Permit permit{kRelease.bundle, kRelease.id, kRelease.release_seq, {}};
  Release other = kRelease;
  other.bundle = Sha256::Of("another bundle");
  EXPECT_FALSE(IsFor(permit, other));
  other = kRelease;
  other.id = "acme/other";
  EXPECT_FALSE(IsFor(permit, other));
  other = kRelease;
  other.release_seq = 4;
  EXPECT_FALSE(IsFor(permit, other));
}

TEST(PermitTest, WrongKeyKeyOfAnotherRoleAndRevokedKeyDoNotCount) {
  const TrustOffice office, stranger;
  const Permit permit{kRelease.bundle, kRelease.id, kRelease.release_seq, {}};
  const std::string payload = SerializePermitPayload(permit);
  for (const build::SecretKey* key :
       {&stranger.releases[0], &office.roots[0], &office.revokes[0]}) {
    const Result<SignedPermit> refused =
        ParsePermit(office.root, {}, TrustOffice::Envelope(kPermitType, payload, {key}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kUntrusted);
  }
  const Result<SignedPermit> revoked =
      ParsePermit(office.root, {office.releases[0].public_key().Id()}, office.PermitText(kRelease));
  ASSERT_FALSE(revoked);
  EXPECT_THAT(revoked.error().message(), HasSubstr("1 by revoked keys"));
}

TEST(PermitTest, BelowThresholdAndOneKeySigningTwice) {
  const TrustOffice office(1, 2, 2);
  const Permit permit{kRelease.bundle, kRelease.id, kRelease.release_seq, {}};
  const std::string payload = SerializePermitPayload(permit);
  const build::SecretKey *a = &office.releases[0], *b = &office.releases[1];
  EXPECT_TRUE(ParsePermit(office.root, {}, TrustOffice::Envelope(kPermitType, payload, {a, b})));
  for (const std::string& text : {TrustOffice::Envelope(kPermitType, payload, {a}),
                                  TrustOffice::Envelope(kPermitType, payload, {a, a})}) {
    const Result<SignedPermit> refused = ParsePermit(office.root, {}, text);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("1 of 2 required signatures"));
  }
}

TEST(PermitTest, OtherSpellingsAndDuplicateKeysAreRefused) {
  const TrustOffice office;
  const std::string hex = kRelease.bundle.Hex(), serial(32, '0');
  const auto refused = [&](const std::string& payload) {
    const Result<SignedPermit> permit = ParsePermit(
        office.root, {}, TrustOffice::Envelope(kPermitType, payload, {&office.releases[0]}));
    return permit ? std::string("accepted") : permit.error().message();
  };
  const std::string head = "{\"bundle\":\"" + hex + "\",\"id\":\"acme/tiny\",";
  EXPECT_EQ(refused(head + "\"release_seq\":3,\"serial\":\"" + serial + "\"}"), "accepted");
  EXPECT_THAT(refused(head + "\"release_seq\":3,\"release_seq\":3,\"serial\":\"" + serial + "\"}"),
              HasSubstr("permit"));
  EXPECT_THAT(refused(head + "\"serial\":\"" + serial + "\",\"release_seq\":3}"),
              HasSubstr("canonical"));
  EXPECT_THAT(refused(head + "\"release_seq\":0,\"serial\":\"" + serial + "\"}"),
              HasSubstr("release_seq"));
  EXPECT_THAT(refused(head + "\"release_seq\":3,\"serial\":\"" + serial + "00\"}"),
              HasSubstr("serial"));
  EXPECT_THAT(refused(head + "\"release_seq\":3}"), HasSubstr("serial"));
}

TEST(PermitTest, ARootOrListIsNoPermit) {
  const TrustOffice office;
  EXPECT_FALSE(ParsePermit(office.root, {}, office.file));
  EXPECT_FALSE(ParsePermit(office.root, {}, office.List(1)));
}

}  // namespace
}  // namespace skerry::trust
