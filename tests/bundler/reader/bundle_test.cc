#include "bundler/reader/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/format/layout.h"
#include "bundler/format/tar.h"
#include "bundler/inspect/model.h"
#include "bundler/reader/verify.h"
#include "tests/bundler/archive_parts.h"
#include "tests/bundler/release_office.h"
#include "tests/bundler/string_file.h"

namespace skerry::reader {
namespace {

using Parts = skerry::testing::ArchiveParts;
using skerry::testing::ReleaseOffice;
using skerry::testing::SmallModel;
using skerry::testing::StringFile;
using ::testing::HasSubstr;

trust::TrustState Trust(const std::string& root_text) {
  trust::TrustState state;
  state.roots = trust::ParseRootChain(root_text).value();
  return state;
}

// Verifies `file` to the last byte and as a model; the error otherwise.
Result<void> Check(const File& file, const trust::TrustState& trust) {
  VerifyOptions options;
  options.read.threads = 1;
  const NamedFile named{"x.skb", &file};
  const VolumeSet set = TRY(VerifyArchives({&named, 1}, trust, options));
  TRY(inspect::InspectFiles(
      set.parts().front().bundle.manifest(),
      [&](size_t idx) -> Result<std::unique_ptr<File>> { return set.OpenFile(idx); }));
  return {};
}

Result<void> Check(const std::string& bundle, const trust::TrustState& trust) {
  const StringFile file(bundle);
  return Check(file, trust);
}

std::string Refusal(const std::string& bundle, const trust::TrustState& trust,
                    ErrorCode code = ErrorCode::kUntrusted) {
  const Result<void> checked = Check(bundle, trust);
  if (checked) return "accepted";
  EXPECT_EQ(checked.error().code(), code) << checked.error().message();
  return checked.error().message();
}

std::string Signed(std::vector<trust::Signature> signatures) {
  return format::PadSignatures(trust::SerializeSignatures(std::move(signatures)));
}

class BundleTest : public ::testing::Test {
 protected:
  BundleTest() : bundle_(office_.Pack()), trust_(Trust(office_.root_text)) {}

  ReleaseOffice office_;
  std::string bundle_;
  trust::TrustState trust_;
};

TEST_F(BundleTest, GoodOneIsAcceptedAndTakesApartAsWritten) {
  const Result<void> checked = Check(bundle_, trust_);
  ASSERT_TRUE(checked) << checked.error().message();
  EXPECT_TRUE(Parts(bundle_).Join() == bundle_);
  const StringFile file(bundle_);
  const VerifiedBundle verified = UnverifiedBundle::Open(file).value().Verify(trust_).value();
  EXPECT_EQ(verified.manifest().id, "acme/tiny");
  EXPECT_EQ(verified.signers().size(), 1U);
  EXPECT_EQ(verified.digest(), Sha256::Of(std::string_view(Parts(bundle_).At("meta/manifest"))));
}

TEST_F(BundleTest, EveryFlippedBitIsRefused) {
  const size_t step = skerry::testing::BitStep();
  std::string bad = bundle_;
  size_t accepted = 0;
  for (size_t bit = 0; bit < bundle_.size() * 8; bit += step) {
    const char mask = static_cast<char>(1 << (bit % 8));
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ mask);
    if (Check(bad, trust_)) {
      ++accepted;
      ADD_FAILURE() << "bit " << bit;
    }
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ mask);
  }
  EXPECT_EQ(accepted, 0U);
}

TEST_F(BundleTest, EveryTruncationAtABlockAndOddPlacesIsRefused) {
  for (size_t size = 0; size < bundle_.size(); size += 512) {
    EXPECT_FALSE(Check(bundle_.substr(0, size), trust_)) << size;
    EXPECT_FALSE(Check(bundle_.substr(0, size + 1), trust_)) << size + 1;
    EXPECT_FALSE(Check(bundle_.substr(0, size + 511), trust_)) << size + 511;
  }
}

