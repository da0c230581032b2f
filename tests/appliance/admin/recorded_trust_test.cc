#include "appliance/admin/recorded_trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skerry::admin {
namespace {

using ::testing::IsEmpty;

Sha256Digest Digest(const std::string& text) { return Sha256::Of(std::string_view(text)); }

RecordedTrust Sample() {
  RecordedTrust trust;
  trust.root = RecordedRoot{3, Digest("root")};
  trust.revocations = 7;
  trust.floors = {{"acme/big", {5, Digest("big")}}, {"acme/tiny", {2, Digest("tiny")}}};
  trust.used_permits = {Digest("one"), Digest("two")};
  return trust;
}

TEST(RecordedTrustTest, IsReadAsItWasWritten) {
  for (const RecordedTrust& trust : {Sample(), RecordedTrust()}) {
    EXPECT_EQ(ParseRecordedTrust(SerializeRecordedTrust(trust)).value(), trust);
  }
}

TEST(RecordedTrustTest, DamageIsAnError) {
  const std::string good = SerializeRecordedTrust(Sample());
  const Json json = ParseJson(good).value();
  for (const char* field : {"floors", "permits", "revocations", "root"}) {
    Json bad = json;
    bad[field] = "x";
    EXPECT_EQ(ParseRecordedTrust(DumpJson(bad)).error().code(), ErrorCode::kCorrupt) << field;
  }
  Json unknown = json;
  unknown["more"] = 1;
  for (const std::string& bad :
       {std::string(), std::string("[]"), good.substr(1), DumpJson(unknown)}) {
    EXPECT_EQ(ParseRecordedTrust(bad).error().code(), ErrorCode::kCorrupt) << bad;
  }
}

TEST(RecordedTrustTest, ChangesNameWhatWasBefore) {
  const RecordedTrust sample = Sample();
  EXPECT_THAT(TrustChanges(sample, sample), IsEmpty());
  RecordedTrust next = sample;
  next.root = RecordedRoot{4, Digest("next")};
  next.revocations = 8;
  next.used_permits.insert(Digest("three"));
  next.floors["acme/tiny"] = {3, Digest("newer")};
  next.floors["acme/new"] = {1, Digest("new")};
  next.floors.erase("acme/big");
  std::vector<std::string> lines;
  for (const TrustChange& change : TrustChanges(sample, next)) {
    lines.push_back(change.action + " " + change.target + " " + DumpJson(change.before) + " " +
                    DumpJson(change.after));
  }
  const auto floor = [](int seq, const std::string& bundle) {
    return "{\"bundle\":\"" + Digest(bundle).Hex() + "\",\"release_seq\":" + std::to_string(seq) +
           "}";
  };
  const auto root = [](int version, const std::string& text) {
    return "{\"fingerprint\":\"" + Digest(text).Hex() +
           "\",\"version\":" + std::to_string(version) + "}";
  };
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "trust-root-changed root " + root(3, "root") + " " + root(4, "next"),
                       "revocations-changed revocations {\"sequence\":7} {\"sequence\":8}",
                       "permit-used " + Digest("three").Hex() + " null null",
                       "floor-changed acme/big " + floor(5, "big") + " null",
                       "floor-changed acme/new null " + floor(1, "new"),
                       "floor-changed acme/tiny " + floor(2, "tiny") + " " + floor(3, "newer")}));
}

TEST(RecordedTrustTest, TheFirstRootIsAChange) {
  RecordedTrust first;
  first.root = RecordedRoot{1, Digest("root")};
  const std::vector<TrustChange> changes = TrustChanges(RecordedTrust(), first);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].action, "trust-root-changed");
  EXPECT_TRUE(changes[0].before.is_null());
}

}  // namespace
}  // namespace skerry::admin
