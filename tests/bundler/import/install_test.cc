#include "bundler/import/install.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "bundler/import/journal.h"
#include "bundler/trust/absorb.h"
#include "bundler/trust/permit.h"
#include "tests/bundler/import/import_world.h"

namespace skerry::import {
namespace {

using skerry::testing::ArchiveParts;
using skerry::testing::MemoryFiles;
using skerry::testing::SmallModel;
using skerry::testing::SplitByHand;
using skerry::testing::StringFile;
using ::testing::HasSubstr;

class InstallTest : public ImportWorld {};

TEST_F(InstallTest, StoreHasTheModelByItsNamesAndTheProof) {
  MemoryFiles files;
  Prepare(files);
  const Result<ImportResult> result = Import(files, bundle_);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->digest, digest_);
  EXPECT_EQ(result->id, "acme/tiny");
  EXPECT_EQ(result->version, "1.0.0");
  EXPECT_EQ(result->release_seq, 1U);
  EXPECT_FALSE(result->already_present);
  EXPECT_TRUE(result->warnings.empty());
  const std::string place = "store/" + digest_;
  for (const auto& [name, content] : Model()) {
    EXPECT_EQ(ReadAll(files, place + "/files/" + name).value(), content);
  }
  const std::string manifest = ReadAll(files, place + "/bundle/manifest").value();
  EXPECT_EQ("sha256-" + Sha256::Of(std::string_view(manifest)).Hex(), digest_);
  EXPECT_TRUE(files.Exists(place + "/bundle/signatures"));
  EXPECT_EQ(ReadAll(files, place + "/bundle/roots/1").value(), office_.root_text);
  std::string leaves;
  ArchiveParts parts(bundle_);
  for (const char* id : {"0", "1", "2", "3", "4", "5"}) {
    leaves += parts.At(std::string("meta/tree/00000") + id);
  }
  EXPECT_EQ(ReadAll(files, place + "/bundle/tree").value(), leaves);
  const Json json = ParseJson(ReadAll(files, place + "/import.json").value()).value();
  EXPECT_EQ(GetString(json, "digest").value(), digest_);
  EXPECT_EQ(GetString(json, "id").value(), "acme/tiny");
  EXPECT_EQ(GetInt(json, "release_seq").value(), 1);
  EXPECT_EQ(GetString(json, "model_format").value(), "huggingface");
  EXPECT_EQ(GetString(json, "imported_at").value(), FormatUtc(clock_.UnixMillis()));
  EXPECT_TRUE(Below(files, "staging/").empty());
}

TEST_F(InstallTest, DocumentsAreKept) {
  build::CreateOptions options = office_.Options();
  options.documents = {{"LICENSE", "LICENSE"}};
  MemoryFiles files;
  Prepare(files);
  const std::string bundle = office_.Pack(SmallModel(), options).value();
  ASSERT_TRUE(Import(files, bundle));
  EXPECT_EQ(ReadAll(files, "store/" + DigestOf(bundle) + "/bundle/documents/LICENSE").value(),
            "text of LICENSE");
}

TEST_F(InstallTest, SecondImportIsReadToTheEndAndChangesNothing) {
  MemoryFiles files;
  Prepare(files);
  ASSERT_TRUE(Import(files, bundle_));
  const Snapshot before = files.Snapshot();
  const Result<ImportResult> again = Import(files, bundle_);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->already_present);
  EXPECT_EQ(again->digest, digest_);
  EXPECT_EQ(files.Snapshot(), before);

  std::string damaged = bundle_;
  damaged[damaged.size() - 1025] ^= 1;
  EXPECT_FALSE(Import(files, damaged)) << "present, but this medium is bad";
  EXPECT_EQ(files.Snapshot(), before);
}

// With sanitizers one byte in 211, otherwise every one.
TEST_F(InstallTest, EveryDamagedByteIsRefusedAndTheStoreStaysAsItWas) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr size_t kStep = 211;
#else
  constexpr size_t kStep = 1;
#endif
  options_.copy.threads = 1;
  MemoryFiles files;
  Prepare(files);
  build::CreateOptions other = office_.Options();
  other.id = "acme/other";
  ASSERT_TRUE(Import(files, office_.Pack(Model(), other).value()));
  const Snapshot before = Below(files, "store/");
  std::string bad = bundle_;
  for (size_t at = 0; at < bundle_.size(); at += kStep) {
    const char mask = static_cast<char>(1 << (at % 8));
    bad[at] = static_cast<char>(bad[at] ^ mask);
    ASSERT_FALSE(Import(files, bad)) << "byte " << at;
    // Comparing everything each time would take too long.
    if (at % 64 == 0) {
      ASSERT_EQ(Below(files, "store/"), before) << "byte " << at;
    }
    bad[at] = static_cast<char>(bad[at] ^ mask);
  }
  EXPECT_EQ(Below(files, "store/"), before);
  EXPECT_TRUE(Import(files, bundle_)) << "whatever they left";
}