TEST_F(BundleTest, AppendedBytesAreRefused) {
  for (const size_t count : {1U, 511U, 512U, 1024U, 9216U}) {
    EXPECT_THAT(Refusal(bundle_ + std::string(count, '\0'), trust_, ErrorCode::kCorrupt),
                HasSubstr("appended"));
  }
  EXPECT_THAT(Refusal(bundle_ + bundle_, trust_, ErrorCode::kCorrupt), HasSubstr("appended"));
}

TEST_F(BundleTest, SomethingElseIsNamedAsSuch) {
  EXPECT_THAT(Refusal(std::string(4096, '\0'), trust_, ErrorCode::kCorrupt),
              HasSubstr("not a bundle"));
  EXPECT_THAT(Refusal("", trust_, ErrorCode::kCorrupt), HasSubstr("too short"));
}

TEST_F(BundleTest, OtherRootIsRefused) {
  const ReleaseOffice other;
  EXPECT_THAT(Refusal(bundle_, Trust(other.root_text)), HasSubstr("0 of 1 required signatures"));
}

TEST_F(BundleTest, NothingAfterTheHeadIsReadBeforeTheSignaturesHold) {
  const ReleaseOffice other;
  const StringFile file(bundle_);
  const trust::TrustState other_trust = Trust(other.root_text);
  ASSERT_FALSE(Check(file, other_trust));
  // One header is looked at to see that the head is over.
  const size_t end_of_head = bundle_.find("meta/tree/000000");
  EXPECT_LE(file.highest(), end_of_head + 512);
}

TEST_F(BundleTest, EveryByteIsReadOnce) {
  const StringFile file(bundle_);
  const VerifiedBundle verified = UnverifiedBundle::Open(file).value().Verify(trust_).value();
  ASSERT_TRUE(verified.Read({}));
  EXPECT_EQ(file.highest(), bundle_.size());
  // Headers of the head are looked at before they are read.
  EXPECT_LE(file.read_bytes(), bundle_.size() + 8 * 512);
}

TEST_F(BundleTest, WithoutASignatureNothingIsAccepted) {
  Parts parts(bundle_);
  parts.At("meta/signatures") = Signed({});
  EXPECT_THAT(Refusal(parts.Join(), trust_), HasSubstr("0 of 1"));
  parts.At("meta/signatures") = "";
  EXPECT_NE(Refusal(parts.Join(), trust_, ErrorCode::kCorrupt), "accepted");
  parts.members.erase(parts.members.begin() + 2);
  EXPECT_NE(Refusal(parts.Join(), trust_, ErrorCode::kCorrupt), "accepted");
}

class ThresholdTest : public ::testing::Test {
 protected:
  ThresholdTest()
      : office_(2, 2), bundle_(office_.Pack()), trust_(Trust(office_.root_text)), parts_(bundle_) {}
  std::string With(std::vector<trust::Signature> signatures) {
    parts_.At("meta/signatures") = Signed(std::move(signatures));
    return parts_.Join();
  }
  trust::Signature By(const build::SecretKey& key) {
    return key.Sign(format::kManifestType, parts_.At("meta/manifest"));
  }

  ReleaseOffice office_;
  std::string bundle_;
  trust::TrustState trust_;
  Parts parts_;
};

TEST_F(ThresholdTest, KOfNWithEachKeyCountedOnce) {
  const trust::Signature a = By(office_.keys[0]), b = By(office_.keys[1]);
  EXPECT_TRUE(Check(With({a, b}), trust_));
  EXPECT_THAT(Refusal(With({a}), trust_), HasSubstr("1 of 2"));
  EXPECT_THAT(Refusal(With({a, a}), trust_), HasSubstr("1 of 2"));
  EXPECT_THAT(Refusal(With({a, a, a}), trust_), HasSubstr("1 of 2"));
}

TEST_F(ThresholdTest, UnknownKeysArePassedOverAndNotCounted) {
  const build::SecretKey stranger = build::SecretKey::Generate(trust::RoleName::kRelease);
  const trust::Signature a = By(office_.keys[0]), b = By(office_.keys[1]), c = By(stranger);
  EXPECT_THAT(Refusal(With({a, c}), trust_), HasSubstr("1 by keys it does not know"));
  EXPECT_TRUE(Check(With({a, b, c}), trust_));
}

