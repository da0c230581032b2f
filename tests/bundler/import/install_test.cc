#include "bundler/import/install.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "tests/bundler/release_office.h"
#include "tests/bundler/string_file.h"

namespace skerry::import {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::ReleaseOffice;
using skerry::testing::SmallModel;
using skerry::testing::StringFile;
using ::testing::HasSubstr;
using Snapshot = std::map<std::string, std::string>;

constexpr char kStaging[] = "staging/1";

class InstallTest : public ::testing::Test {
 protected:
  InstallTest() : bundle_(office_.Pack()) {
    trust_.root = trust::ParseRoot(office_.root_text).value();
    digest_ = DigestOf(bundle_);
  }

  static void Prepare(MemoryFiles& files) {
    ASSERT_TRUE(MakeDirectories(files, kStaging));
    ASSERT_TRUE(MakeDirectories(files, "store"));
    ASSERT_TRUE(files.SyncDirectory("."));
    ASSERT_TRUE(files.SyncDirectory("staging"));
  }
  Result<ImportResult> Import(MemoryFiles& files, const std::string& bundle, unsigned threads = 1) {
    const StringFile file(bundle);
    ImportOptions options;
    options.clock = &clock_;
    options.read.threads = threads;
    return ImportBundle(files, kStaging, file, trust_, options);
  }
  static Snapshot Below(const MemoryFiles& files, const std::string& prefix) {
    Snapshot below;
    const Snapshot all = files.Snapshot();
    for (const auto& [path, content] : all) {
      if (path.starts_with(prefix) && path != prefix) below[path] = content;
    }
    return below;
  }
  std::string DigestOf(const std::string& bundle) const {
    const StringFile file(bundle);
    return "sha256-" +
           reader::UnverifiedBundle::Open(file).value().Verify(trust_).value().digest().Hex();
  }

  ReleaseOffice office_;
  std::string bundle_;
  std::string digest_;
  trust::TrustState trust_;
  FakeClock clock_;
};

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
  const std::string place = "store/" + digest_;
  for (const auto& [name, content] : SmallModel()) {
    EXPECT_EQ(ReadAll(files, place + "/files/" + name).value(), content);
  }
  const std::string manifest = ReadAll(files, place + "/bundle/manifest").value();
  EXPECT_EQ("sha256-" + Sha256::Of(std::string_view(manifest)).Hex(), digest_);
  EXPECT_TRUE(files.Exists(place + "/bundle/signatures"));
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
  ASSERT_TRUE(files.MakeDirectory(kStaging, 0700));
  const Result<ImportResult> again = Import(files, bundle_);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->already_present);
  EXPECT_EQ(again->digest, digest_);
  EXPECT_EQ(files.Snapshot(), before);

  std::string damaged = bundle_;
  damaged[damaged.size() - 1025] ^= 1;
  ASSERT_TRUE(files.MakeDirectory(kStaging, 0700));
  EXPECT_FALSE(Import(files, damaged)) << "present, but this medium is bad";
  EXPECT_EQ(files.Snapshot(), before);
}

// With sanitizers every eleventh byte, otherwise every one.
TEST_F(InstallTest, EveryDamagedByteIsRefusedAndTheStoreStaysAsItWas) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr size_t kStep = 11;
#else
  constexpr size_t kStep = 1;
#endif
  MemoryFiles files;
  Prepare(files);
  std::map<std::string, std::string> other_model = SmallModel();
  other_model["extra.txt"] = "another";
  ASSERT_TRUE(Import(files, office_.Pack(other_model, office_.Options()).value()));
  const Snapshot before = files.Snapshot();
  std::string bad = bundle_;
  for (size_t at = 0; at < bundle_.size(); at += kStep) {
    const char mask = static_cast<char>(1 << (at % 8));
    bad[at] = static_cast<char>(bad[at] ^ mask);
    ASSERT_TRUE(files.MakeDirectory(kStaging, 0700));
    ASSERT_FALSE(Import(files, bad)) << "byte " << at;
    // Comparing everything each time would take too long.
    if (at % 64 == 0) {
      ASSERT_EQ(files.Snapshot(), before) << "byte " << at;
    }
    ASSERT_FALSE(files.Exists(kStaging)) << "byte " << at;
    bad[at] = static_cast<char>(bad[at] ^ mask);
  }
  EXPECT_EQ(files.Snapshot(), before);
}

