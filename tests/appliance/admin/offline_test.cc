#include "appliance/admin/offline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/receipts/ledger.h"
#include "tests/appliance/admin/world.h"
#include "tests/bundler/trust/trust_office.h"

namespace skerry::admin {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class OfflineTest : public ::testing::Test {
 protected:
  std::unique_ptr<store::Store> Store() {
    return store::Store::Open(world_.path() + "/admin/skerry.db").value();
  }
  World world_;
};

// Imported and removed while nothing ran: its floor and its receipt are there all the same.
TEST_F(OfflineTest, WhatCameWithAModelStays) {
  const skerry::testing::TrustOffice office;
  ASSERT_TRUE(MakeDirectories(world_.files(), "trust"));
  world_.Write("trust/root.json", office.file);
  const trust::Release release = office.Store(world_.files(), 3);
  const std::string digest = "sha256-" + release.bundle.Hex();
  const std::string signer = office.releases[0].public_key().Id().Hex();
  world_.Write("store/" + digest + "/import.json",
               DumpJson({{"digest", digest},
                         {"id", release.id},
                         {"imported_at", "2026-01-31T12:00:00.000Z"},
                         {"model_format", "huggingface"},
                         {"release_keys", Json::array({signer})},
                         {"release_seq", 3},
                         {"release_threshold", 1},
                         {"root_version", 1},
                         {"signers", Json::array({signer})},
                         {"version", "1.0.0"}}));
  const Result<RemovedModel> removed = RemoveOffline(world_.path(), "acme/tiny");
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_EQ(removed->digest, digest);
  EXPECT_FALSE(world_.files().Exists("store/" + digest));
  const trust::TrustState state = trust::LoadTrust(world_.files()).value();
  EXPECT_EQ(state.floors.at("acme/tiny").release_seq, 3U);
  EXPECT_TRUE(state.taken.empty()) << "imported again, it counts again";
  EXPECT_EQ(receipts::ListReceipts(world_.files(), receipts::kReceiptsDirectory).value().size(),
            1U);
  EXPECT_THAT(world_.Recorded(), Contains("receipt-written"));
  EXPECT_EQ(world_.Recorded().back(), "model-removed");
}

TEST_F(OfflineTest, WhatIsToRunIsNotRemoved) {
  const std::string digest = world_.AddModel();
  {
    const auto store = Store();
    ASSERT_TRUE(store->PutModel({digest, "acme/tiny", "1.0.1", 1, 2, "2025-01-31T23:59:59.123Z"}));
    ASSERT_TRUE(store->AddInstance({"0a1b2c3d", digest, "assistant", {}, true, 1}));
  }
  const Result<RemovedModel> refused = RemoveOffline(world_.path(), digest);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("'assistant'"));
  // A load that the service's end interrupted is given up, as at a start.
  ASSERT_TRUE(Store()->SetDesired("0a1b2c3d", false));
  EXPECT_TRUE(RemoveOffline(world_.path(), digest));
}

}  // namespace
}  // namespace skerry::admin