TEST_F(InstallTest, TooLittleSpaceIsSaidBeforeAnythingIsWritten) {
  MemoryFiles files;
  Prepare(files);
  files.SetFreeBytes(kReservedBytes + 1000);
  options_.place = "/data";
  const Result<ImportResult> result = Import(files, bundle_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kExhausted);
  EXPECT_THAT(result.error().message(), HasSubstr("not enough space in '/data'"));
  EXPECT_THAT(result.error().message(), HasSubstr(std::to_string(kReservedBytes + 1000)));
  EXPECT_TRUE(Below(files, "staging/").empty());
}

TEST_F(InstallTest, SpaceThatIsReservedAlreadyIsNotAskedForAgain) {
  std::map<std::string, std::string> model = Model();
  model["vocab.txt"] = std::string(format::kChunkBytes, 'v');
  const std::string bundle = office_.Pack(model, office_.Options()).value();
  MemoryFiles files;
  Prepare(files);
  options_.reserved_bytes = 0;
  // The room for the model and not much more.
  files.SetFreeBytes(format::kChunkBytes + (3 << 20));
  StringFile medium(bundle);
  medium.FailAtRead(1 << 20);
  std::string damaged = bundle;
  damaged[bundle.rfind('v')] = 'w';
  const Result<ImportResult> stopped = Import(files, damaged);
  ASSERT_FALSE(stopped);
  EXPECT_THAT(stopped.error().message(), HasSubstr("copied and kept"));
  EXPECT_LT(files.FreeBytes().value(), uint64_t{3} << 20);
  const Result<ImportResult> resumed = Import(files, bundle);
  EXPECT_TRUE(resumed) << resumed.error().message();
}

TEST_F(InstallTest, WhatMustNotTravelIsRefusedOnTheApplianceToo) {
  // A bundle from a program that does not check: signed, but with a pickle in it.
  std::map<std::string, std::string> model = SmallModel();
  model["weights.txt"] = "harmless, and of a certain length...";
  std::string bundle = office_.Pack(model, office_.Options()).value();
  const std::string pickle = "cposix\nsystem\np0\n.                 x";
  ASSERT_EQ(pickle.size(), model["weights.txt"].size());
  const Sha256Digest old_leaf = Sha256::Of(std::string(1, '\0') + model["weights.txt"]);
  const Sha256Digest new_leaf = Sha256::Of(std::string(1, '\0') + pickle);
  auto replace = [&](std::string_view from, std::string_view to) {
    const size_t at = bundle.find(from);
    ASSERT_NE(at, std::string::npos);
    bundle.replace(at, from.size(), to);
  };
  replace(model["weights.txt"], pickle);
  replace(AsText(old_leaf.bytes), AsText(new_leaf.bytes));
  replace(old_leaf.Hex(), new_leaf.Hex());
  Sign(bundle);

  MemoryFiles files;
  Prepare(files);
  const Result<ImportResult> result = Import(files, bundle);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(result.error().message(), HasSubstr("pickle"));
  EXPECT_TRUE(Below(files, "store/").empty());
  EXPECT_TRUE(Below(files, "staging/").empty());
}