TEST_F(InstallTest, TooLittleSpaceIsSaidBeforeAnythingIsWritten) {
  MemoryFiles files;
  Prepare(files);
  files.SetFreeBytes(kReservedBytes + 1000);
  const int calls = files.calls();
  const Result<ImportResult> result = Import(files, bundle_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kExhausted);
  EXPECT_THAT(result.error().message(), HasSubstr("not enough space"));
  EXPECT_EQ(files.calls(), calls + 1) << "only the empty staging folder was removed";
}

// The disk stops at call N, then the power goes: the store has nothing or the whole model.
TEST_F(InstallTest, PowerCutAtEveryCallLeavesNothingOrAll) {
  MemoryFiles whole;
  Prepare(whole);
  ASSERT_TRUE(Import(whole, bundle_));
  const Snapshot complete = Below(whole, "store/");
  int outcomes_before = 0, outcomes_after = 0;
  for (int call = 1;; ++call) {
    MemoryFiles files;
    Prepare(files);
    files.FailAtCall(call);
    const bool done = Import(files, bundle_).has_value();
    const auto after = files.AfterPowerCut();
    const Snapshot store = Below(*after, "store/");
    if (store.empty()) {
      ++outcomes_before;
      EXPECT_FALSE(done) << "call " << call << ": said done, but it is lost";
    } else {
      ++outcomes_after;
      EXPECT_EQ(store, complete) << "call " << call;
    }
    // The next start imports without trouble, whatever lies in staging.
    ASSERT_TRUE(MakeDirectories(*after, "staging/2"));
    const StringFile file(bundle_);
    ImportOptions options;
    options.clock = &clock_;
    EXPECT_TRUE(ImportBundle(*after, "staging/2", file, trust_, options)) << "call " << call;
    EXPECT_EQ(Below(*after, "store/"), complete) << "call " << call;
    if (done) break;
    ASSERT_LT(call, 300);
  }
  EXPECT_GT(outcomes_before, 10);
  EXPECT_GT(outcomes_after, 0);
}

TEST_F(InstallTest, FailedReadsOfTheMediumLeaveNothing) {
  int reads = 0;
  {
    MemoryFiles files;
    Prepare(files);
    const StringFile file(bundle_);
    ASSERT_TRUE(ImportBundle(files, kStaging, file, trust_, {}));
    reads = file.reads();
  }
  for (int n = 1; n <= reads; ++n) {
    MemoryFiles files;
    Prepare(files);
    StringFile file(bundle_);
    file.FailAtRead(n);
    ASSERT_FALSE(ImportBundle(files, kStaging, file, trust_, {})) << "read " << n;
    EXPECT_TRUE(Below(files, "store/").empty());
    EXPECT_TRUE(Below(files, "staging/").empty());
  }
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
  const size_t size = std::stoul(bundle.substr(1024 + 124, 11), nullptr, 8);
  const std::string signatures = trust::SerializeSignatures(
      {office_.keys[0].Sign(format::kManifestType, bundle.substr(1536, size))});
  bundle.replace(bundle.find("{\"signatures\""), signatures.size(), signatures);

  MemoryFiles files;
  Prepare(files);
  const Result<ImportResult> result = Import(files, bundle);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(result.error().message(), HasSubstr("pickle"));
  EXPECT_TRUE(Below(files, "store/").empty());
  EXPECT_FALSE(files.Exists(kStaging));
}

}  // namespace
}  // namespace skerry::import
