#include "bundler/build/trust_documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bundler/trust/trust_office.h"

namespace skerry::build {
namespace {

using skerry::testing::TrustOffice;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using trust::RoleName;

trust::PublicKeyFile Public(const SecretKey& key) { return {key.role(), key.public_key()}; }

std::vector<SecretKey> Copies(std::initializer_list<const SecretKey*> keys) {
  std::vector<SecretKey> copies;
  for (const SecretKey* key : keys) copies.push_back(SecretKey::Parse(key->Serialize()).value());
  return copies;
}

class TrustDocumentsTest : public ::testing::Test {
 protected:
  TrustDocumentsTest() : office_(2, 2, 2) {}
  TrustOffice office_;  // two root keys and two release keys; all of them are needed
};

TEST_F(TrustDocumentsTest, TheNextRootAddsRemovesAndSetsThresholds) {
  const SecretKey fresh = SecretKey::Generate(RoleName::kRelease);
  const trust::KeyId old = office_.releases[0].public_key().Id();
  const Result<trust::Root> next =
      NextRoot(office_.root, {{Public(fresh)}, {old}, {{RoleName::kRelease, 1}}});
  ASSERT_TRUE(next) << next.error().message();
  EXPECT_EQ(next->version, 2U);
  EXPECT_TRUE(next->release.keys.contains(fresh.public_key().Id()));
  EXPECT_FALSE(next->keys.contains(old));
  EXPECT_EQ(next->release.threshold, 1U);
}

TEST_F(TrustDocumentsTest, ImpossibleRootsAreRefused) {
  const trust::KeyId release = office_.releases[0].public_key().Id();
  EXPECT_THAT(NextRoot(office_.root, {{}, {release}, {}}).error().message(),
              HasSubstr("root version 2: role 'release' has 1 keys"));
  EXPECT_THAT(NextRoot(office_.root, {{}, {Sha256::Of("x")}, {}}).error().message(),
              HasSubstr("no key"));
  EXPECT_THAT(NextRoot(office_.root, {{Public(office_.roots[0])}, {}, {}}).error().message(),
              HasSubstr("already"));
  EXPECT_FALSE(NextRoot(office_.root, {{}, {}, {{RoleName::kRoot, 3}}}));
}

TEST_F(TrustDocumentsTest, ARotationNeedsTheThresholdsBeforeAndAfter) {
  const SecretKey fresh = SecretKey::Generate(RoleName::kRoot);
  const trust::KeyId gone = office_.roots[1].public_key().Id();
  const trust::Root next = NextRoot(office_.root, {{Public(fresh)}, {gone}, {}}).value();
  const trust::RootChain chain = office_.Chain();
  const auto sign = [&](std::initializer_list<const SecretKey*> keys) {
    return SignNextRoot(chain, next, Copies(keys)).value();
  };
  EXPECT_THAT(sign({&office_.roots[0], &office_.roots[1]}).missing,
              ElementsAre("1 more by root keys of root version 2 (1 of 2)"));
  EXPECT_THAT(sign({&office_.roots[0], &fresh}).missing,
              ElementsAre("1 more by root keys of root version 1 (1 of 2)"));
  const SignedDocument whole = sign({&office_.roots[0], &office_.roots[1], &fresh});
  EXPECT_THAT(whole.missing, IsEmpty());
  EXPECT_EQ(trust::ParseRootChain(whole.text).value().newest().root.version, 2U);

  // One after the other.
  SignedDocument document = sign({&office_.roots[0]});
  EXPECT_FALSE(trust::ParseRootChain(document.text)) << "nobody accepts it before";
  document = AddSignatures(document.text, "", Copies({&office_.roots[1]})).value();
  EXPECT_FALSE(document.complete());
  document = AddSignatures(document.text, "", Copies({&office_.roots[1]})).value();
  EXPECT_FALSE(document.complete()) << "a key counts once";
  document = AddSignatures(document.text, "", Copies({&fresh})).value();
  EXPECT_TRUE(document.complete());
  EXPECT_EQ(document.text, whole.text);
}

TEST_F(TrustDocumentsTest, KeysThatWouldNotCountAreRefused) {
  const trust::Root next = NextRoot(office_.root, {}).value();
  const Result<SignedDocument> document =
      SignNextRoot(office_.Chain(), next, Copies({&office_.releases[0]}));
  ASSERT_FALSE(document);
  EXPECT_THAT(document.error().message(), HasSubstr("is not in role 'root'"));
  const SecretKey stranger = SecretKey::Generate(RoleName::kRevoke);
  EXPECT_FALSE(SignRevocations(office_.root, {}, Copies({&stranger})));
}

TEST_F(TrustDocumentsTest, AFullRootFileLosesItsOldestLine) {
  TrustOffice office;
  for (int i = 1; i < 64; ++i) office.Rotate(RoleName::kRelease);
  const trust::Root next = NextRoot(office.root, {}).value();
  const SignedDocument document =
      SignNextRoot(office.Chain(), next, Copies({&office.roots[0]})).value();
  const trust::RootChain chain = trust::ParseRootChain(document.text).value();
  EXPECT_EQ(chain.roots.size(), 64U);
  EXPECT_EQ(chain.roots.front().root.version, 2U);
}

TEST_F(TrustDocumentsTest, ListsGrowAndNothingIsTakenBack) {
  RevocationChange change;
  change.bundles = {Sha256::Of("bundle")};
  change.expired = {{"acme/tiny", 3}};
  const trust::Revocations first = NextRevocations({}, change).value();
  EXPECT_EQ(first.sequence, 1U);
  change = {};
  change.keys = {Sha256::Of("key")};
  change.expired = {{"acme/tiny", 5}};
  const trust::Revocations second = NextRevocations(first, change).value();
  EXPECT_EQ(second.sequence, 2U);
  EXPECT_EQ(second.bundles, first.bundles);
  EXPECT_EQ(second.expired.at("acme/tiny"), 5U);
  change.expired = {{"acme/tiny", 4}};
  EXPECT_THAT(NextRevocations(second, change).error().message(), HasSubstr("expired already"));
  change.expired = {{"tiny", 4}};
  EXPECT_FALSE(NextRevocations(second, change));
}

TEST_F(TrustDocumentsTest, ListsAndPermitsAreSignedOneAfterTheOtherToo) {
  trust::Revocations list;
  list.sequence = 1;
  const SignedDocument signed_list =
      SignRevocations(office_.root, list, Copies({&office_.revokes[0]})).value();
  EXPECT_TRUE(signed_list.complete());
  EXPECT_TRUE(trust::ParseRevocations(office_.root, signed_list.text));

  const trust::Permit permit{Sha256::Of("bundle"), "acme/tiny", 3, {}};
  SignedDocument document =
      SignPermit(office_.root, permit, Copies({&office_.releases[0]})).value();
  EXPECT_THAT(document.missing, ElementsAre("1 more by release keys of root version 1 (1 of 2)"));
  EXPECT_FALSE(trust::ParsePermit(office_.root, {}, document.text));
  EXPECT_THAT(AddSignatures(document.text, "", {}).error().message(), HasSubstr("--trust"));
  document = AddSignatures(document.text, office_.file, Copies({&office_.releases[1]})).value();
  EXPECT_TRUE(document.complete());
  EXPECT_TRUE(trust::ParsePermit(office_.root, {}, document.text));
}

TEST_F(TrustDocumentsTest, DamagedAndForeignDocumentsAreNotSigned) {
  const trust::Root next = NextRoot(office_.root, {}).value();
  const SignedDocument document =
      SignNextRoot(office_.Chain(), next, Copies({&office_.roots[0]})).value();
  for (size_t i = 0; i < document.text.size(); i += 5) {
    std::string bad = document.text;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    const Result<SignedDocument> added = AddSignatures(bad, "", Copies({&office_.roots[1]}));
    // A signature under a damaged key id is one by a key that nobody knows.
    EXPECT_FALSE(added && added->complete()) << "byte " << i;
  }
  EXPECT_FALSE(AddSignatures("", "", Copies({&office_.roots[1]})));
  EXPECT_FALSE(AddSignatures("{}\n", office_.file, Copies({&office_.roots[1]})));
  EXPECT_FALSE(AddSignatures(office_.file, "", Copies({&office_.roots[1]}))) << "a first root";
}

TEST_F(TrustDocumentsTest, DigestsAsPeopleCopyThem) {
  const Sha256Digest digest = Sha256::Of("x");
  EXPECT_EQ(ParseDigest("sha256-" + digest.Hex(), "d").value(), digest);
  EXPECT_EQ(ParseDigest(trust::Grouped(digest), "d").value(), digest);
  EXPECT_THAT(ParseDigest("abc", "a key id").error().message(), HasSubstr("a key id must be"));
}

}  // namespace
}  // namespace skerry::build