TEST_F(InstallTest, TheSameBundleIsNotImportedTwiceAtOnce) {
  MemoryFiles files;
  Prepare(files);
  locks_.busy.insert("staging/" + digest_);
  const Result<ImportResult> result = Import(files, bundle_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
  locks_.busy = {"staging/other"};
  EXPECT_TRUE(Import(files, bundle_));
}

TEST_F(InstallTest, AStaleDayIsAWarning) {
  build::CreateOptions options = office_.Options();
  options.expires = "2023-01-31";
  MemoryFiles files;
  Prepare(files);
  const Result<ImportResult> result = Import(files, office_.Pack(Model(), options).value());
  ASSERT_TRUE(result) << result.error().message();
  ASSERT_EQ(result->warnings.size(), 1U);
  EXPECT_THAT(result->warnings[0], HasSubstr("2023-01-31"));
}

TEST_F(InstallTest, ProgressCountsWhatAnEarlierTryHasDone) {
  MemoryFiles files;
  Prepare(files);
  std::string damaged = bundle_;
  damaged[bundle_.find("more text")] ^= 1;
  ASSERT_FALSE(Import(files, damaged));
  ImportProgress last;
  options_.progress = [&](const ImportProgress& progress) { last = progress; };
  ASSERT_TRUE(Import(files, bundle_));
  EXPECT_EQ(last.done_bytes, last.total_bytes);
  EXPECT_GT(last.resumed_bytes, 0U);
  EXPECT_LT(last.resumed_bytes, last.total_bytes);
}

// --- chat templates

class ImportedTemplatesTest : public ImportWorld {
 protected:
  ImportedTemplatesTest() { Prepare(files_); }
  std::string WithTemplate(uint64_t seq, const std::string& text) const {
    std::map<std::string, std::string> model = Model();
    model["chat_template.jinja"] = text;
    build::CreateOptions options = office_.Options();
    options.release_seq = seq;
    return office_.Pack(model, options).value();
  }
  MemoryFiles files_;
};

TEST_F(ImportedTemplatesTest, AreRecordedAndComparedWithTheReleaseBefore) {
  const Result<ImportResult> first = Import(files_, WithTemplate(1, "hello\n"));
  ASSERT_TRUE(first) << first.error().message();
  ASSERT_EQ(first->templates.templates.size(), 1U);
  EXPECT_FALSE(first->templates.compared_with);
  EXPECT_EQ(first->templates.diff, "");
  const Json json =
      ParseJson(ReadAll(files_, "store/" + first->digest + "/import.json").value()).value();
  const std::string sha256 = Sha256::Of(std::string_view("hello\n")).Hex();
  EXPECT_EQ(json["templates"], Json::array({{{"name", "default"}, {"sha256", sha256}}}));

  const std::string next = WithTemplate(2, "bye\n");
  for (const bool present : {false, true}) {
    const Result<ImportResult> second = Import(files_, next);
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_EQ(second->already_present, present);
    EXPECT_EQ(second->templates.compared_with, 1U);
    EXPECT_THAT(second->templates.diff, HasSubstr("-hello\n+bye\n"));
  }
}

TEST_F(ImportedTemplatesTest, ThatCannotBeListedAreRefused) {
  std::map<std::string, std::string> model = SmallModel();
  const std::string good(100, 'x');
  model["tokenizer_config.json"] = "{\"chat_template\":{\"good\":\"" + good + "\"}}";
  std::string bundle = office_.Pack(model, office_.Options()).value();
  std::string bad = model["tokenizer_config.json"];
  bad.replace(bad.find("good"), 4, "b/ad");
  const auto replace = [&](std::string_view from, std::string_view to) {
    const size_t at = bundle.find(from);
    ASSERT_NE(at, std::string::npos);
    bundle.replace(at, from.size(), to);
  };
  const Sha256Digest old_leaf = Sha256::Of(std::string(1, '\0') + model["tokenizer_config.json"]);
  const Sha256Digest new_leaf = Sha256::Of(std::string(1, '\0') + bad);
  replace(model["tokenizer_config.json"], bad);
  replace(AsText(old_leaf.bytes), AsText(new_leaf.bytes));
  replace(old_leaf.Hex(), new_leaf.Hex());
  Sign(bundle);
  const Result<ImportResult> result = Import(files_, bundle);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("'tokenizer_config.json'"));
  EXPECT_TRUE(Below(files_, "store/").empty());
  EXPECT_TRUE(Below(files_, "staging/").empty());
}

// --- Volumes

class VolumesTest : public ImportWorld {
 protected:
  VolumesTest() : volumes_(SplitByHand(bundle_, 2)) { EXPECT_EQ(volumes_.size(), 3U); }

  std::vector<std::string> volumes_;
};

TEST_F(VolumesTest, AnyOrderGivesTheSameModel) {
  const Snapshot complete = Complete();
  for (const std::vector<size_t>& order :
       {std::vector<size_t>{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 1, 2, 0, 0}}) {
    MemoryFiles files;
    Prepare(files);
    std::vector<std::string> media;
    for (const size_t idx : order) media.push_back(volumes_[idx]);
    const Result<ImportResult> result = Import(files, media);
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(Below(files, "store/"), complete);
    EXPECT_TRUE(Below(files, "staging/").empty());
  }
}