TEST_F(ThresholdTest, BadSignatureByAKnownKeyRefuses) {
  const trust::Signature a = By(office_.keys[0]), b = By(office_.keys[1]);
  const trust::Signature bad = office_.root_keys[0].Sign(format::kManifestType, "other");
  EXPECT_THAT(Refusal(With({a, b, bad}), trust_), HasSubstr("does not hold"));
}

TEST_F(ThresholdTest, RevokedKeyNoLongerCounts) {
  trust_.revocations.sequence = 1;
  trust_.revocations.keys = {office_.keys[1].public_key().Id()};
  EXPECT_THAT(Refusal(bundle_, trust_), HasSubstr("revoked keys"));
}

TEST_F(BundleTest, SignatureOfAnotherDocumentTypeIsRefused) {
  Parts parts(bundle_);
  parts.At("meta/signatures") =
      Signed({office_.keys[0].Sign(trust::kRootType, parts.At("meta/manifest"))});
  EXPECT_THAT(Refusal(parts.Join(), trust_), HasSubstr("does not hold"));
}

TEST_F(BundleTest, SignedButHostileManifestsAreRefused) {
  auto with = [&](const std::string& from, const std::string& to) {
    Parts parts(bundle_);
    std::string& manifest = parts.At("meta/manifest");
    manifest.replace(manifest.find(from), from.size(), to);
    parts.At("meta/signatures") = Signed({office_.keys[0].Sign(format::kManifestType, manifest)});
    return parts.Join();
  };
  EXPECT_THAT(Refusal(with("config.json", "../../../tmp/x"), trust_), HasSubstr("refused"));
  EXPECT_THAT(Refusal(with("config.json", "/etc/passwd"), trust_), HasSubstr("refused"));
  EXPECT_THAT(Refusal(with("\"kind\":\"model\"", "\"kind\":\"image\""), trust_),
              HasSubstr("kind 'image'"));
  EXPECT_NE(Refusal(with("\"size\":", "\"size\":1"), trust_, ErrorCode::kCorrupt), "accepted");
  EXPECT_NE(Refusal(with("\"id\":\"acme/tiny\"", "\"id\":\"acme/tiny\",\"id\":\"acme/tiny\""),
                    trust_, ErrorCode::kCorrupt),
            "accepted");
}

TEST_F(BundleTest, MembersCannotBeExchangedAddedOrLeftOut) {
  Parts swapped(bundle_);
  std::swap(swapped.At("data/000000"), swapped.At("data/000002"));
  EXPECT_NE(Refusal(swapped.Join(), trust_, ErrorCode::kCorrupt), "accepted");
  Parts second_manifest(bundle_);
  second_manifest.members.insert(second_manifest.members.begin() + 2, second_manifest.members[1]);
  EXPECT_NE(Refusal(second_manifest.Join(), trust_, ErrorCode::kCorrupt), "accepted");
  Parts extra(bundle_);
  extra.members.emplace_back("data/000003", "extra");
  EXPECT_THAT(Refusal(extra.Join(), trust_, ErrorCode::kCorrupt), HasSubstr("appended"));
  Parts rootless(bundle_);
  rootless.members.erase(rootless.members.begin() + 3);
  EXPECT_THAT(Refusal(rootless.Join(), trust_, ErrorCode::kCorrupt),
              HasSubstr("not those that the manifest names"));
}

TEST_F(BundleTest, FileOfAnotherBundleIsRefused) {
  std::map<std::string, std::string> model = SmallModel();
  model["tokenizer.model"][3] ^= 1;
  Parts parts(bundle_), other(office_.Pack(model, office_.Options()).value());
  parts.At("data/000002") = other.At("data/000002");
  EXPECT_THAT(Refusal(parts.Join(), trust_, ErrorCode::kCorrupt),
              HasSubstr("'tokenizer.model' is damaged: its chunk 1 of 1"));
  parts.At("meta/tree/000002") = other.At("meta/tree/000002");
  EXPECT_THAT(Refusal(parts.Join(), trust_, ErrorCode::kCorrupt), HasSubstr("hash tree"));
}

