#include "bundler/trust/root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "bundler/build/secret_key.h"
#include "tests/bundler/trust/trust_office.h"

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

using skerry::testing::TrustOffice;

std::vector<RootText> Lines(const TrustOffice& office) {
  std::vector<RootText> lines;
  for (const SignedRoot& root : office.Chain().roots) {
    lines.push_back({root.root.version, root.text});
  }
  return lines;
}

// `office` with one more version, signed by `keys` alone.
std::string Next(const TrustOffice& office, Root next, const std::vector<SecretKey>& keys) {
  ++next.version;
  const std::string payload = SerializeRootPayload(next).value();
  Envelope envelope{std::string(kRootType), payload, {}};
  for (const SecretKey& key : keys) envelope.signatures.push_back(key.Sign(kRootType, payload));
  return office.file + SerializeEnvelope(envelope);
}

std::string ChainRefusal(const std::string& text) {
  const Result<RootChain> chain = ParseRootChain(text);
  return chain ? std::string("accepted") : chain.error().message();
}

TEST(RootChainTest, RoundTrip) {
  TrustOffice office;
  office.Rotate(RoleName::kRoot);
  office.Rotate(RoleName::kRelease);
  const Result<RootChain> chain = ParseRootChain(office.file);
  ASSERT_TRUE(chain) << chain.error().message();
  EXPECT_EQ(chain->roots.size(), 3U);
  EXPECT_EQ(chain->newest().root.version, 3U);
  EXPECT_EQ(SerializeRootChain(*chain), office.file);
  const size_t first = office.file.find('\n') + 1;
  EXPECT_TRUE(ParseRootChain(office.file.substr(first))) << "may begin at any version";
}

TEST(RootChainTest, OddFiles) {
  TrustOffice office;
  EXPECT_THAT(ChainRefusal(""), HasSubstr("empty"));
  EXPECT_THAT(ChainRefusal(office.file + "\n"), HasSubstr("line 2"));
  EXPECT_THAT(ChainRefusal(office.file.substr(0, office.file.size() - 1)), HasSubstr("line feed"));
  EXPECT_THAT(ChainRefusal(office.file + office.file), HasSubstr("does not follow"));
  for (int i = 1; i < 64; ++i) office.Rotate(RoleName::kRelease);
  EXPECT_EQ(ChainRefusal(office.file), "accepted");
  office.Rotate(RoleName::kRelease);
  EXPECT_THAT(ChainRefusal(office.file), HasSubstr("more than 64 lines"));
}

TEST(RootChainTest, ChainWithAGap) {
  TrustOffice office;
  office.Rotate(RoleName::kRelease);
  office.Rotate(RoleName::kRelease);
  const std::vector<RootText> lines = Lines(office);
  EXPECT_THAT(ChainRefusal(lines[0].text + lines[2].text),
              HasSubstr("line 2: root version 3 does not follow version 1"));
  const RootChain first = ParseRootChain(lines[0].text).value();
  const Result<RootChain> gap = FollowRoots(first, std::span(lines).subspan(2));
  ASSERT_FALSE(gap);
  EXPECT_EQ(gap.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(gap.error().message(), HasSubstr("version 2 is missing"));
}

TEST(RootChainTest, SuccessorSignedByTheOldKeysOnlyOrTheNewOnesOnly) {
  const TrustOffice office(2);
  Root next = office.root;
  std::vector<SecretKey> fresh;
  for (int i = 0; i < 2; ++i) fresh.push_back(SecretKey::Generate(RoleName::kRoot));
  for (const SecretKey& key : office.roots) next.keys.erase(key.public_key().Id());
  next.root.keys.clear();
  for (const SecretKey& key : fresh) {
    next.keys.emplace(key.public_key().Id(), key.public_key());
    next.root.keys.insert(key.public_key().Id());
  }
  EXPECT_THAT(ChainRefusal(Next(office, next, office.roots)),
              HasSubstr("0 of 2 required signatures by root keys of root version 2"));
  EXPECT_THAT(ChainRefusal(Next(office, next, fresh)),
              HasSubstr("by the keys of the version before: 0 of 2"));
}

TEST(RootChainTest, SuccessorBelowTheThresholdOrSignedTwiceByOneKey) {
  const TrustOffice office(2);
  std::vector<SecretKey> one;
  one.push_back(SecretKey::Parse(office.roots[0].Serialize()).value());
  EXPECT_THAT(ChainRefusal(Next(office, office.root, one)), HasSubstr("1 of 2"));
  one.push_back(SecretKey::Parse(office.roots[0].Serialize()).value());
  EXPECT_THAT(ChainRefusal(Next(office, office.root, one)), HasSubstr("1 of 2"));
}

TEST(RootChainTest, OlderAndEqualVersionsArePassedOverUnread) {
  TrustOffice office;
  const RootChain first = office.Chain();
  office.Rotate(RoleName::kRoot);
  std::vector<RootText> lines = Lines(office);
  lines[0].text = "anything";
  const Result<RootChain> chain = FollowRoots(first, lines);
  ASSERT_TRUE(chain) << chain.error().message();
  EXPECT_EQ(chain->newest().root.version, 2U);
  EXPECT_EQ(FollowRoots(*chain, lines).value().roots.size(), 2U);
}

TEST(RootChainTest, ARootUnderTheNameOfAnotherVersionIsRefused) {
  TrustOffice office;
  const RootChain first = office.Chain();
  std::vector<RootText> lines = Lines(office);
  lines[0].version = 2;
  EXPECT_FALSE(FollowRoots(first, lines));
}

TEST(RootChainTest, TheOldestRootsGoWhenThereAreTooMany) {
  TrustOffice office;
  for (int i = 1; i < 64; ++i) office.Rotate(RoleName::kRelease);
  const RootChain full = office.Chain();
  office.file = full.newest().text;
  office.Rotate(RoleName::kRelease);
  const Result<RootChain> chain = FollowRoots(full, Lines(office));
  ASSERT_TRUE(chain) << chain.error().message();
  EXPECT_EQ(chain->roots.size(), 64U);
  EXPECT_EQ(chain->roots.front().root.version, 2U);
  EXPECT_EQ(chain->newest().root.version, 65U);
}

TEST(RootChainTest, DuplicateKeysAndKeyIdsInARoot) {
  const TrustOffice office;
  const std::string payload = SerializeRootPayload(office.root).value();
  const std::string id = office.roots[0].public_key().Id().Hex();
  const auto refusal = [&](const std::string& changed) {
    const Result<SignedRoot> root =
        ParseRoot(TrustOffice::Envelope(kRootType, changed, {&office.roots[0]}));
    return root ? std::string("accepted") : root.error().message();
  };
  EXPECT_EQ(refusal(payload), "accepted");
  std::string twice = payload;
  const std::string role = "\"root\":{\"keys\":[\"" + id + "\"";
  ASSERT_NE(twice.find(role), std::string::npos);
  twice.replace(twice.find(role), role.size(), role + ",\"" + id + "\"");
  EXPECT_THAT(refusal(twice), HasSubstr("names a key twice"));
  EXPECT_THAT(refusal(payload.substr(0, payload.size() - 1) + ",\"version\":1}"),
              HasSubstr("root"));
}

}  // namespace
}  // namespace skerry::trust
