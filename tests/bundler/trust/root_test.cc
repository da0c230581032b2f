#include "bundler/trust/root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "bundler/build/secret_key.h"

namespace skerry::trust {
namespace {

using build::SecretKey;
using build::SignRoot;
using ::testing::HasSubstr;

class RootTest : public ::testing::Test {
 protected:
  RootTest() {
    for (int i = 0; i < 3; ++i) keys_.push_back(SecretKey::Generate(RoleName::kRelease));
    root_.version = 1;
    for (const SecretKey& key : keys_) root_.keys.emplace(key.public_key().Id(), key.public_key());
    root_.root.keys = {Id(0)};
    root_.revoke.keys = {Id(0)};
    root_.release.keys = {Id(1), Id(2)};
    root_.release.threshold = 2;
  }
  KeyId Id(int i) const { return keys_[i].public_key().Id(); }
  std::string Signed(const Root& root, int first, int count) const {
    const Result<std::string> text = SignRoot(root, std::span(keys_).subspan(first, count));
    EXPECT_TRUE(text) << text.error().message();
    return text ? *text : "";
  }
  Result<std::vector<KeyId>> Check(const std::vector<Signature>& signatures,
                                   const std::set<KeyId>& revoked = {}) const {
    return CheckSignatures(root_, RoleName::kRelease, signatures, "t", "p", revoked);
  }

  std::vector<SecretKey> keys_;
  Root root_;
};

TEST_F(RootTest, RoundTrip) {
  const Result<SignedRoot> back = ParseRoot(Signed(root_, 0, 1));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->root.release.threshold, 2U);
  EXPECT_EQ(back->root.release.keys, root_.release.keys);
  EXPECT_EQ(back->root.keys.size(), 3U);
  const Result<std::string> payload = SerializeRootPayload(root_);
  ASSERT_TRUE(payload);
  EXPECT_EQ(back->fingerprint, Sha256::Of(*payload));
}

TEST_F(RootTest, EveryChangedByteIsSeen) {
  const std::string good = Signed(root_, 0, 1);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(ParseRoot(bad)) << "byte " << i;
  }
}

TEST_F(RootTest, MustBeSignedByItsOwnRootKeys) {
  const Result<std::string> text = SignRoot(root_, std::span(keys_).subspan(1, 2));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(text.error().message(), HasSubstr("0 of 1 required signatures by root keys"));
}

TEST_F(RootTest, ImpossibleRolesAreRefused) {
  Root root = root_;
  root.release.threshold = 3;
  EXPECT_FALSE(SerializeRootPayload(root));
  root.release.threshold = 0;
  EXPECT_FALSE(SerializeRootPayload(root));
  root = root_;
  root.release.keys.clear();
  EXPECT_FALSE(SerializeRootPayload(root));
  root = root_;
  root.release.keys.insert(Sha256::Of("nobody"));
  EXPECT_FALSE(SerializeRootPayload(root));
}

TEST_F(RootTest, ThresholdCountsDistinctKeys) {
  const Signature one = keys_[1].Sign("t", "p"), two = keys_[2].Sign("t", "p");
  EXPECT_TRUE(Check({one, two}));
  const Result<std::vector<KeyId>> twice = Check({one, one});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(twice.error().message(), HasSubstr("1 of 2 required signatures"));
  EXPECT_FALSE(Check({}));
}

TEST_F(RootTest, UnknownKeysAndOtherRolesDoNotCount) {
  const SecretKey stranger = SecretKey::Generate(RoleName::kRelease);
  const Signature one = keys_[1].Sign("t", "p"), two = keys_[2].Sign("t", "p");
  const Result<std::vector<KeyId>> unknown = Check({one, stranger.Sign("t", "p")});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), HasSubstr("1 by keys it does not know"));
  EXPECT_TRUE(Check({one, two, stranger.Sign("t", "p")}));
  EXPECT_TRUE(Check({one, two, stranger.Sign("t", "other")}));
  const Result<std::vector<KeyId>> role = Check({one, keys_[0].Sign("t", "p")});
  ASSERT_FALSE(role);
  EXPECT_THAT(role.error().message(), HasSubstr("other roles"));
}

TEST_F(RootTest, BadSignatureByAKnownKeyRefusesEverything) {
  const Signature one = keys_[1].Sign("t", "p"), two = keys_[2].Sign("t", "p");
  const Result<std::vector<KeyId>> result = Check({one, two, keys_[0].Sign("t", "q")});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("does not hold"));
}

TEST_F(RootTest, RevokedKeysDoNotCount) {
  const Signature one = keys_[1].Sign("t", "p"), two = keys_[2].Sign("t", "p");
  const Result<std::vector<KeyId>> result = Check({one, two}, {Id(2)});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("1 by revoked keys"));
}

TEST_F(RootTest, SuccessorNeedsBothThresholds) {
  const Result<SignedRoot> current = ParseRoot(Signed(root_, 0, 1));
  ASSERT_TRUE(current);
  Root next = root_;
  next.version = 2;
  next.root.keys = {Id(1)};
  EXPECT_TRUE(ParseSuccessor(*current, Signed(next, 0, 2)));
  const Result<SignedRoot> only_new = ParseSuccessor(*current, Signed(next, 1, 1));
  ASSERT_FALSE(only_new);
  EXPECT_THAT(only_new.error().message(), HasSubstr("keys of the version before"));
  EXPECT_FALSE(SignRoot(next, std::span(keys_).first(1))) << "signed by the old key only";
  next.version = 3;
  EXPECT_FALSE(ParseSuccessor(*current, Signed(next, 0, 2)));
  next.version = 1;
  EXPECT_FALSE(ParseSuccessor(*current, Signed(next, 0, 2)));
}

}  // namespace
}  // namespace skerry::trust
