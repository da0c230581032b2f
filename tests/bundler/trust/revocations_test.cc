#include "bundler/trust/revocations.h"

#include <gtest/gtest.h>

#include "bundler/build/secret_key.h"

namespace skerry::trust {
namespace {

using build::SecretKey;

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
  const std::string payload = SerializeRevocationsPayload(list);
  const std::string type(kRevocationsType);
  const std::string good = SerializeEnvelope({type, payload, {root_key.Sign(type, payload)}});
  const Result<Revocations> back = ParseRevocations(root, good);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->sequence, 4U);
  EXPECT_EQ(back->keys, list.keys);
  EXPECT_EQ(back->bundles, list.bundles);

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

}  // namespace
}  // namespace skerry::trust
