#include "appliance/admin/trust_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "appliance/admin/instances.h"
#include "appliance/admin/models.h"
#include "appliance/base/testing/memory_files.h"
#include "appliance/receipts/ledger.h"
#include "bundler/trust/absorb.h"
#include "tests/appliance/admin/world.h"
#include "tests/bundler/trust/trust_office.h"

namespace skerry::admin {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A model as the importer leaves it; its digest.
std::string LeaveImport(const skerry::testing::TrustOffice& office, FileSystem& files,
                        uint64_t release_seq, const std::string& list = "",
                        const std::string& at = "2026-01-31T12:00:00.000Z") {
  const trust::Release release = office.Store(files, release_seq, list);
  const std::string digest = "sha256-" + release.bundle.Hex();
  const std::string signer = office.releases[0].public_key().Id().Hex();
  EXPECT_TRUE(WriteAtomically(files, "store/" + digest + "/import.json",
                              DumpJson({{"digest", digest},
                                        {"id", release.id},
                                        {"imported_at", at},
                                        {"model_format", "huggingface"},
                                        {"release_keys", Json::array({signer})},
                                        {"release_seq", release_seq},
                                        {"release_threshold", 1},
                                        {"root_version", 1},
                                        {"signers", Json::array({signer})},
                                        {"version", "1.0.0"}})));
  return digest;
}

class TrustKeeperTest : public ::testing::Test {
 protected:
  TrustKeeperTest() {
    EXPECT_TRUE(MakeDirectories(world_.files(), "trust"));
    world_.Write("trust/root.json", office_.file);
    Restart();
  }
  void Restart() {
    trust_.reset();
    core_.reset();
    core_ = Core::Open(world_.path(), RealClock()).value();
    trust_ = std::make_unique<TrustKeeper>(*core_, "1.2.3");
  }
  std::string Import(uint64_t release_seq, const std::string& list = "",
                     const std::string& at = "2026-01-31T12:00:00.000Z") {
    return LeaveImport(office_, world_.files(), release_seq, list, at);
  }
  std::vector<receipts::ReceiptFile> Receipts() {
    return receipts::ListReceipts(world_.files(), receipts::kReceiptsDirectory).value();
  }
  receipts::Receipt LastReceipt() {
    const trust::PublicKey key =
        receipts::ParseAppliancePublicKey(ReadAll(world_.files(), receipts::kPublicKeyPath).value())
            .value();
    return receipts::ReadReceipt(world_.files(), receipts::kReceiptsDirectory, Receipts().back(),
                                 key)
        .value()
        .receipt;
  }
  trust::TrustState Stored() { return trust::LoadTrust(world_.files()).value(); }