TEST_F(VolumesTest, MissingOnesAreNamedAndWhatWasCopiedIsKept) {
  MemoryFiles files;
  Prepare(files);
  const Result<ImportResult> first = Import(files, volumes_[1]);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(first.error().message(), HasSubstr("volume 1, 3 of 3"));
  EXPECT_THAT(first.error().message(), HasSubstr("kept"));
  const Result<ImportResult> second = Import(files, volumes_[0]);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("volume 3 of 3"));
  EXPECT_TRUE(Import(files, volumes_[2]));
  EXPECT_EQ(Below(files, "store/"), Complete());
}

TEST_F(VolumesTest, AWholeBundleGoesOnWhereVolumesStopped) {
  MemoryFiles files;
  Prepare(files);
  ASSERT_FALSE(Import(files, volumes_[1]));
  const StringFile medium(bundle_);
  ASSERT_TRUE(Import(files, {&medium}));
  EXPECT_EQ(Below(files, "store/"), Complete());
}

TEST_F(VolumesTest, MissingOnesAreAskedForOneByOne) {
  MemoryFiles files;
  Prepare(files);
  std::vector<VolumesNeeded> asked;
  options_.more = [&](const VolumesNeeded& needed) -> Result<std::vector<Medium>> {
    asked.push_back(needed);
    std::vector<Medium> more;
    // The first answer is a volume of something else.
    const std::string text = asked.size() == 1   ? SplitByHand(Release(2), 2)[0]
                             : asked.size() == 2 ? volumes_[2]
                                                 : volumes_[0];
    more.push_back({"more.skb", std::make_unique<StringFile>(text)});
    return more;
  };
  const Result<ImportResult> result = Import(files, volumes_[1]);
  ASSERT_TRUE(result) << result.error().message();
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[0].of, 3U);
  EXPECT_EQ(asked[0].numbers, (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(asked[0].refused, "");
  EXPECT_EQ(asked[1].numbers, (std::vector<uint64_t>{1, 3}));
  EXPECT_THAT(asked[1].refused, HasSubstr("'more.skb'"));
  EXPECT_EQ(asked[2].numbers, (std::vector<uint64_t>{1}));
  EXPECT_EQ(asked[2].refused, "");
  EXPECT_EQ(Below(files, "store/"), Complete());
}

// Mix and match: volumes of another release, of another split, a whole bundle among volumes.
TEST_F(VolumesTest, WhatDoesNotBelongIsNamed) {
  MemoryFiles files;
  Prepare(files);
  for (const std::string& stranger :
       {SplitByHand(Release(2), 2)[1], SplitByHand(bundle_, 3)[1], bundle_}) {
    const Result<ImportResult> result =
        Import(files, std::vector<std::string>{volumes_[0], stranger});
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message(), HasSubstr("v2.skb"));
    EXPECT_TRUE(Below(files, "store/").empty());
  }
}

TEST_F(VolumesTest, DamageNamesTheVolumeAndAnotherCopyCompletesIt) {
  MemoryFiles files;
  Prepare(files);
  std::string damaged = volumes_[2];
  damaged[damaged.size() - format::kTarEndBytes - 512] ^= 1;
  const Result<ImportResult> result =
      Import(files, std::vector<std::string>{volumes_[0], volumes_[1], damaged});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCorrupt);
  EXPECT_THAT(result.error().message(), HasSubstr("v3.skb"));
  EXPECT_THAT(result.error().message(), HasSubstr("kept"));
  EXPECT_TRUE(Import(files, volumes_[2]));
  EXPECT_EQ(Below(files, "store/"), Complete());
}

TEST_F(VolumesTest, EveryBitOfAVolumeCounts) {
  // Trees and documents are in every volume; those of the second are used by nobody.
  MemoryFiles files;
  Prepare(files);
  for (const char* member : {"meta/tree/000000", "meta/tree/000003"}) {
    ArchiveParts parts(volumes_[2]);
    parts.At(member)[5] ^= 1;
    EXPECT_FALSE(Import(files, std::vector<std::string>{volumes_[0], volumes_[1], parts.Join()}))
        << member;
  }
  EXPECT_TRUE(Below(files, "store/").empty());
}

// --- the floor ---

class FloorTest : public ImportWorld {
 protected:
  FloorTest() { Prepare(files_); }
  std::string PermitFor(const std::string& bundle, uint64_t seq, uint8_t serial = 1) {
    trust::Permit permit{
        Sha256Digest::FromHex(DigestOf(bundle).substr(7)).value(), "acme/tiny", seq, {}};
    permit.serial[0] = serial;
    const std::string payload = trust::SerializePermitPayload(permit);
    trust::Envelope envelope{std::string(trust::kPermitType), payload, {}};
    envelope.signatures.push_back(office_.keys[0].Sign(trust::kPermitType, payload));
    return trust::SerializeEnvelope(envelope);
  }
  void Remove(const std::string& bundle) {
    ASSERT_TRUE(RemoveTree(files_, "store/" + DigestOf(bundle)));
  }
  skerry::testing::MemoryFiles files_;
};

