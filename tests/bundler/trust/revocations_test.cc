#include "bundler/trust/revocations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/build/secret_key.h"
#include "tests/bundler/trust/trust_office.h"

namespace skerry::trust {
namespace {

using build::SecretKey;
using skerry::testing::TrustOffice;
using ::testing::HasSubstr;

TEST(RevocationsTest, OnlyTheRevokeRoleMakesOneAndEveryByteCounts) {
  const SecretKey root_key = SecretKey::Generate(RoleName::kRoot);
  const SecretKey release_key = SecretKey::Generate(RoleName::kRelease);
  const KeyId root_id = root_key.public_key().Id(), release_id = release_key.public_key().Id();
  Root root;
  root.keys = {{root_id, root_key.public_key()}, {release_id, release_key.public_key()}};
  root.root.keys = root.revoke.keys = {root_id};
  root.release.keys = {release_id};

  Revocations list;
  list.sequence = 4;
  list.keys = {release_id};
  list.bundles = {Sha256::Of("bundle")};
  list.expired = {{"acme/tiny", 3}, {"acme/other", 1}};
  const std::string payload = SerializeRevocationsPayload(list);
  const std::string type(kRevocationsType);
  const std::string good = SerializeEnvelope({type, payload, {root_key.Sign(type, payload)}});
  const Result<Revocations> back = ParseRevocations(root, good);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->sequence, 4U);
  EXPECT_EQ(back->keys, list.keys);
  EXPECT_EQ(back->bundles, list.bundles);
  EXPECT_EQ(back->expired, list.expired);
  EXPECT_EQ(PeekSequence(good).value(), 4U);

  const Result<Revocations> wrong_role =
      ParseRevocations(root, SerializeEnvelope({type, payload, {release_key.Sign(type, payload)}}));
  ASSERT_FALSE(wrong_role);
  EXPECT_EQ(wrong_role.error().code(), ErrorCode::kUntrusted);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(ParseRevocations(root, bad)) << "byte " << i;
  }
}

TEST(RevocationsTest, OtherSpellingsAndDuplicateKeysAreRefused) {
  const TrustOffice office;
  const auto refusal = [&](const std::string& payload) {
    const Result<Revocations> list = ParseRevocations(
        office.root, TrustOffice::Envelope(kRevocationsType, payload, {&office.revokes[0]}));
    return list ? std::string("accepted") : list.error().message();
  };
  const std::string a(64, 'a'), b(64, 'b');
  const auto with = [&](const std::string& bundles, const std::string& expired,
                        const std::string& sequence) {
    return refusal("{\"bundles\":[" + bundles + "],\"expired\":{" + expired +
                   "},\"keys\":[],\"models\":[],\"sequence\":" + sequence + "}");
  };
  EXPECT_EQ(with("\"" + a + "\",\"" + b + "\"", "\"acme/tiny\":3", "1"), "accepted");
  EXPECT_THAT(with("\"" + b + "\",\"" + a + "\"", "", "1"), HasSubstr("canonical"));
  EXPECT_THAT(with("\"" + a + "\",\"" + a + "\"", "", "1"), HasSubstr("canonical"));
  EXPECT_THAT(with("", "\"acme/tiny\":3,\"acme/tiny\":4", "1"), HasSubstr("revocations"));
  EXPECT_THAT(with("", "\"tiny\":3", "1"), HasSubstr("tiny"));
  EXPECT_THAT(with("", "\"acme/tiny\":0", "1"), HasSubstr("expired"));
  EXPECT_THAT(with("", "\"acme/tiny\":\"3\"", "1"), HasSubstr("acme/tiny"));
  EXPECT_THAT(with("", "", "0"), HasSubstr("sequence"));
  EXPECT_THAT(refusal("{\"bundles\":[],\"keys\":[],\"models\":[],\"sequence\":1}"),
              HasSubstr("expired"));
}

TEST(RevocationsTest, AChainIsTriedFromItsNewestRootOn) {
  TrustOffice office;
  const std::string list = office.List(2);
  office.Rotate(RoleName::kRevoke);
  EXPECT_FALSE(ParseRevocations(office.root, list)) << "the newest alone";
  EXPECT_TRUE(ParseRevocations(office.Chain(), list));
  const TrustOffice stranger;
  const Result<Revocations> foreign = ParseRevocations(office.Chain(), stranger.List(2));
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message(), HasSubstr("root version 2")) << "that of the newest";
}

TEST(RevocationsTest, SaysWhichListAndWhy) {
  const Release release{"acme/tiny", 3, Sha256::Of("bundle"), Sha256::Of("model")};
  Revocations list;
  list.sequence = 8;
  list.expired = {{"acme/tiny", 3}, {"acme/other", 9}};
  EXPECT_TRUE(CheckRevoked(list, release)) << "releases below 3 have expired, not 3";
  list.expired["acme/tiny"] = 4;
  const Result<void> expired = CheckRevoked(list, release);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code(), ErrorCode::kUntrusted);
  EXPECT_EQ(expired.error().message(),
            "'acme/tiny' release 3 is revoked by revocation list 8: releases below 4 have expired; "
            "ask for a newer one");
  list.models = {release.model};
  EXPECT_THAT(CheckRevoked(list, release).error().message(), HasSubstr("lists the model"));
  list.bundles = {release.bundle};
  EXPECT_THAT(CheckRevoked(list, release).error().message(), HasSubstr("lists the bundle"));
}

}  // namespace
}  // namespace skerry::trust