TEST_F(BundleTest, EndlessMembersAreBounded) {
  Parts parts(bundle_);
  parts.At("meta/manifest") = std::string(format::kMaxManifestBytes + 1, ' ');
  EXPECT_THAT(Refusal(parts.Join(), trust_, ErrorCode::kCorrupt), HasSubstr("at most 1048576"));
  Parts roots(bundle_);
  for (uint64_t i = 2; i < 80; ++i) {
    roots.members.insert(roots.members.begin() + 2 + static_cast<ptrdiff_t>(i),
                         {format::RootName(i), "x"});
  }
  EXPECT_THAT(Refusal(roots.Join(), trust_, ErrorCode::kCorrupt), HasSubstr("more than 64"));
}

TEST_F(BundleTest, RevokedBundlesAndModelsAreRefused) {
  const StringFile file(bundle_);
  const VerifiedBundle verified = UnverifiedBundle::Open(file).value().Verify(trust_).value();
  trust::TrustState trust = trust_;
  trust.revocations.sequence = 3;
  trust.revocations.bundles = {verified.digest()};
  EXPECT_THAT(Refusal(bundle_, trust),
              HasSubstr("is revoked by revocation list 3: it lists the bundle"));
  trust.revocations.bundles.clear();
  trust.revocations.models = {verified.model_digest()};
  EXPECT_THAT(Refusal(bundle_, trust), HasSubstr("is revoked"));
}

TEST_F(BundleTest, RevocationsThatTravelAlongCount) {
  trust::Revocations list;
  list.sequence = 2;
  list.models = {Sha256::Of("something else")};
  const std::string type(trust::kRevocationsType);
  auto pack = [&](const build::SecretKey& signer) {
    const std::string payload = trust::SerializeRevocationsPayload(list);
    build::CreateOptions options = office_.Options();
    options.revocations_text =
        trust::SerializeEnvelope({type, payload, {signer.Sign(type, payload)}});
    return office_.Pack(SmallModel(), options);
  };
  const Result<std::string> good = pack(office_.root_keys[0]);
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_TRUE(Check(*good, trust_));
  EXPECT_FALSE(pack(office_.keys[0])) << "a release key must not revoke";

  // A list that revokes the model which it travels with.
  const StringFile file(bundle_);
  list.models = {UnverifiedBundle::Open(file).value().Verify(trust_).value().model_digest()};
  EXPECT_THAT(Refusal(pack(office_.root_keys[0]).value(), trust_), HasSubstr("is revoked"));
}

TEST_F(BundleTest, RootThatFollowsTheAcceptedOneIsFollowed) {
  // Version 2 has other release keys and is signed by the root key of version 1, which stays.
  ReleaseOffice next;
  next.root.version = 2;
  next.root.keys.emplace(office_.root_keys[0].public_key().Id(), office_.root_keys[0].public_key());
  next.root.keys.erase(next.root_keys[0].public_key().Id());
  next.root.root.keys = next.root.revoke.keys = {office_.root_keys[0].public_key().Id()};
  next.root_text = build::SignRoot(next.root, office_.root_keys).value();
  EXPECT_TRUE(Check(next.Pack(), trust_));
  EXPECT_THAT(Refusal(bundle_, Trust(next.root_text)), HasSubstr("0 of 1 required signatures"));

  ReleaseOffice thief;
  thief.root.version = 2;
  thief.root_text = build::SignRoot(thief.root, thief.root_keys).value();
  EXPECT_THAT(Refusal(thief.Pack(), trust_), HasSubstr("keys of the version before"));
}

TEST_F(BundleTest, FailedReadsAreReportedWhereverTheyHappen) {
  int reads = 0;
  {
    const StringFile file(bundle_);
    ASSERT_TRUE(Check(file, trust_));
    reads = file.reads();
  }
  for (int n = 1; n <= reads; ++n) {
    StringFile file(bundle_);
    file.FailAtRead(n);
    const Result<void> checked = Check(file, trust_);
    ASSERT_FALSE(checked) << "read " << n;
    EXPECT_EQ(checked.error().code(), ErrorCode::kIo) << "read " << n;
  }
}

}  // namespace
}  // namespace skerry::reader