TEST_F(FloorTest, RollbackIsRefusedBeforeAnythingIsTakenOver) {
  ASSERT_TRUE(Import(files_, Release(5)));
  const Snapshot before = files_.Snapshot();
  const Result<ImportResult> old = Import(files_, Release(4));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(old.error().message(), HasSubstr("5"));
  EXPECT_EQ(files_.Snapshot(), before);
  EXPECT_TRUE(Import(files_, Release(6)));
}

TEST_F(FloorTest, AnotherBundleOfTheSameReleaseIsRefused) {
  ASSERT_TRUE(Import(files_, Release(5)));
  build::CreateOptions options = office_.Options();
  options.release_seq = 5;
  options.version = "other";
  const Result<ImportResult> other = Import(files_, office_.Pack(Model(), options).value());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kUntrusted);
}

TEST_F(FloorTest, WhatIsInTheStoreMayBeReadAgain) {
  ASSERT_TRUE(Import(files_, Release(4)));
  ASSERT_TRUE(Import(files_, Release(5)));
  const Result<ImportResult> again = Import(files_, Release(4));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->already_present);
}

TEST_F(FloorTest, APermitLetsOneBundleInOnce) {
  const std::string old = Release(4);
  ASSERT_TRUE(Import(files_, Release(5)));
  options_.permit_text = PermitFor(Release(3), 3);
  EXPECT_EQ(Import(files_, old).error().code(), ErrorCode::kUntrusted) << "for another bundle";
  options_.permit_text = PermitFor(old, 4);
  const Result<ImportResult> result = Import(files_, old);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(ReadAll(files_, "store/" + DigestOf(old) + "/bundle/permit").value(),
            *options_.permit_text);
  const Json json =
      ParseJson(ReadAll(files_, "store/" + DigestOf(old) + "/import.json").value()).value();
  EXPECT_TRUE(json["permit"].is_string());

  // The service takes it over, a newer release comes, the old one goes: the permit is used up.
  ASSERT_TRUE(trust::AbsorbStore(files_, trust_));
  ASSERT_TRUE(Import(files_, Release(6)));
  ASSERT_TRUE(trust::AbsorbStore(files_, trust_));
  Remove(old);
  ASSERT_TRUE(trust::AbsorbStore(files_, trust_));
  EXPECT_EQ(Import(files_, old).error().code(), ErrorCode::kUntrusted) << "a permit replayed";
  options_.permit_text = PermitFor(old, 4, 2);
  EXPECT_TRUE(Import(files_, old));
}

TEST_F(FloorTest, APermitByNobodyKnownIsRefused) {
  const skerry::testing::ReleaseOffice stranger;
  const std::string old = Release(4);
  ASSERT_TRUE(Import(files_, Release(5)));
  std::string payload = trust::SerializePermitPayload(
      {Sha256Digest::FromHex(DigestOf(old).substr(7)).value(), "acme/tiny", 4, {}});
  trust::Envelope envelope{std::string(trust::kPermitType), payload, {}};
  envelope.signatures.push_back(stranger.keys[0].Sign(trust::kPermitType, payload));
  options_.permit_text = trust::SerializeEnvelope(envelope);
  EXPECT_EQ(Import(files_, old).error().code(), ErrorCode::kUntrusted);
  options_.permit_text = "{}";
  EXPECT_EQ(Import(files_, old).error().code(), ErrorCode::kCorrupt);
}

// Two imports at once: the newer release appears while the older one is copied.
TEST_F(FloorTest, AReleaseThatWasOvertakenIsNotPublished) {
  const std::string newer = Release(7);
  bool once = false;
  locks_.on_publishing = [&] {
    if (std::exchange(once, true)) return;
    ASSERT_TRUE(Import(files_, newer));
  };
  const Result<ImportResult> old = Import(files_, Release(6));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code(), ErrorCode::kUntrusted);
  EXPECT_TRUE(files_.Exists("store/" + DigestOf(newer)));
  EXPECT_FALSE(files_.Exists("store/" + DigestOf(Release(6))));
}

}  // namespace
}  // namespace skerry::import