  World world_;
  skerry::testing::TrustOffice office_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<TrustKeeper> trust_;
};

TEST_F(TrustKeeperTest, AnImportRaisesTheFloorAndGetsOneReceipt) {
  Import(3);
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_EQ(Stored().floors.at("acme/tiny").release_seq, 3U);
  ASSERT_EQ(Receipts().size(), 1U);
  const receipts::Receipt first = LastReceipt();
  EXPECT_EQ(first.id, "acme/tiny");
  EXPECT_EQ(first.release_seq, 3U);
  EXPECT_EQ(first.software, "1.2.3");
  EXPECT_FALSE(first.floor_before.has_value());
  EXPECT_EQ(first.floor_after->release_seq, 3U);
  EXPECT_EQ(first.root_fingerprint, office_.Chain().newest().fingerprint);
  EXPECT_THAT(world_.Recorded(),
              ElementsAre("trust-root-changed", "floor-changed", "receipt-written"));

  // Nothing new: nothing written, also after a start.
  ASSERT_TRUE(trust_->Refresh());
  Restart();
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_EQ(Receipts().size(), 1U);
  EXPECT_EQ(world_.Recorded().size(), 3U);

  Import(5);
  ASSERT_TRUE(trust_->Refresh());
  ASSERT_EQ(Receipts().size(), 2U);
  EXPECT_EQ(LastReceipt().counter, 2U);
  EXPECT_EQ(LastReceipt().floor_before->release_seq, 3U);
  EXPECT_EQ(LastReceipt().floor_after->release_seq, 5U);
}

// Deleted and imported again: an import of its own.
TEST_F(TrustKeeperTest, ASecondImportOfTheSameBundleHasAReceiptOfItsOwn) {
  const std::string digest = Import(3);
  ASSERT_TRUE(trust_->Refresh());
  ASSERT_TRUE(RemoveTree(world_.files(), "store/" + digest));
  ASSERT_TRUE(trust_->Refresh());
  Import(3, "", "2026-02-01T12:00:00.000Z");
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_EQ(Receipts().size(), 2U);
}

TEST_F(TrustKeeperTest, AListThatCameWithAModelIsTakenOverAndRevokesAnother) {
  const std::string old = Import(1);
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_FALSE(trust_->StandingOf(old).revoked());
  trust::Revocations list;
  list.sequence = 7;
  list.bundles.insert(Sha256Digest::FromHex(old.substr(7)).value());
  const std::string next = Import(2, office_.List(list));
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_EQ(Stored().revocations.sequence, 7U);
  EXPECT_EQ(trust_->Summarize().revocations, 7U);
  EXPECT_TRUE(trust_->StandingOf(old).revoked());
  EXPECT_THAT(trust_->StandingOf(old).text, HasSubstr("7"));
  EXPECT_FALSE(trust_->StandingOf(next).revoked());
  EXPECT_THAT(world_.Recorded(), Contains("revocations-changed"));
}

TEST_F(TrustKeeperTest, ARevokedModelIsUnloadedAndRefusedEvenAfterAStart) {
  const std::string digest = Import(1);
  world_.StartSupervisor();
  world_.StartProxy();
  auto models = std::make_unique<Models>(*core_, *trust_);
  auto instances = std::make_unique<Instances>(*core_, *models);
  ASSERT_TRUE(models->Reconcile());
  ASSERT_TRUE(instances->Start());
  const InstanceStatus loaded = instances->Load({digest, "tiny", {}}).value();
  ASSERT_TRUE(Eventually(
      [&] { return instances->Get(loaded.row.iid).value().state == LoadState::kReady; }));

  // As a command beside the service leaves it.
  trust::Revocations list;
  list.sequence = 1;
  list.bundles.insert(Sha256Digest::FromHex(digest.substr(7)).value());
  world_.Write("trust/revocations.json", office_.List(list));
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_THAT(world_.Recorded(), Contains("revocations-changed"));
  EXPECT_THAT(instances->UnloadRevoked().value(), ElementsAre("tiny"));
  EXPECT_THAT(world_.Running(), IsEmpty());
  EXPECT_EQ(world_.Published().FindAlias("tiny"), nullptr);
  EXPECT_EQ(instances->Load({digest, "tiny", {}}).error().code(), ErrorCode::kUntrusted);
  EXPECT_TRUE(models->List().value().front().standing.revoked());

  instances.reset();
  models.reset();
  Restart();
  Models again(*core_, *trust_);
  ASSERT_TRUE(again.Reconcile());
  EXPECT_EQ(again.CheckStanding(digest).error().code(), ErrorCode::kUntrusted);
}

// Revoked or not: what cannot be read is not taken for good, neither by a start nor by a setting.
TEST_F(TrustKeeperTest, AModelWhoseRecordCannotBeReadIsNotLoaded) {
  world_.Write("skerry.toml", "[trust]\nrevoked_models = \"warn\"\n");
  Restart();
  const std::string digest = Import(1);
  const std::string record = "store/" + digest + "/import.json";
  const std::string text = ReadAll(world_.files(), record).value();
  Models models(*core_, *trust_);
  ASSERT_TRUE(models.Reconcile());
  EXPECT_TRUE(models.CheckStanding(digest));
  world_.Write(record, "{");
  EXPECT_TRUE(models.CheckStanding(digest)) << "known since it was read";

  Restart();
  Models again(*core_, *trust_);
  ASSERT_TRUE(again.Reconcile());
  const Result<std::string> refused = again.CheckStanding(digest);
  ASSERT_EQ(refused.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(refused.error().message(), HasSubstr("import.json"));
  const ModelStatus status = again.List().value().front();
  EXPECT_FALSE(status.may_load);
  EXPECT_FALSE(status.standing.readable());
  EXPECT_FALSE(status.standing.revoked());
  world_.Write(record, text);
  EXPECT_TRUE(again.CheckStanding(digest));
}

// `skerry trust update` while nothing runs takes over what is in the store before the service sees
// it. Journal and receipt name what was before all the same.
TEST_F(TrustKeeperTest, WhatACommandTookOverIsRecordedAtTheNextStart) {
  Import(3);
  ASSERT_TRUE(trust_->Refresh());
  const size_t recorded = world_.Recorded().size();
  Import(5);
  trust::TrustState state = Stored();
  ASSERT_TRUE(trust::AbsorbStore(world_.files(), state));
  ASSERT_TRUE(trust::TakeRevocations(state, office_.List(4)));
  ASSERT_TRUE(trust::SaveTrust(world_.files(), state));
  Restart();
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_EQ(LastReceipt().floor_before->release_seq, 3U);
  EXPECT_EQ(LastReceipt().floor_after->release_seq, 5U);
  std::vector<std::string> actions = world_.Recorded();
  actions.erase(actions.begin(), actions.begin() + static_cast<ptrdiff_t>(recorded));
  EXPECT_THAT(actions, ElementsAre("revocations-changed", "floor-changed", "receipt-written"));
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_EQ(world_.Recorded().size(), recorded + 3);
}

TEST_F(TrustKeeperTest, ReceiptsOfSeveralImportsFollowTheirTimes) {
  for (const int hour : {4, 1, 3, 2}) {
    Import(static_cast<uint64_t>(hour), "", "2026-01-31T0" + std::to_string(hour) + ":00:00.000Z");
  }
  ASSERT_TRUE(trust_->Refresh());
  ASSERT_EQ(Receipts().size(), 4U);
  const trust::PublicKey key =
      receipts::ParseAppliancePublicKey(ReadAll(world_.files(), receipts::kPublicKeyPath).value())
          .value();
  for (const receipts::ReceiptFile& file : Receipts()) {
    const auto receipt =
        receipts::ReadReceipt(world_.files(), receipts::kReceiptsDirectory, file, key).value();
    EXPECT_EQ(receipt.receipt.release_seq, file.counter);
  }
}

// The same on an appliance that never ran before.
TEST_F(TrustKeeperTest, TheFirstStartRecordsWhatCommandsDidBefore) {
  Import(3);
  trust::TrustState state = Stored();
  ASSERT_TRUE(trust::AbsorbStore(world_.files(), state));
  ASSERT_TRUE(trust::SaveTrust(world_.files(), state));
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_FALSE(LastReceipt().floor_before.has_value());
  EXPECT_THAT(world_.Recorded(),
              ElementsAre("trust-root-changed", "floor-changed", "receipt-written"));
}

TEST_F(TrustKeeperTest, SettingsLetARevokedModelGoOnWithAWarning) {
  world_.Write("skerry.toml", "[trust]\nrevoked_models = \"warn\"\n");
  Restart();
  const std::string digest = Import(1);
  world_.StartSupervisor();
  world_.StartProxy();
  Models models(*core_, *trust_);
  Instances instances(*core_, models);
  ASSERT_TRUE(models.Reconcile());
  ASSERT_TRUE(instances.Start());
  const InstanceStatus first = instances.Load({digest, "tiny", {}}).value();
  EXPECT_EQ(first.warning, "");
  ASSERT_TRUE(
      Eventually([&] { return instances.Get(first.row.iid).value().state == LoadState::kReady; }));

  trust::Revocations list;
  list.sequence = 1;
  list.bundles.insert(Sha256Digest::FromHex(digest.substr(7)).value());
  world_.Write("trust/revocations.json", office_.List(list));
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_THAT(instances.UnloadRevoked().value(), IsEmpty());
  EXPECT_THAT(instances.Get(first.row.iid).value().warning, HasSubstr("revo"));
  EXPECT_EQ(world_.Recorded().back(), "revoked-model-used");
  const size_t recorded = world_.Recorded().size();
  EXPECT_THAT(instances.UnloadRevoked().value(), IsEmpty());
  EXPECT_EQ(world_.Recorded().size(), recorded) << "said once";

  const InstanceStatus second = instances.Load({digest, "again", {}}).value();
  EXPECT_THAT(second.warning, HasSubstr("revo"));
  EXPECT_THAT(world_.Recorded(), Contains("revoked-model-used").Times(2));
  const ModelStatus status = models.List().value().front();
  EXPECT_TRUE(status.standing.revoked());
  EXPECT_TRUE(status.may_load);
}

TEST_F(TrustKeeperTest, WithoutARootThereIsNothingToTakeOver) {
  ASSERT_TRUE(world_.files().Remove("trust/root.json"));
  const std::string digest = Import(1);
  EXPECT_TRUE(trust_->Refresh());
  EXPECT_EQ(trust_->Summarize().root_version, 0U);
  EXPECT_FALSE(trust_->StandingOf(digest).revoked());
  EXPECT_THAT(Receipts(), IsEmpty());
}

TEST_F(TrustKeeperTest, DamagedTrustIsAnErrorAndChangesNothing) {
  Import(1);
  world_.Write("trust/state.json", "{}");
  EXPECT_EQ(trust_->Refresh().error().code(), ErrorCode::kCorrupt);
  EXPECT_THAT(Receipts(), IsEmpty());
  EXPECT_THAT(world_.Recorded(), IsEmpty());
}

// A folder that nobody of the root has signed is no import: no floor, no receipt.
TEST_F(TrustKeeperTest, AModelThatIsNotSignedDoesNotCount) {
  const skerry::testing::TrustOffice stranger;
  stranger.Store(world_.files(), 9);
  ASSERT_TRUE(trust_->Refresh());
  EXPECT_THAT(Stored().floors, IsEmpty());
  EXPECT_THAT(Receipts(), IsEmpty());
}

// The disk of an appliance whose power fails.
struct Disk {
  skerry::testing::MemoryFiles data;
  skerry::testing::MemoryFiles journal;

  Result<std::unique_ptr<Core>> Open(const std::string& path) {
    return Core::Open(path, RealClock(),
                      [&](const std::string& folder) -> Result<std::unique_ptr<FileSystem>> {
                        return std::unique_ptr<FileSystem>(
                            new skerry::testing::MemoryFiles(folder == path ? data : journal));
                      });
  }
  Disk AfterPowerCut() const { return {*data.AfterPowerCut(), *journal.AfterPowerCut()}; }
};

// Two imports and a list are taken over; the power fails at the n-th change of one of the disk's
// folders. The next start makes up for the rest, and what the journal says is there.
class TakeOverPowerCut {
 public:
  // False: the take-over needs fewer changes.
  bool Run(bool in_journal, int n) {
    Disk disk;
    std::unique_ptr<Core> core = Prepare(disk);
    (in_journal ? disk.journal : disk.data).FailAtCall(n);
    const bool done = TrustKeeper(*core, "1.2.3").Refresh().has_value();
    core.reset();
    Disk after = disk.AfterPowerCut();
    Check(after);
    return !done;
  }

 private:
  std::unique_ptr<Core> Prepare(Disk& disk) {
    EXPECT_TRUE(MakeDirectories(world_.files(), "trust")) << "the lock is a real file";
    EXPECT_TRUE(MakeDirectories(disk.data, "trust"));
    EXPECT_TRUE(WriteAtomically(disk.data, "trust/root.json", office_.file));
    std::unique_ptr<Core> core = disk.Open(world_.path()).value();
    LeaveImport(office_, disk.data, 3);
    trust::Revocations list;
    list.sequence = 7;
    LeaveImport(office_, disk.data, 5, office_.List(list), "2026-02-01T12:00:00.000Z");
    return core;
  }
  void Check(Disk& disk) {
    std::unique_ptr<Core> core = disk.Open(world_.path()).value();
    for (int again = 0; again < 2; ++again) {
      const Result<void> refreshed = TrustKeeper(*core, "1.2.3").Refresh();
      ASSERT_TRUE(refreshed) << refreshed.error().message();
    }
    const trust::TrustState state = trust::LoadTrust(disk.data).value();
    EXPECT_EQ(state.floors.at("acme/tiny").release_seq, 5U);
    EXPECT_EQ(state.revocations.sequence, 7U);
    const std::vector<receipts::ReceiptFile> receipts =
        receipts::ListReceipts(disk.data, receipts::kReceiptsDirectory).value();
    const trust::PublicKey key =
        receipts::ParseAppliancePublicKey(ReadAll(disk.data, receipts::kPublicKeyPath).value())
            .value();
    ASSERT_EQ(receipts.size(), 2U);
    const audit::Verification verified = audit::VerifyJournal(disk.journal).value();
    EXPECT_FALSE(verified.broken.has_value());
    std::map<std::string, int> actions;
    std::set<std::string> told;  // digests of receipts
    for (const std::string& line : audit::LastRecords(disk.journal, 1'000).value()) {
      const Json record = ParseJson(line).value();
      ++actions[record["event"]["action"]];
      if (record["event"]["action"] == "receipt-written") {
        told.insert(record["skerry"]["after"]["sha256"]);
      }
    }
    for (const receipts::ReceiptFile& file : receipts) {
      const receipts::SignedReceipt receipt =
          receipts::ReadReceipt(disk.data, receipts::kReceiptsDirectory, file, key).value();
      EXPECT_EQ(receipt.receipt.release_seq, file.counter == 1 ? 3U : 5U);
      EXPECT_TRUE(told.contains(receipt.digest.Hex()));
    }
    // What was written ahead and then cut off is said again.
    for (const char* action : {"trust-root-changed", "floor-changed", "revocations-changed"}) {
      EXPECT_GE(actions[action], 1) << action;
      EXPECT_LE(actions[action], 2) << action;
    }
    EXPECT_GE(actions["receipt-written"], 2);
    EXPECT_LE(actions["receipt-written"], 3);
  }

  World world_;
  skerry::testing::TrustOffice office_;
};

TEST(TrustKeeperPowerCutTest, ATakeOverIsMadeUpForWhereverThePowerFails) {
  for (const bool in_journal : {false, true}) {
    int n = 1;
    while (true) {
      SCOPED_TRACE((in_journal ? "journal, call " : "data, call ") + std::to_string(n));
      ASSERT_LT(n, 1000);
      if (!TakeOverPowerCut().Run(in_journal, n)) break;
      ASSERT_FALSE(::testing::Test::HasFailure());
      ++n;
    }
    EXPECT_GT(n, 3);
  }
}

}  // namespace
}  // namespace skerry::admin
